use std::sync::Arc;
use std::task::Context;

use sockeye_proto::engine::{CloseDetail, CloseReason, Message};

use super::session::Session;

/// What lives on top of one session. Its driver owns it and is the only one to call it.
///
/// Nothing here may block. `cx` wakes the driver, which then calls [`Application::poll`].
pub trait Application: Send + 'static {
    /// A message arrived. Messages of a session come in order, one at a time.
    fn message(&mut self, session: &Arc<Session>, cx: &mut Context<'_>, message: Message<'_>);

    /// The driver was woken: by the application itself, by [`Session::wake`], or because the
    /// moment of [`Session::set_application_deadline`] has come.
    fn poll(&mut self, session: &Arc<Session>, cx: &mut Context<'_>);

    /// The session is over. Called once; no message follows.
    fn ended(
        &mut self,
        session: &Arc<Session>,
        cx: &mut Context<'_>,
        reason: CloseReason,
        detail: CloseDetail,
    );

    /// The peer has answered a ping. What was sent before its answer to the ping before has
    /// arrived. Only in revision 4, where the server pings.
    fn heartbeat(&mut self) {}

    /// Bytes came from the peer: a message, or a part of one.
    fn receiving(&mut self) {}

    /// Whether it can take more messages now. While it cannot, nothing is read from the peer, who
    /// feels it as back-pressure.
    fn is_ready(&self) -> bool {
        true
    }

    /// Whether, after the end, nothing of it is still running. Then it is dropped.
    fn is_finished(&self) -> bool {
        true
    }
}

/// Makes the application of each new session.
pub trait Connector: Send + Sync + 'static {
    /// What is made.
    type Application: Application;

    /// A session was opened; the OPEN packet is on its way. `None` ends it at once.
    fn connect(&self, session: &Arc<Session>) -> Option<Self::Application>;
}

impl<A: Application, F: Fn(&Arc<Session>) -> A + Send + Sync + 'static> Connector for F {
    type Application = A;

    fn connect(&self, session: &Arc<Session>) -> Option<A> {
        Some(self(session))
    }
}

//! From a message to the machine, or to the application.

use std::sync::Arc;
use std::task::Context;

use sockeye_proto::Moment;
use sockeye_proto::engine::{Input, Link as LinkName, Packet, Received};
use sockeye_proto::websocket::Message as Frame;

use crate::engine::application::Application;
use crate::engine::session::{Link, Session};
use crate::engine::trace;

/// What came in one read, which came at one time.
pub(super) struct Read {
    now: Moment,
    /// The machine knows that there was a message.
    told: bool,
}

impl Read {
    pub(super) const fn at(now: Moment) -> Self {
        Self { now, told: false }
    }

    /// Whether a message is to be delivered. The first shows the machine that the peer lives; from
    /// then on it only matters whether the session is over, which takes no lock to see.
    fn is_taken(&mut self, session: &Session) -> bool {
        if std::mem::replace(&mut self.told, true) {
            return !session.is_over();
        }
        session.lock().machine.takes_message(self.now)
    }
}

/// One message of a WebSocket. `true` if nothing that follows matters.
pub(super) fn frame<A: Application>(
    session: &Arc<Session>,
    application: &mut A,
    cx: &mut Context<'_>,
    read: &mut Read,
    link: &mut LinkName,
    message: Frame<'_>,
) -> bool {
    let packet = match message {
        Frame::Text(text) => session.dialect().decode_text(text),
        Frame::Binary(data) => session.dialect().decode_binary(data),
        Frame::Ping(data) => {
            session.answer_ping(*link, data);
            return false;
        }
        Frame::Pong(_) => return false,
        Frame::Close(frame) => {
            session.answer_close(*link, frame.map(|frame| frame.code));
            return true;
        }
    };
    match packet {
        Ok(packet) => deliver(session, application, cx, read, link, packet),
        Err(error) => session.undecodable(*link, &error),
    }
    false
}

/// One packet, from whatever link: to the machine, and on to the application if it says so.
#[inline(always)]
pub(super) fn deliver<A: Application>(
    session: &Arc<Session>,
    application: &mut A,
    cx: &mut Context<'_>,
    read: &mut Read,
    link: &mut LinkName,
    packet: Packet<'_>,
) {
    let packet = match (*link, packet) {
        (LinkName::Active, Packet::Message(message)) => {
            if read.is_taken(session) {
                application.message(session, cx, message);
            }
            return;
        }
        (_, other) => Received::from(&other),
    };
    if matches!(packet, Received::Pong { .. }) && *link == LinkName::Active {
        application.heartbeat();
    }
    let mut state = session.lock();
    session.handle_at(read.now, &mut state, Input::Packet { link: *link, packet });
    if *link == LinkName::Candidate && matches!(state.link, Link::WebSocket(_)) {
        *link = LinkName::Active;
        drop(state);
        trace::upgraded();
    }
}

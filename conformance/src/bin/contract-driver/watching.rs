//! What happens to a socket is told in its order, and answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sockeye::EmitError;
use sockeye::client::{Acknowledgement, Events, ManagerEvent, ReceivedEvent, Socket, SocketEvent};
use tokio::sync::Notify;

use crate::command::Mode;
use crate::report::{self, Report};
use crate::values::{Spread, encode_all};

/// What the one who tells of a socket must know.
#[derive(Default)]
pub(crate) struct Watch {
    answers: Mutex<HashMap<String, Mode>>,
    /// The socket was told to connect: there may be more to tell.
    connecting: Notify,
    /// The attempts to reconnect are used up, which was not told yet.
    gave_up: AtomicBool,
}

impl Watch {
    /// From now on this event is answered so.
    pub(crate) fn answer(&self, event: String, mode: Mode) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(event, mode);
    }

    pub(crate) fn go_on(&self) {
        self.connecting.notify_one();
    }

    fn mode(&self, event: &str) -> Mode {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(event).cloned().unwrap_or(Mode::Never)
    }
}

/// Begins to tell of a socket that is not connected yet.
pub(crate) fn watch(name: &str, socket: &Socket) -> Arc<Watch> {
    let watch = Arc::new(Watch::default());
    let (observer, s) = (Arc::clone(&watch), name.to_owned());
    socket.manager().on_event(move |event| match event {
        ManagerEvent::Upgrade { transport } => {
            report::write(&Report::Upgrade { s: &s, transport: transport.as_str() });
        }
        ManagerEvent::ReconnectFailed => observer.gave_up.store(true, Ordering::Release),
        _ => {}
    });
    tokio::spawn(tell(name.to_owned(), socket.clone(), socket.events(), Arc::clone(&watch)));
    watch
}

async fn tell(s: String, socket: Socket, mut events: Events, watch: Arc<Watch>) {
    loop {
        while let Some(event) = events.next().await {
            match event {
                SocketEvent::Connect { recovered } => {
                    let id = socket.id().unwrap_or_default();
                    report::write(&Report::Connect { s: &s, id: &id, recovered });
                }
                SocketEvent::ConnectError(error) => report::write(&Report::ConnectError {
                    s: &s,
                    message: error.message(),
                    data: error.data(),
                }),
                SocketEvent::Event(event) => tell_event(&s, event, &watch),
                SocketEvent::Disconnect(disconnect) => {
                    let reason = disconnect.reason().as_str();
                    report::write(&Report::Disconnect { s: &s, reason });
                }
                _ => {}
            }
        }
        if watch.gave_up.swap(false, Ordering::AcqRel) {
            report::write(&Report::ReconnectFailed { s: &s });
        }
        watch.connecting.notified().await;
    }
}

fn tell_event(s: &str, mut event: ReceivedEvent, watch: &Watch) {
    let name = event.name();
    match event.arguments().decode_all() {
        Ok(args) => report::write(&Report::Event { s, name, args: &encode_all(args) }),
        Err(error) => report::write(&Report::Error { message: &error.to_string() }),
    }
    if let Some(question) = event.take_acknowledgement() {
        answer(question, &event, watch.mode(event.name()));
    }
}

fn answer(question: Acknowledgement, event: &ReceivedEvent, mode: Mode) {
    let answered = match mode {
        Mode::Echo => question.send(event.arguments()),
        Mode::Args(args) => question.send(Spread(args)),
        Mode::Never => Ok(()),
    };
    match answered {
        // Nobody is there any more to be answered.
        Ok(()) | Err(EmitError::Disconnected) => {}
        Err(error) => report::write(&Report::Error { message: &error.to_string() }),
    }
}

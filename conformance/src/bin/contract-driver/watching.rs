//! What happens to a socket is told in its order, and answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use sockeye::client::{
    Acknowledgement, AwaitAcknowledgement, Events, ManagerEvent, ReceivedEvent, Socket, SocketEvent,
};
use sockeye::{AcknowledgementError, EmitError, OwnedArguments};
use tokio::sync::{Notify, mpsc};

use crate::command::Mode;
use crate::report::{self, Report};
use crate::values::{Spread, encode_all};

/// What the one who tells of a socket must know.
pub(crate) struct Watch {
    answers: Mutex<HashMap<String, Mode>>,
    /// The socket was told to connect: there may be more to tell.
    connecting: Notify,
    /// The attempts to reconnect are used up, which was not told yet.
    gave_up: AtomicBool,
    acknowledged: mpsc::UnboundedSender<Acknowledged>,
}

/// What came of an acknowledgement, and its number.
type Acknowledged = (u64, Result<OwnedArguments, AcknowledgementError>);

impl Watch {
    /// From now on this event is answered so.
    pub(crate) fn answer(&self, event: String, mode: Mode) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(event, mode);
    }

    /// The socket was told to connect.
    pub(crate) fn go_on(&self) {
        self.connecting.notify_one();
    }

    /// An acknowledgement is told of by this number.
    pub(crate) fn acknowledgement(
        &self,
        number: u64,
        answer: AwaitAcknowledgement<OwnedArguments>,
    ) {
        let acknowledged = self.acknowledged.clone();
        tokio::spawn(async move {
            // Nobody listens at the end of the driver.
            let _ = acknowledged.send((number, answer.await));
        });
    }

    fn mode(&self, event: &str) -> Mode {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(event).cloned().unwrap_or(Mode::Never)
    }
}

/// Begins to tell of a socket that is not connected yet.
pub(crate) fn watch(name: &str, socket: &Socket) -> Arc<Watch> {
    let (acknowledged, acknowledgements) = mpsc::unbounded_channel();
    let watch = Arc::new(Watch {
        answers: Mutex::default(),
        connecting: Notify::new(),
        gave_up: AtomicBool::new(false),
        acknowledged,
    });
    let (observer, s) = (Arc::clone(&watch), name.to_owned());
    socket.manager().on_event(move |event| match event {
        ManagerEvent::Upgrade { transport } => {
            report::write(&Report::Upgrade { s: &s, transport: transport.as_str() });
        }
        ManagerEvent::ReconnectFailed => observer.gave_up.store(true, Ordering::Release),
        _ => {}
    });
    let teller = Teller {
        s: name.to_owned(),
        socket: socket.clone(),
        events: socket.events(),
        watch: Arc::clone(&watch),
        is_over: false,
    };
    tokio::spawn(teller.tell_all(acknowledgements));
    watch
}

struct Teller {
    s: String,
    socket: Socket,
    events: Events,
    watch: Arc<Watch>,
    /// Nothing more happens unless the socket is told to connect.
    is_over: bool,
}

impl Teller {
    async fn tell_all(mut self, mut acknowledgements: mpsc::UnboundedReceiver<Acknowledged>) {
        loop {
            tokio::select! {
                event = self.events.next(), if !self.is_over => self.tell(event),
                () = self.watch.connecting.notified(), if self.is_over => self.is_over = false,
                Some((number, answer)) = acknowledgements.recv() => {
                    // What came before it is told before it.
                    while !self.is_over && let Some(event) = self.events.next().now_or_never() {
                        self.tell(event);
                    }
                    tell_acknowledgement(&self.s, number, answer);
                }
            }
        }
    }

    fn tell(&mut self, event: Option<SocketEvent>) {
        let s = &self.s;
        match event {
            Some(SocketEvent::Connect { recovered }) => {
                let id = self.socket.id().unwrap_or_default();
                report::write(&Report::Connect { s, id: &id, recovered });
            }
            Some(SocketEvent::ConnectError(error)) => {
                let (message, data) = (error.message(), error.data());
                report::write(&Report::ConnectError { s, message, data });
            }
            Some(SocketEvent::Event(event)) => tell_event(s, event, &self.watch),
            Some(SocketEvent::Disconnect(disconnect)) => {
                let reason = disconnect.reason().as_str();
                report::write(&Report::Disconnect { s, reason });
            }
            Some(_) => {}
            None => {
                self.is_over = true;
                if self.watch.gave_up.swap(false, Ordering::AcqRel) {
                    report::write(&Report::ReconnectFailed { s });
                }
            }
        }
    }
}

fn tell_acknowledgement(s: &str, ack: u64, answer: Result<OwnedArguments, AcknowledgementError>) {
    let tell = |args, error| report::write(&Report::Ack { s, ack, args, error });
    match answer.map(|arguments| arguments.decode_all()) {
        Ok(Ok(args)) => tell(Some(&encode_all(args)), None),
        // The official client has the same words for what it sent as often as it may.
        Err(AcknowledgementError::TimedOut | AcknowledgementError::GivenUp) => {
            tell(None, Some("timeout"));
        }
        Err(AcknowledgementError::Disconnected) => tell(None, Some("disconnected")),
        Ok(Err(error)) => report::write(&Report::Error { message: &error.to_string() }),
        Err(error) => report::write(&Report::Error { message: &error.to_string() }),
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

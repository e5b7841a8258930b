//! One connection: the machine, its links, and what is queued.
//!
//! Nothing here runs by itself: whoever owns a [`Connection`] polls it, and nothing outlives it.

mod deadline;
mod outgoing;
mod outputs;
mod packets;
mod reading;

use std::fmt;
use std::task::{Context, Poll};

use sockeye_proto::engine::{
    ClientInput, ClientSession, ClientTiming, CloseReason, Link as LinkName, Message, TransportName,
};

pub(crate) use outgoing::Outgoing;

use super::dialer::Dialer;
use super::error::{TransportCause, TransportError};
use super::http::HttpClient;
use super::outbox::Outbox;
use super::polling::{Pending, Polling};
use super::websocket::WebSocket;
use crate::engine::turn::{Turn, give_way};
use deadline::Timer;

/// What lives on top of a connection. It is called from [`Connection::poll`], and nothing in it may
/// block.
pub(crate) trait ClientApplication {
    /// The server has said OPEN: messages go both ways.
    fn opened(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing);

    /// A message arrived. They come in order.
    fn message(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing, message: Message<'_>);

    /// The server has asked whether somebody is there.
    fn pinged(&mut self) {}

    /// The connection goes on over this transport.
    fn upgraded(&mut self, _transport: TransportName) {}

    /// The connection stays on the transport that it has, since no other could take over.
    fn upgrade_failed(&mut self, _error: TransportError) {}

    /// Whether it can take more messages now. While it cannot, nothing is read, and the server feels
    /// it as back-pressure. When it can again, the connection is to be polled.
    fn takes_more(&self) -> bool {
        true
    }
}

/// The end of a connection.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: CloseReason,
    /// What exactly happened, if the reason does not say it all.
    pub(crate) error: Option<TransportError>,
    /// Whether [`ClientApplication::opened`] was called.
    pub(crate) opened: bool,
}

/// One Engine.IO connection of a client. Dropped, everything of it is gone at once, and the server
/// finds out by itself: to tell it, close the connection and poll it until it has ended.
pub(crate) struct Connection {
    dialer: Dialer,
    outgoing: Outgoing,
    link: Link,
    candidate: Candidate,
    /// Until the connection is a WebSocket.
    http: Option<HttpClient>,
    /// Transports to try if this one fails (C-007), the next one last.
    others: Vec<TransportName>,
    timer: Timer,
    /// What happened to the link that the machine is about to be told of.
    error: Option<TransportError>,
    opened: bool,
    ended: Option<Ended>,
    turn: Turn,
}

/// What carries the session.
enum Link {
    /// Nothing yet, or nothing more.
    None,
    Polling(Polling),
    Opening(Pending<WebSocket>),
    WebSocket(Box<WebSocket>),
}

/// The WebSocket that may take over from polling.
enum Candidate {
    None,
    Opening(Pending<WebSocket>),
    WebSocket(Box<WebSocket>),
}

/// How often a link is read before something is written.
const READS: usize = 16;

impl Connection {
    /// A connection that begins when it is first polled, in a runtime of tokio with I/O and time.
    pub(crate) fn open(dialer: &Dialer) -> Self {
        let mut others = dialer.transports();
        others.reverse();
        let first = others.pop();
        let mut connection = Self {
            dialer: dialer.clone(),
            outgoing: Outgoing::new(session(dialer, first), dialer.options().force_base64),
            link: Link::None,
            candidate: Candidate::None,
            http: None,
            others,
            timer: Timer::default(),
            error: None,
            opened: false,
            ended: None,
            turn: Turn::new(),
        };
        match first {
            Some(TransportName::WebSocket) => connection.open_websocket(),
            Some(_) => connection.link = Link::Polling(Polling::default()),
            None => {
                connection.end(CloseReason::TransportError, Some(TransportError::NO_TRANSPORTS))
            }
        }
        connection
    }

    /// Goes on with all that can go on: reads and calls `application`, then writes. Ready once, with
    /// the end; it is not to be polled after that.
    ///
    /// After [`Outgoing::close`] it is ready when the goodbye has arrived, or after five seconds.
    pub(crate) fn poll<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> Poll<Ended> {
        self.turn = Turn::new();
        while self.ended.is_none() {
            self.carry_out(cx, application);
            let more = self.ended.is_none() && self.go_on(cx, application);
            if self.ended.is_none() && self.turn.is_over() {
                give_way(cx);
                return Poll::Pending;
            }
            if self.ended.is_none() && !more {
                return Poll::Pending;
            }
        }
        self.ended.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// What the application may do with it. [`poll`](Self::poll) is what sends.
    pub(crate) const fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// Whether there may be more to do at once: else everything waits that there is.
    fn go_on<A: ClientApplication>(&mut self, cx: &mut Context<'_>, application: &mut A) -> bool {
        let mut more = self.read_all(cx, application);
        more |= self.ended.is_none() && self.read_candidate(cx, application);
        more |= self.ended.is_none() && self.carry_out(cx, application);
        more |= self.ended.is_none() && self.write(cx, application);
        more || (self.ended.is_none() && self.look_at_the_clock(cx, application))
    }

    /// Reads for as long as it may. `false` once nothing is there to read.
    fn read_all<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        (0..READS)
            .all(|_| self.ended.is_some() || (!self.turn.is_over() && self.read(cx, application)))
    }

    /// Tells the machine what happened, and does what it says.
    fn handle<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
        input: ClientInput,
    ) {
        self.outgoing.handle(input);
        if !self.opened && self.outgoing.is_open() {
            self.opened = true;
            self.others.clear();
            let websocket = self.outgoing.transport() == TransportName::WebSocket;
            self.dialer.remember(websocket);
            if websocket {
                self.http = None;
            }
            application.opened(cx, &mut self.outgoing);
        }
        self.carry_out(cx, application);
    }

    /// The same for a link on which nothing more happens.
    fn lost<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
        input: ClientInput,
        error: TransportError,
    ) {
        self.error = Some(error);
        self.handle(cx, application, input);
        self.error = None;
    }

    /// Writes what there is. Whether there is more to do since.
    fn write<A: ClientApplication>(&mut self, cx: &mut Context<'_>, application: &mut A) -> bool {
        if let Candidate::WebSocket(websocket) = &mut self.candidate {
            // What is wrong with it shows itself when it is read.
            let _ = websocket.poll_write(cx, &mut self.outgoing.candidates);
        }
        let Link::WebSocket(websocket) = &mut self.link else { return false };
        // Before OPEN, what is queued waits.
        let mut nothing = Outbox::default();
        let outbox = if self.opened { &mut self.outgoing.outbox } else { &mut nothing };
        let written = websocket.poll_write(cx, outbox);
        self.outgoing.unwritten = websocket.unwritten_bytes();
        match written {
            Poll::Ready(Ok(())) if self.outgoing.has_written() => {
                self.outgoing.handle(ClientInput::Drained);
                self.carry_out(cx, application)
            }
            Poll::Ready(Ok(())) | Poll::Pending => false,
            Poll::Ready(Err(error)) => {
                let error = TransportError::websocket(TransportCause::Lost(error.to_string()));
                let input = ClientInput::LinkClosed { link: LinkName::Active };
                self.lost(cx, application, input, error);
                true
            }
        }
    }

    fn end(&mut self, reason: CloseReason, error: Option<TransportError>) {
        (self.link, self.candidate, self.http) = (Link::None, Candidate::None, None);
        self.outgoing.end();
        if reason == CloseReason::TransportError {
            self.dialer.remember(false);
        }
        self.ended = Some(Ended { reason, error, opened: self.opened });
    }
}

fn session(dialer: &Dialer, transport: Option<TransportName>) -> ClientSession {
    let options = dialer.options();
    let upgrade = options.upgrade && options.transports.contains(&TransportName::WebSocket);
    let timing = ClientTiming { upgrade, ..ClientTiming::default() };
    ClientSession::new(timing, transport.unwrap_or(TransportName::Polling))
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("transport", &self.outgoing.transport())
            .field("open", &self.outgoing.is_open())
            .finish_non_exhaustive()
    }
}

//! From bytes to packets, and on to the machine or the application.

use std::error::Error;
use std::task::{Context, Poll};

use sockeye_proto::engine::{ClientInput, Link as LinkName, Opening, Packet, Received};
use sockeye_proto::websocket::{CloseCode, DecodeError, Frame, Limits, Message};

use super::super::error::{TransportCause, TransportError};
use super::super::polling::{Answer, take_ready};
use super::super::websocket::WebSocket;
use super::{Candidate, ClientApplication, Connection, Link, Outgoing};
use crate::engine::scratch;

/// What became of a packet.
enum Taken {
    /// It was a message, and is delivered.
    Delivered,
    /// The machine is to be told.
    Input(ClientInput),
    /// The same, and this is why, if it is the end of the link.
    Refused(ClientInput, TransportError),
}

impl Connection {
    /// Whether something has happened on the active link.
    pub(super) fn read<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        match &mut self.link {
            Link::None => false,
            Link::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Ready(Ok(websocket)) => {
                    self.link = Link::WebSocket(Box::new(websocket));
                    true
                }
                Poll::Ready(Err(cause)) => {
                    let input = ClientInput::LinkFailed { link: LinkName::Active };
                    self.lost(cx, application, input, TransportError::websocket(cause));
                    true
                }
                Poll::Pending => false,
            },
            Link::Polling(_) => self.read_polling(cx, application),
            Link::WebSocket(_) => {
                self.may_read(cx, application)
                    && self.read_websocket(cx, application, LinkName::Active)
            }
        }
    }

    /// The same for the candidate.
    pub(super) fn read_candidate<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        match &mut self.candidate {
            Candidate::None => false,
            Candidate::Opening(opening) => match opening.as_mut().poll(cx) {
                Poll::Ready(Ok(websocket)) => {
                    self.candidate = Candidate::WebSocket(Box::new(websocket));
                    self.handle(cx, application, ClientInput::CandidateOpened);
                    true
                }
                Poll::Ready(Err(cause)) => {
                    self.candidate = Candidate::None;
                    let input = ClientInput::LinkFailed { link: LinkName::Candidate };
                    self.lost(cx, application, input, TransportError::probe(cause));
                    true
                }
                Poll::Pending => false,
            },
            Candidate::WebSocket(_) => self.read_websocket(cx, application, LinkName::Candidate),
        }
    }

    /// Whether the application can take more. When it can again, the machine learns that a ping may
    /// have waited meanwhile.
    fn may_read<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        let takes_more = application.takes_more();
        if std::mem::replace(&mut self.outgoing.busy, !takes_more) && takes_more {
            self.handle(cx, application, ClientInput::Unread);
        }
        takes_more
    }

    fn read_polling<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        let Link::Polling(polling) = &mut self.link else { return false };
        if let Some(result) = take_ready(&mut polling.post, cx) {
            let queued = !self.outgoing.outbox.is_empty();
            match result {
                Ok(()) => self.handle(cx, application, ClientInput::PostDone { queued }),
                Err(cause) => {
                    let error = TransportError::post(cause);
                    self.lost(cx, application, ClientInput::PostFailed, error);
                }
            }
            return true;
        }
        if polling.answer.is_some() {
            return self.may_read(cx, application) && self.work_through_answer(cx, application);
        }
        match take_ready(&mut polling.get, cx).map(|body| body.and_then(Answer::new)) {
            Some(Ok(answer)) => polling.answer = Some(answer),
            Some(Err(cause @ TransportCause::Packet(_))) => {
                let input = ClientInput::Undecodable { link: LinkName::Active };
                self.lost(cx, application, input, TransportError::server(cause));
            }
            Some(Err(cause)) => {
                let error = TransportError::poll(cause);
                self.lost(cx, application, ClientInput::PollFailed, error);
            }
            None => return false,
        }
        true
    }

    /// Handles packets of an answer for as long as the application can take them.
    fn work_through_answer<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        let Link::Polling(polling) = &mut self.link else { return false };
        let Some(mut answer) = polling.answer.take() else { return false };
        let is_old = !self.opened && answer.is_of_revision_three();
        while application.takes_more() {
            let taken = match answer.next_packet() {
                Some(Ok(packet)) => {
                    read_packet(&mut self.outgoing, cx, application, LinkName::Active, packet)
                }
                Some(Err(error)) => undecodable(LinkName::Active, &error, is_old),
                None => {
                    self.handle(cx, application, ClientInput::PollDone);
                    return true;
                }
            };
            self.taken(cx, application, taken);
            if self.ended.is_some() || !matches!(self.link, Link::Polling(_)) {
                return true;
            }
        }
        if let Link::Polling(polling) = &mut self.link {
            polling.answer = Some(answer);
        }
        true
    }

    fn taken<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
        taken: Taken,
    ) {
        match taken {
            Taken::Delivered => {}
            Taken::Input(input) => self.handle(cx, application, input),
            Taken::Refused(input, error) => self.lost(cx, application, input, error),
        }
    }

    fn read_websocket<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
        name: LinkName,
    ) -> bool {
        let Some(websocket) = websocket_of(&mut self.link, &mut self.candidate, name) else {
            return false;
        };
        let mut rest = std::mem::take(&mut websocket.rest);
        if !rest.is_empty() {
            self.received(cx, application, name, &mut rest);
            return true;
        }
        scratch::with_read(|buffer| {
            let websocket = websocket_of(&mut self.link, &mut self.candidate, name);
            let end = match websocket.map(|websocket| websocket.poll_read(cx, buffer)) {
                None | Some(Poll::Pending) => return false,
                Some(Poll::Ready(Ok(count @ 1..))) => {
                    self.received(cx, application, name, &mut buffer[..count]);
                    return true;
                }
                Some(Poll::Ready(Ok(_))) => TransportCause::Closed { code: None },
                Some(Poll::Ready(Err(error))) => TransportCause::Lost(error.to_string()),
            };
            self.lost(cx, application, ClientInput::LinkClosed { link: name }, of(name, end));
            true
        })
    }

    /// Works through bytes of a WebSocket.
    fn received<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
        mut name: LinkName,
        bytes: &mut [u8],
    ) {
        let limits = Limits::new(self.dialer.options().max_message_bytes);
        let websocket = websocket_of(&mut self.link, &mut self.candidate, name);
        let mut inflater = websocket.and_then(|websocket| websocket.inflater());
        let mut at = 0;
        loop {
            if name == LinkName::Candidate && matches!(self.link, Link::WebSocket(_)) {
                name = LinkName::Active;
            }
            let Self { link, candidate, outgoing, .. } = self;
            let Some(websocket) = websocket_of(link, candidate, name).filter(|it| !it.over) else {
                return;
            };
            // The application has nothing to do with a candidate.
            if name == LinkName::Active && at < bytes.len() && !application.takes_more() {
                websocket.rest = bytes[at..].to_vec();
                return;
            }
            let heard = match websocket.decode(&mut bytes[at..], &limits, inflater.as_mut()) {
                Ok((_, None)) => return,
                Ok((used, Some(message))) => {
                    at += used;
                    listen(outgoing, cx, application, name, message)
                }
                Err(error) => Heard::Nonsense(error),
            };
            let taken = match heard {
                Heard::Packet(taken) => taken,
                other => react(websocket, cx, name, other),
            };
            self.taken(cx, application, taken);
        }
    }
}

fn websocket_of<'a>(
    link: &'a mut Link,
    candidate: &'a mut Candidate,
    name: LinkName,
) -> Option<&'a mut WebSocket> {
    match (name, link, candidate) {
        (LinkName::Active, Link::WebSocket(websocket), _)
        | (LinkName::Candidate, _, Candidate::WebSocket(websocket)) => Some(websocket),
        _ => None,
    }
}

/// The error of a WebSocket.
fn of(name: LinkName, cause: TransportCause) -> TransportError {
    match name {
        LinkName::Active => TransportError::websocket(cause),
        LinkName::Candidate => TransportError::probe(cause),
    }
}

/// What was said on a WebSocket.
enum Heard {
    Packet(Taken),
    Ping(Frame),
    Pong,
    Close(Option<CloseCode>),
    Nonsense(DecodeError),
}

fn listen<A: ClientApplication>(
    outgoing: &mut Outgoing,
    cx: &mut Context<'_>,
    application: &mut A,
    name: LinkName,
    message: Message<'_>,
) -> Heard {
    Heard::Packet(match message {
        Message::Text(text) => match Packet::decode(text) {
            Ok(packet) => read_packet(outgoing, cx, application, name, packet),
            Err(error) => undecodable(name, &error, false),
        },
        Message::Binary(data) => read_packet(outgoing, cx, application, name, Packet::binary(data)),
        Message::Ping(data) => return Heard::Ping(Frame::pong(data)),
        Message::Pong(_) => return Heard::Pong,
        Message::Close(frame) => return Heard::Close(frame.map(|frame| frame.code)),
    })
}

/// What is not about packets.
fn react(websocket: &mut WebSocket, cx: &mut Context<'_>, name: LinkName, heard: Heard) -> Taken {
    match heard {
        Heard::Packet(taken) => taken,
        Heard::Pong => Taken::Delivered,
        Heard::Ping(answer) => {
            websocket.answer_ping(answer);
            Taken::Delivered
        }
        Heard::Close(code) => {
            websocket.hang_up(cx, code);
            let cause = TransportCause::Closed { code: code.map(CloseCode::get) };
            Taken::Refused(ClientInput::LinkClosed { link: name }, of(name, cause))
        }
        Heard::Nonsense(error) => {
            websocket.hang_up(cx, Some(error.close_code()));
            let cause = TransportCause::Frame(error.to_string());
            Taken::Refused(ClientInput::LinkFailed { link: name }, of(name, cause))
        }
    }
}

/// One packet, from whatever link: a message is delivered where it lies.
fn read_packet<A: ClientApplication>(
    outgoing: &mut Outgoing,
    cx: &mut Context<'_>,
    application: &mut A,
    name: LinkName,
    packet: Packet<'_>,
) -> Taken {
    match (name, packet) {
        (LinkName::Active, Packet::Message(message)) if outgoing.session().takes_message() => {
            application.message(cx, outgoing, message);
            Taken::Delivered
        }
        (LinkName::Active, Packet::Open(json)) if outgoing.id().is_none() => {
            match Opening::parse(json) {
                Ok(opening) => {
                    let input = ClientInput::from(&opening);
                    outgoing.sid = Some(opening.sid);
                    outgoing.max_payload = opening.max_payload;
                    Taken::Input(input)
                }
                Err(error) => undecodable(name, &error, false),
            }
        }
        (name, packet) => {
            let received = Received::from(&packet);
            if name == LinkName::Active && matches!(received, Received::Ping { .. }) {
                application.pinged();
            }
            Taken::Input(ClientInput::Packet { link: name, packet: received })
        }
    }
}

/// What a server of revision 3 says cannot be read, and is worth a hint.
fn undecodable(name: LinkName, error: &dyn Error, is_old: bool) -> Taken {
    let text = if is_old {
        "the server speaks Engine.IO 3 (Socket.IO 2), which this client does not".to_owned()
    } else {
        format!("the server does not speak Engine.IO: {error}")
    };
    let error = TransportError::server(TransportCause::Packet(text));
    Taken::Refused(ClientInput::Undecodable { link: name }, error)
}

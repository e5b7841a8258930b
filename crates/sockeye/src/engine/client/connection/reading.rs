//! From links to packets, and on to the machine or the application.

use std::task::{Context, Poll};

use sockeye_proto::engine::{ClientInput, Link as LinkName};
use sockeye_proto::websocket::Limits;

use super::super::error::{TransportCause, TransportError};
use super::super::polling::{Answer, take_ready};
use super::super::websocket::WebSocket;
use super::packets::{Heard, Taken, listen, of, react, read_packet, undecodable};
use super::{Candidate, ClientApplication, Connection, Link};
use crate::engine::scratch;
use crate::engine::turn::Rest;

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
        while !self.turn.is_over() && application.takes_more() {
            let taken = match answer.next_packet() {
                Some(Ok(packet)) => {
                    self.turn.spend(0);
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
        if let Some(mut rest) = websocket.rest.take() {
            let used = self.received(cx, application, name, rest.bytes());
            self.keep(rest.without(used));
            return true;
        }
        scratch::with_read(|buffer| {
            let websocket = websocket_of(&mut self.link, &mut self.candidate, name);
            let end = match websocket.map(|websocket| websocket.poll_read(cx, buffer)) {
                None | Some(Poll::Pending) => return false,
                Some(Poll::Ready(Ok(count @ 1..))) => {
                    let used = self.received(cx, application, name, &mut buffer[..count]);
                    self.keep(Rest::of(&buffer[used..count]));
                    return true;
                }
                Some(Poll::Ready(Ok(_))) => TransportCause::Closed { code: None },
                Some(Poll::Ready(Err(error))) => TransportCause::Lost(error.to_string()),
            };
            self.lost(cx, application, ClientInput::LinkClosed { link: name }, of(name, end));
            true
        })
    }

    /// Keeps what the active link has brought beyond what could be worked through.
    fn keep(&mut self, rest: Option<Rest>) {
        if let Link::WebSocket(websocket) = &mut self.link
            && rest.is_some()
        {
            websocket.rest = rest;
        }
    }

    /// Works through bytes of a WebSocket, as far as it may; how many are done with.
    fn received<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
        mut name: LinkName,
        bytes: &mut [u8],
    ) -> usize {
        let limits = Limits::new(self.dialer.options().max_message_bytes);
        let websocket = websocket_of(&mut self.link, &mut self.candidate, name);
        let mut inflater = websocket.and_then(|websocket| websocket.inflater());
        let mut at = 0;
        loop {
            if name == LinkName::Candidate && matches!(self.link, Link::WebSocket(_)) {
                name = LinkName::Active;
            }
            let Self { link, candidate, outgoing, turn, .. } = self;
            let Some(websocket) = websocket_of(link, candidate, name).filter(|it| !it.over) else {
                return bytes.len();
            };
            // The application has nothing to do with a candidate.
            let stops = name == LinkName::Active && (turn.is_over() || !application.takes_more());
            if stops && at < bytes.len() {
                return at;
            }
            let heard = match websocket.decode(&mut bytes[at..], &limits, inflater.as_mut()) {
                Ok((_, None)) => return bytes.len(),
                Ok((used, Some(message))) => {
                    at += used;
                    turn.spend(used);
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

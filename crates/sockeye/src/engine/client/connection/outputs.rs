//! Doing what the machine says.

use std::future::ready;
use std::task::Context;

use sockeye_proto::engine::{ClientOutput, CloseReason, TransportName};
use sockeye_proto::websocket::Frame;

use super::super::error::{TransportCause, TransportError};
use super::super::http::HttpClient;
use super::super::outbox::Outbox;
use super::super::polling::{Pending, Polling};
use super::super::websocket::WebSocket;
use super::{Candidate, ClientApplication, Connection, Link, session};

impl Connection {
    /// Does everything that is to be done. Whether there is something now that is to be polled, beside
    /// what is written anyway.
    pub(super) fn carry_out<A: ClientApplication>(
        &mut self,
        cx: &mut Context<'_>,
        application: &mut A,
    ) -> bool {
        let mut more = false;
        while let Some(output) = self.outgoing.next_output() {
            more |= output != ClientOutput::Write;
            match output {
                // What is queued for a WebSocket is written when everything is read; messages are
                // delivered where they lie.
                ClientOutput::Write | ClientOutput::Deliver => {}
                ClientOutput::Poll => self.start_poll(),
                ClientOutput::Post => {
                    let body = self.outgoing.outbox.take_payload(self.outgoing.max_payload);
                    self.start_post(body);
                }
                ClientOutput::PostClose => self.start_post(b"1".to_vec()),
                ClientOutput::SendPong => self.outgoing.outbox.push(Frame::text(b"3").into()),
                ClientOutput::OpenCandidate => {
                    self.candidate = Candidate::Opening(self.dial_websocket());
                }
                ClientOutput::ProbeCandidate => {
                    self.outgoing.candidates.push(Frame::text(b"2probe").into());
                }
                ClientOutput::SwitchToCandidate => self.switch(application),
                ClientOutput::DropCandidate => self.drop_candidate(cx, application),
                ClientOutput::CloseLink => self.close_link(cx),
                ClientOutput::Ended(reason) => self.machine_ended(reason),
            }
        }
        more
    }

    fn start_poll(&mut self) {
        let sid = self.outgoing.id().map(ToOwned::to_owned);
        let url = self.dialer.url(TransportName::Polling, sid.as_deref());
        let get: Pending<Vec<u8>> = match self.client() {
            Ok(client) => Box::pin(client.get(url)),
            Err(cause) => Box::pin(ready(Err(cause))),
        };
        if let Link::Polling(polling) = &mut self.link {
            polling.get = Some(get);
        }
    }

    fn start_post(&mut self, body: Vec<u8>) {
        let url = self.dialer.url(TransportName::Polling, self.outgoing.id());
        let post: Pending<()> = match self.client() {
            // A body without packets would be an error to the server.
            Ok(_) if body.is_empty() => Box::pin(ready(Ok(()))),
            Ok(client) => Box::pin(client.post(url, body)),
            Err(cause) => Box::pin(ready(Err(cause))),
        };
        if let Link::Polling(polling) = &mut self.link {
            polling.post = Some(post);
        }
    }

    pub(super) fn open_websocket(&mut self) {
        self.link = Link::Opening(self.dial_websocket());
    }

    fn dial_websocket(&mut self) -> Pending<WebSocket> {
        let url = self.dialer.url(TransportName::WebSocket, self.outgoing.id());
        let wishes = self.dialer.options().wishes.clone();
        match self.client() {
            Ok(client) => Box::pin(WebSocket::open(client, url, wishes)),
            Err(cause) => Box::pin(ready(Err(cause))),
        }
    }

    /// The client of this connection, made when it is first needed.
    fn client(&mut self) -> Result<HttpClient, TransportCause> {
        if let Some(client) = &self.http {
            return Ok(client.clone());
        }
        Ok(self.http.insert(self.dialer.client()?).clone())
    }

    fn switch<A: ClientApplication>(&mut self, application: &mut A) {
        if let Candidate::WebSocket(websocket) =
            std::mem::replace(&mut self.candidate, Candidate::None)
        {
            self.link = Link::WebSocket(websocket);
            self.http = None;
            self.outgoing.outbox.push_front(Frame::text(b"5"));
            self.dialer.remember(true);
            application.upgraded(TransportName::WebSocket);
        }
    }

    fn drop_candidate<A: ClientApplication>(&mut self, cx: &mut Context<'_>, application: &mut A) {
        let candidate = std::mem::replace(&mut self.candidate, Candidate::None);
        if let Candidate::WebSocket(mut websocket) = candidate {
            websocket.hang_up(cx, None);
        }
        self.outgoing.candidates = Outbox::default();
        self.dialer.remember(false);
        application.upgrade_failed(self.error.take().unwrap_or_else(|| {
            let text = "the WebSocket did not answer as a server should".to_owned();
            TransportError::probe(TransportCause::Handshake(text))
        }));
    }

    /// Has the close frame written after what is queued: now, as far as it goes, since the end may
    /// follow.
    fn close_link(&mut self, cx: &mut Context<'_>) {
        if let Link::WebSocket(websocket) = &mut self.link {
            websocket.say_goodbye(None);
            // What is wrong with it shows itself when it is read.
            let _ = websocket.poll_write(cx, &mut self.outgoing.outbox);
            self.outgoing.unwritten = websocket.unwritten_bytes();
        }
    }

    /// Tries the next transport if there is one (C-007), or tells the end.
    fn machine_ended(&mut self, reason: CloseReason) {
        let error = self.error.take().filter(|_| reason != CloseReason::ForcedClose);
        let is_failure =
            matches!(reason, CloseReason::TransportError | CloseReason::TransportClose);
        let next = if is_failure { self.others.pop() } else { None };
        let Some(next) = next else {
            let unexpected = || {
                TransportError::server(TransportCause::Packet(
                    "the first packet is not OPEN".to_owned(),
                ))
            };
            let error = error.or_else(|| (is_failure && !self.opened).then(unexpected));
            return self.end(reason, error);
        };
        self.dialer.remember(false);
        self.candidate = Candidate::None;
        self.outgoing.restart(session(&self.dialer, Some(next)));
        match next {
            TransportName::WebSocket => self.open_websocket(),
            _ => self.link = Link::Polling(Polling::default()),
        }
    }
}

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sockeye_proto::Moment;
use sockeye_proto::engine::{
    CloseReason, Control, Input, Link, Output, Packet, PayloadDecoder, PayloadEncoder, PollAnswer,
    Revision, Session, Timing, TransportName,
};
use sockeye_proto::websocket::{Decoder, Frame, Role};

use super::network::{Event, Lane, Network};
use super::{Heard, Inbox, hear, numbered};

/// The smallest driver of a session, and an application that counts.
pub(crate) struct Server {
    session: Session,
    outbox: VecDeque<Frame>,
    websocket: Option<WebSocket>,
    get_waits: bool,
    post_arrives: bool,
    pub(crate) sent: usize,
    pub(crate) inbox: Inbox,
    pub(crate) ended: Option<CloseReason>,
    pub(crate) released: bool,
}

struct WebSocket {
    decoder: Decoder,
    link: Link,
}

/// What an input means for the one who brought it.
#[derive(Default)]
struct Verdict {
    deliver: bool,
    refused: bool,
}

impl Server {
    pub(crate) fn open(transport: TransportName) -> Self {
        let timing = Timing {
            ping_interval: Duration::from_millis(300),
            ping_timeout: Duration::from_millis(200),
            upgrade_timeout: Duration::from_millis(1_000),
            write_timeout: Duration::from_millis(1_000),
        };
        let websocket = WebSocket { decoder: Decoder::new(Role::Server), link: Link::Active };
        Self {
            session: Session::open(Moment::START, Arc::new(timing), Revision::Four, transport),
            outbox: VecDeque::new(),
            websocket: (transport == TransportName::WebSocket).then_some(websocket),
            get_waits: false,
            post_arrives: false,
            sent: 0,
            inbox: Inbox::default(),
            ended: None,
            released: false,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.session.deadline()
    }

    pub(crate) fn deadline_passed(&mut self, network: &mut Network) {
        self.handle(network, Input::DeadlinePassed);
        assert!(self.deadline().is_none_or(|deadline| deadline > network.now), "time stands still");
    }

    pub(crate) fn close(&mut self, network: &mut Network) {
        self.handle(network, Input::Close);
    }

    pub(crate) fn speak(&mut self, network: &mut Network) {
        if self.session.is_open() {
            self.outbox.push_back(numbered(self.sent));
            self.sent += 1;
            self.flush(network);
        }
    }

    pub(crate) fn get(&mut self, network: &mut Network) {
        if !self.admits_polling() {
            return network.send(Lane::Gets, Event::Refused);
        }
        let queued = !self.outbox.is_empty();
        let waited = std::mem::replace(&mut self.get_waits, true);
        if self.handle(network, Input::Poll { queued }).refused {
            assert!(waited && !self.get_waits, "the first GET is answered too");
            network.send(Lane::Gets, Event::Refused);
        }
    }

    pub(crate) fn get_aborted(&mut self, network: &mut Network) {
        if std::mem::take(&mut self.get_waits) {
            self.handle(network, Input::PollAborted);
        }
    }

    pub(crate) fn post(&mut self, network: &mut Network) {
        let refused = !self.admits_polling() || self.handle(network, Input::Post).refused;
        self.post_arrives = !refused;
        if refused {
            network.send(Lane::Posts, Event::Refused);
        }
    }

    pub(crate) fn post_body(&mut self, network: &mut Network, body: &[u8]) {
        if !std::mem::take(&mut self.post_arrives) || self.released {
            return;
        }
        for packet in PayloadDecoder::new(str::from_utf8(body).expect("UTF-8")) {
            match packet {
                Ok(packet) => self.packet(network, Link::Active, &packet),
                Err(_) => _ = self.handle(network, Input::Undecodable { link: Link::Active }),
            }
        }
        self.handle(network, Input::PostDone);
        network.send(Lane::Posts, Event::PostAnswered);
    }

    pub(crate) fn post_aborted(&mut self, network: &mut Network) {
        if std::mem::take(&mut self.post_arrives) {
            self.handle(network, Input::PostAborted);
        }
    }

    pub(crate) fn websocket_opened(&mut self, network: &mut Network) {
        if self.handle(network, Input::CandidateOpened).refused {
            return network.send(Lane::Down, Event::ClientLosesWebSocket);
        }
        let decoder = Decoder::new(Role::Server);
        self.websocket = Some(WebSocket { decoder, link: Link::Candidate });
    }

    pub(crate) fn bytes(&mut self, network: &mut Network, bytes: Vec<u8>) {
        let Some(websocket) = &mut self.websocket else { return };
        for heard in hear(&mut websocket.decoder, bytes) {
            let Some(WebSocket { link, .. }) = self.websocket else { return };
            match heard {
                Heard::Text(text) => match Packet::decode(&text) {
                    Ok(packet) => self.packet(network, link, &packet),
                    Err(_) => _ = self.handle(network, Input::Undecodable { link }),
                },
                Heard::Binary(data) => self.packet(network, link, &Packet::binary(&data)),
                Heard::Close => self.websocket_lost(network),
            }
        }
    }

    pub(crate) fn websocket_lost(&mut self, network: &mut Network) {
        if let Some(WebSocket { link, .. }) = self.websocket.take() {
            network.send(Lane::Down, Event::ClientLosesWebSocket);
            self.handle(network, Input::LinkClosed { link });
        }
    }

    fn admits_polling(&self) -> bool {
        let admitted = self.session.admit(TransportName::Polling, false, Revision::Four);
        !self.released && admitted.is_ok()
    }

    fn packet(&mut self, network: &mut Network, link: Link, packet: &Packet<'_>) {
        let verdict = self.handle(network, Input::Packet { link, packet: packet.into() });
        if verdict.deliver
            && let Packet::Message(message) = packet
        {
            assert_eq!(self.ended, None, "nothing is delivered after the end");
            self.inbox.take(message);
        }
    }

    fn handle(&mut self, network: &mut Network, input: Input) -> Verdict {
        self.session.handle(network.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| self.session.poll()).collect();
        let mut verdict = Verdict::default();
        for output in outputs {
            match output {
                Output::Deliver => verdict.deliver = true,
                Output::RefusePoll | Output::RefusePost | Output::RefuseCandidate => {
                    verdict.refused = true;
                }
                other => self.carry_out(network, other),
            }
        }
        verdict
    }

    fn carry_out(&mut self, network: &mut Network, output: Output) {
        assert!(!self.released, "{output:?} after the release");
        match output {
            Output::Send(control) => {
                let packet = if control == Control::Ping { b"2" } else { b"3" };
                self.outbox.push_back(Frame::text(packet));
                self.flush(network);
            }
            Output::AnswerPoll(answer) => self.answer_poll(network, answer),
            Output::AnswerProbe => {
                network.send_bytes(Lane::Down, Frame::text(b"3probe").as_bytes());
            }
            Output::CloseCandidate => {
                self.websocket = None;
                network.send_bytes(Lane::Down, Frame::close(None, "").as_bytes());
            }
            Output::SwitchToCandidate => {
                self.websocket.as_mut().expect("a candidate").link = Link::Active;
                self.flush(network);
            }
            Output::CloseLink => {
                self.outbox.push_back(Frame::close(None, ""));
                self.flush(network);
            }
            Output::Ended(reason, _) => {
                assert_eq!(self.ended.replace(reason), None, "a session ends once");
            }
            Output::Release => self.release(network),
            other => unreachable!("{other:?} is a verdict"),
        }
    }

    fn answer_poll(&mut self, network: &mut Network, answer: PollAnswer) {
        assert!(std::mem::take(&mut self.get_waits), "{answer:?} without a GET");
        let mut payload = PayloadEncoder::new();
        match answer {
            PollAnswer::Queued => self.outbox.drain(..).for_each(|frame| payload.push(&frame)),
            PollAnswer::Noop => payload.push_text(b"6"),
            PollAnswer::Close => payload.push_text(b"1"),
            PollAnswer::NoopAndClose => {
                assert!(self.outbox.is_empty(), "closed before everything was sent");
                payload.push_text(b"6");
                payload.push_text(b"1");
            }
        }
        network.send(Lane::Gets, Event::GetAnswered(payload.finish()));
    }

    fn flush(&mut self, network: &mut Network) {
        if self.session.transport() == TransportName::Polling {
            if !self.outbox.is_empty() {
                self.handle(network, Input::Queued);
            }
            return;
        }
        for frame in self.outbox.drain(..) {
            network.send_bytes(Lane::Down, frame.as_bytes());
        }
    }

    fn release(&mut self, network: &mut Network) {
        assert!(self.ended.is_some() && !self.get_waits, "somebody is forgotten");
        self.released = true;
        if self.websocket.take().is_some() {
            network.send(Lane::Down, Event::ClientLosesWebSocket);
        }
    }
}

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use sockeye_proto::Moment;
use sockeye_proto::engine::{
    ClientInput, ClientOutput, ClientSession, ClientTiming, CloseReason, Link, Received,
    TransportName, Upgrades,
};

/// Outputs of one input: the machine's internal capacity.
const MOST_OUTPUTS: usize = 8;
/// Deadlines until the session of a silent server is over: there are three.
const MOST_DEADLINES: usize = 3;

/// Any inputs in any order on a client's Engine.IO session, while time goes on. Then the server is
/// silent.
pub fn client_session(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(beginning) = data.arbitrary() else { return };
    let mut watched = Watched::begin(&beginning);
    while !data.is_empty() {
        let Ok(operation) = data.arbitrary() else { break };
        watched.apply(operation);
    }
    watched.server_is_silent();
}

/// How the session begins; times in milliseconds.
#[derive(Arbitrary, Debug)]
struct Beginning {
    over_websocket: bool,
    upgrade: bool,
    candidate_timeout: u16,
    close_timeout: u16,
    /// Packets that fit into a POST; one at least does.
    packets_per_post: u8,
}

/// One thing that happens; what cannot happen changes nothing.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Wait { milliseconds: u16 },
    WaitForDeadline,
    DeadlinePassed,
    Opened { websocket: bool, ping_interval: u16, ping_timeout: u16 },
    Packet { candidate: bool, packet: Kind },
    Undecodable { candidate: bool },
    PollDone,
    PollFailed,
    PostDone,
    PostFailed,
    CandidateOpened,
    LinkClosed { candidate: bool },
    LinkFailed { candidate: bool },
    Queue { packets: u8 },
    Drained,
    Unread,
    Close,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Open,
    Close,
    Ping { probe: bool },
    Pong { probe: bool },
    Message,
    Upgrade,
    Noop,
}

impl From<Kind> for Received {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Open => Self::Open,
            Kind::Close => Self::Close,
            Kind::Ping { probe } => Self::Ping { probe },
            Kind::Pong { probe } => Self::Pong { probe },
            Kind::Message => Self::Message,
            Kind::Upgrade => Self::Upgrade,
            Kind::Noop => Self::Noop,
        }
    }
}

const fn link(candidate: bool) -> Link {
    if candidate { Link::Candidate } else { Link::Active }
}

fn milliseconds(count: u16) -> Duration {
    Duration::from_millis(count.into())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Candidate {
    None,
    Opening,
    Probed,
    /// It said `3probe`: polling is being brought to a stop.
    Confirmed,
}

/// A session, and what its driver knows about it from its reports and the outputs.
struct Watched {
    session: ClientSession,
    now: Moment,
    packets_per_post: usize,
    /// Packets in the outbox.
    outbox: usize,
    websocket: bool,
    poll: bool,
    post: bool,
    unwritten: bool,
    candidate: Candidate,
    opened: bool,
    closed: bool,
    goodbye: bool,
    ended: bool,
}

impl Watched {
    fn begin(beginning: &Beginning) -> Self {
        let timing = ClientTiming {
            upgrade: beginning.upgrade,
            candidate_timeout: milliseconds(beginning.candidate_timeout),
            close_timeout: milliseconds(beginning.close_timeout),
        };
        let websocket = beginning.over_websocket;
        let transport = if websocket { TransportName::WebSocket } else { TransportName::Polling };
        let mut watched = Self {
            session: ClientSession::new(timing, transport),
            now: Moment::START,
            packets_per_post: usize::from(beginning.packets_per_post).max(1),
            outbox: 0,
            websocket,
            poll: false,
            post: false,
            unwritten: false,
            candidate: Candidate::None,
            opened: false,
            closed: false,
            goodbye: false,
            ended: false,
        };
        let outputs = watched.outputs();
        assert_eq!(outputs, if websocket { &[][..] } else { &[ClientOutput::Poll] });
        watched.carry_out(&outputs);
        watched.check_state();
        watched
    }

    fn apply(&mut self, operation: Operation) {
        let input = match operation {
            Operation::Wait { milliseconds: count } => {
                self.now = self.now.after(milliseconds(count));
                return;
            }
            Operation::WaitForDeadline => return self.wait_for_deadline(),
            Operation::DeadlinePassed => ClientInput::DeadlinePassed,
            Operation::Opened { websocket, ping_interval, ping_timeout } => {
                opened(websocket, milliseconds(ping_interval), milliseconds(ping_timeout))
            }
            Operation::Packet { candidate, packet } => {
                ClientInput::Packet { link: link(candidate), packet: packet.into() }
            }
            Operation::Undecodable { candidate } => {
                ClientInput::Undecodable { link: link(candidate) }
            }
            Operation::PollDone => ClientInput::PollDone,
            Operation::PollFailed => ClientInput::PollFailed,
            Operation::PostDone => ClientInput::PostDone { queued: self.outbox > 0 },
            Operation::PostFailed => ClientInput::PostFailed,
            Operation::CandidateOpened => ClientInput::CandidateOpened,
            Operation::LinkClosed { candidate } => {
                ClientInput::LinkClosed { link: link(candidate) }
            }
            Operation::LinkFailed { candidate } => {
                ClientInput::LinkFailed { link: link(candidate) }
            }
            Operation::Queue { packets } => {
                self.outbox += 1 + usize::from(packets);
                ClientInput::Queued
            }
            Operation::Drained => ClientInput::Drained,
            Operation::Unread => ClientInput::Unread,
            Operation::Close => ClientInput::Close,
        };
        self.handle(input);
    }

    fn wait_for_deadline(&mut self) {
        if let Some(deadline) = self.session.deadline() {
            self.now = self.now.max(deadline);
            self.handle(ClientInput::DeadlinePassed);
        }
    }

    /// A server that never says OPEN is waited for until somebody closes.
    fn server_is_silent(&mut self) {
        if !self.opened {
            self.handle(ClientInput::Close);
        }
        for _ in 0..MOST_DEADLINES {
            self.wait_for_deadline();
        }
        assert!(self.ended, "a silent server keeps its session");
    }

    fn handle(&mut self, input: ClientInput) {
        let is_empty = self.changes_nothing(input);
        let is_message = input == packet(Received::Message);
        let is_wanted = is_message && self.session.takes_message();
        let was_writable = self.session.is_writable();
        let was_websocket = self.websocket;
        let had_expired = self.session.has_expired(self.now);
        self.session.handle(self.now, input);
        let outputs = self.outputs();
        if is_empty {
            assert_eq!(outputs, [], "after {input:?}");
        }
        if is_message {
            assert_eq!(outputs == [ClientOutput::Deliver], is_wanted, "the same in one call");
        }
        if input == ClientInput::Queued && was_writable {
            let expected = if was_websocket { ClientOutput::Write } else { ClientOutput::Post };
            assert_eq!(outputs, [expected], "it was writable");
        }
        self.note(input);
        self.check_reasons(input, &outputs);
        self.carry_out(&outputs);
        self.check_state();
        if input == ClientInput::DeadlinePassed {
            assert!(!had_expired || self.ended, "it had expired");
            assert!(self.session.deadline().is_none_or(|next| next > self.now), "passed again");
        }
    }

    fn outputs(&mut self) -> Vec<ClientOutput> {
        let outputs: Vec<_> = std::iter::from_fn(|| self.session.poll()).collect();
        assert!(outputs.len() <= MOST_OUTPUTS, "{outputs:?}");
        outputs
    }

    /// Whether the input is about something that is not there, or comes too early or too late.
    fn changes_nothing(&self, input: ClientInput) -> bool {
        let is_early = self.session.deadline().is_none_or(|deadline| deadline > self.now);
        self.ended
            || match input {
                ClientInput::Opened { .. } => self.opened,
                ClientInput::PollDone | ClientInput::PollFailed => !self.poll,
                ClientInput::PostDone { .. } | ClientInput::PostFailed => !self.post,
                ClientInput::CandidateOpened => self.candidate != Candidate::Opening,
                ClientInput::Packet { link: Link::Candidate, .. }
                | ClientInput::Undecodable { link: Link::Candidate }
                | ClientInput::LinkClosed { link: Link::Candidate }
                | ClientInput::LinkFailed { link: Link::Candidate } => {
                    self.candidate == Candidate::None
                }
                ClientInput::Packet { .. } | ClientInput::Undecodable { .. } => self.goodbye,
                ClientInput::LinkClosed { .. } | ClientInput::LinkFailed { .. } => false,
                ClientInput::Queued => !self.opened || self.goodbye,
                ClientInput::Close => self.closed,
                ClientInput::Drained | ClientInput::Unread => true,
                ClientInput::DeadlinePassed => is_early,
            }
    }

    /// What the driver knows when it reports `input`.
    fn note(&mut self, input: ClientInput) {
        match input {
            ClientInput::Opened { .. } => self.opened = true,
            ClientInput::PollDone | ClientInput::PollFailed => self.poll = false,
            ClientInput::PostDone { .. } | ClientInput::PostFailed => self.post = false,
            ClientInput::Drained => self.unwritten = false,
            ClientInput::Close => self.closed = true,
            ClientInput::Packet {
                link: Link::Candidate,
                packet: Received::Pong { probe: true },
            } if self.candidate == Candidate::Probed => self.candidate = Candidate::Confirmed,
            _ => {}
        }
    }

    fn check_reasons(&self, input: ClientInput, outputs: &[ClientOutput]) {
        for output in outputs {
            match output {
                ClientOutput::Deliver => assert_eq!(input, packet(Received::Message)),
                ClientOutput::SendPong => {
                    let pings = [false, true].map(|probe| packet(Received::Ping { probe }));
                    assert!(pings.contains(&input), "a pong after {input:?}");
                }
                ClientOutput::OpenCandidate => assert!(matches!(
                    input,
                    ClientInput::Opened { upgrades: Upgrades { websocket: true, .. }, .. }
                )),
                ClientOutput::Ended(reason) => self.check_end(input, *reason),
                _ => {}
            }
        }
        let ends = outputs.iter().position(|output| matches!(output, ClientOutput::Ended(_)));
        assert!(ends.is_none_or(|at| at + 1 == outputs.len()), "{outputs:?}: the end is the last");
    }

    fn check_end(&self, input: ClientInput, reason: CloseReason) {
        let is_deadline = input == ClientInput::DeadlinePassed;
        match reason {
            CloseReason::ForcedClose => assert!(self.closed, "nobody has closed"),
            _ if self.goodbye => panic!("{reason} after the goodbye"),
            CloseReason::PingTimeout => assert!(self.opened && is_deadline),
            CloseReason::TransportClose => assert!(
                [packet(Received::Close), ClientInput::LinkClosed { link: Link::Active }]
                    .contains(&input)
            ),
            CloseReason::TransportError => assert!(!is_deadline),
            CloseReason::ParseError => panic!("Engine.IO knows no parse error of a server"),
        }
    }

    fn carry_out(&mut self, outputs: &[ClientOutput]) {
        for output in outputs {
            assert!(!self.ended, "{output:?} after the end");
            match output {
                ClientOutput::Poll => self.send_get(),
                ClientOutput::Post => self.send_post(),
                ClientOutput::Write => self.write(),
                ClientOutput::SendPong => self.outbox += 1,
                ClientOutput::Deliver => assert!(self.opened && !self.goodbye),
                ClientOutput::OpenCandidate => self.candidate(Candidate::None, Candidate::Opening),
                ClientOutput::ProbeCandidate => {
                    self.candidate(Candidate::Opening, Candidate::Probed);
                }
                ClientOutput::SwitchToCandidate => self.switch(),
                ClientOutput::DropCandidate => {
                    assert_ne!(self.candidate, Candidate::None, "there is no candidate");
                    self.candidate = Candidate::None;
                }
                ClientOutput::PostClose => {
                    assert!(self.closed && self.outbox == 0, "something is left to send");
                    self.say_goodbye();
                    self.send_post();
                }
                ClientOutput::CloseLink => {
                    assert!(self.websocket, "only a WebSocket is closed");
                    self.outbox = 0;
                    self.say_goodbye();
                }
                ClientOutput::Ended(_) => self.ended = true,
            }
        }
    }

    fn candidate(&mut self, before: Candidate, after: Candidate) {
        assert_eq!(self.candidate, before);
        assert!(!self.websocket && !self.closed);
        self.candidate = after;
    }

    fn switch(&mut self) {
        assert_eq!(self.candidate, Candidate::Confirmed);
        assert!(!self.poll && !self.post, "something is on its way over polling");
        self.candidate = Candidate::None;
        self.websocket = true;
    }

    fn send_get(&mut self) {
        assert!(!self.websocket && !self.goodbye && self.candidate != Candidate::Confirmed);
        assert!(!std::mem::replace(&mut self.poll, true), "two GETs at once");
    }

    fn send_post(&mut self) {
        assert!(!self.websocket && self.opened && self.candidate != Candidate::Confirmed);
        assert!(!std::mem::replace(&mut self.post, true), "two POSTs at once");
        assert!(self.outbox > 0 || self.goodbye, "an empty POST");
        self.outbox = self.outbox.saturating_sub(self.packets_per_post);
    }

    fn write(&mut self) {
        assert!(self.websocket && self.opened && !self.goodbye);
        assert!(self.outbox > 0, "nothing to write");
        self.outbox = 0;
        self.unwritten = true;
    }

    fn say_goodbye(&mut self) {
        assert!(!std::mem::replace(&mut self.goodbye, true), "two goodbyes");
    }

    fn check_state(&self) {
        let session = &self.session;
        let is_open = self.opened && !self.closed && !self.ended;
        let is_switching = self.candidate == Candidate::Confirmed;
        let is_busy = if self.websocket { self.unwritten } else { self.post };
        let is_idle = !is_switching && !is_busy && self.outbox == 0;
        assert_eq!(session.is_open(), is_open);
        assert_eq!(session.is_writable(), is_open && is_idle);
        assert_eq!(session.transport() == TransportName::WebSocket, self.websocket);
        let takes_message = self.opened && !self.goodbye && !self.ended;
        assert_eq!(session.takes_message(), takes_message);
        let waits = !self.ended && (self.opened || self.closed);
        assert_eq!(session.deadline().is_some(), waits, "{:?}", session.deadline());
        if !self.ended && !self.goodbye {
            self.check_progress(is_switching);
        }
    }

    /// Whatever can be sent is on its way.
    fn check_progress(&self, is_switching: bool) {
        if self.websocket {
            assert!(!self.opened || self.outbox == 0, "something is not written");
            assert!(!self.closed, "the link is not closed");
        } else if is_switching {
            assert!(self.poll || self.post, "nothing is waited for");
        } else {
            assert!(self.poll, "there is no GET");
            let can_send = self.opened && (self.outbox > 0 || self.closed);
            assert!(self.post || !can_send, "there is no POST");
        }
    }
}

fn opened(websocket: bool, ping_interval: Duration, ping_timeout: Duration) -> ClientInput {
    let mut upgrades = Upgrades::default();
    upgrades.websocket = websocket;
    ClientInput::Opened { upgrades, ping_interval, ping_timeout }
}

const fn packet(packet: Received) -> ClientInput {
    ClientInput::Packet { link: Link::Active, packet }
}

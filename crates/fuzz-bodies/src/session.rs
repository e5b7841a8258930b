use std::sync::Arc;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use sockeye_proto::Moment;
use sockeye_proto::engine::{
    CloseDetail, Input, Link, Output, PollAnswer, Received, Revision, Session, Timing,
    TransportName,
};

/// Outputs of one input: the machine's internal capacity.
const MOST_OUTPUTS: usize = 8;
/// Deadlines until the session of a silent peer is over: a poll is ended ten times a second while
/// an upgrade hangs, which is a minute at most here.
const MOST_DEADLINES: usize = 1_000;

/// Any inputs in any order on one Engine.IO session, while time goes on. Then the peer is silent.
pub fn session(data: &[u8]) {
    let mut data = Unstructured::new(data);
    let Ok(opening) = data.arbitrary() else { return };
    let mut watched = Watched::open(&opening);
    while !data.is_empty() {
        let Ok(operation) = data.arbitrary() else { break };
        watched.apply(operation);
    }
    watched.peer_is_silent();
}

/// How the session begins; times in milliseconds.
#[derive(Arbitrary, Debug)]
struct Opening {
    over_websocket: bool,
    revision_3: bool,
    ping_interval: u16,
    ping_timeout: u16,
    upgrade_timeout: u16,
}

/// One thing that happens.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Operation {
    Wait { milliseconds: u16 },
    WaitForDeadline,
    DeadlinePassed,
    Poll { queued: bool },
    PollAborted,
    Post,
    PostDone,
    PostAborted,
    PostUnreadable,
    CandidateOpened,
    Packet { candidate: bool, packet: Kind },
    Undecodable { candidate: bool },
    LinkClosed { candidate: bool },
    LinkFailed { candidate: bool },
    Queued,
    Close,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Open,
    Close,
    Ping { probe: bool },
    Pong,
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
            Kind::Pong => Self::Pong { probe: false },
            Kind::Message => Self::Message,
            Kind::Upgrade => Self::Upgrade,
            Kind::Noop => Self::Noop,
        }
    }
}

const fn link(candidate: bool) -> Link {
    if candidate { Link::Candidate } else { Link::Active }
}

/// Whether it comes from a GET or a POST.
const fn is_request(input: Input) -> bool {
    matches!(
        input,
        Input::Poll { .. }
            | Input::PollAborted
            | Input::Post
            | Input::PostDone
            | Input::PostAborted
            | Input::PostUnreadable
    )
}

const fn is_refusal(output: &Output) -> bool {
    matches!(output, Output::RefusePoll | Output::RefusePost | Output::RefuseCandidate)
}

/// A session, and what its driver knows about it from the outputs alone.
struct Watched {
    session: Session,
    now: Moment,
    /// A GET waits for its answer.
    poll_waits: bool,
    candidate: bool,
    websocket: bool,
    link_closed: bool,
    ended: bool,
    released: bool,
}

impl Watched {
    fn open(opening: &Opening) -> Self {
        let milliseconds = |count: u16| Duration::from_millis(count.into());
        let timing = Timing {
            ping_interval: milliseconds(opening.ping_interval),
            ping_timeout: milliseconds(opening.ping_timeout),
            upgrade_timeout: milliseconds(opening.upgrade_timeout),
            write_timeout: milliseconds(opening.upgrade_timeout),
        };
        let revision = if opening.revision_3 { Revision::Three } else { Revision::Four };
        let websocket = opening.over_websocket;
        let transport = if websocket { TransportName::WebSocket } else { TransportName::Polling };
        Self {
            session: Session::open(Moment::START, Arc::new(timing), revision, transport),
            now: Moment::START,
            poll_waits: false,
            candidate: false,
            websocket,
            link_closed: false,
            ended: false,
            released: false,
        }
    }

    fn apply(&mut self, operation: Operation) {
        let input = match operation {
            Operation::Wait { milliseconds } => {
                self.now = self.now.after(Duration::from_millis(milliseconds.into()));
                return;
            }
            Operation::WaitForDeadline => return self.wait_for_deadline(),
            Operation::DeadlinePassed => Input::DeadlinePassed,
            Operation::Poll { queued } => Input::Poll { queued },
            Operation::PollAborted => Input::PollAborted,
            Operation::Post => Input::Post,
            Operation::PostDone => Input::PostDone,
            Operation::PostAborted => Input::PostAborted,
            Operation::PostUnreadable => Input::PostUnreadable,
            Operation::CandidateOpened => Input::CandidateOpened,
            Operation::Packet { candidate, packet } => {
                Input::Packet { link: link(candidate), packet: packet.into() }
            }
            Operation::Undecodable { candidate } => Input::Undecodable { link: link(candidate) },
            Operation::LinkClosed { candidate } => Input::LinkClosed { link: link(candidate) },
            Operation::LinkFailed { candidate } => {
                Input::LinkFailed { link: link(candidate), detail: CloseDetail::InvalidFrame }
            }
            // Over a WebSocket there is nothing to tell unless it is full.
            Operation::Queued if self.websocket => Input::WriteBlocked { progress: false },
            Operation::Queued => Input::Queued,
            Operation::Close => Input::Close,
        };
        self.handle(input);
    }

    fn wait_for_deadline(&mut self) {
        if let Some(deadline) = self.session.deadline() {
            self.now = self.now.max(deadline);
            self.handle(Input::DeadlinePassed);
        }
    }

    fn peer_is_silent(&mut self) {
        for _ in 0..MOST_DEADLINES {
            if self.released {
                break;
            }
            assert!(self.session.deadline().is_some(), "a silent peer is waited for for ever");
            self.wait_for_deadline();
        }
        assert!(self.released, "a silent peer keeps its session");
    }

    fn handle(&mut self, input: Input) {
        let is_early = self.session.deadline().is_none_or(|deadline| deadline > self.now);
        let poll_waited = self.poll_waits;
        let is_late_request = self.websocket && is_request(input);
        self.before(input);
        self.session.handle(self.now, input);
        let outputs: Vec<Output> = std::iter::from_fn(|| self.session.poll()).collect();
        assert!(outputs.len() <= MOST_OUTPUTS, "{outputs:?}");
        if input == Input::DeadlinePassed && is_early {
            assert_eq!(outputs, [], "nothing is due");
        }
        if is_late_request {
            assert!(outputs.iter().all(is_refusal), "{outputs:?}: after the upgrade HTTP is over");
        }
        self.check_answers(input, poll_waited, &outputs);
        if input == Input::CandidateOpened {
            self.candidate_opened(&outputs);
        }
        for output in outputs {
            self.carry_out(input, output);
        }
        self.check_state(input);
    }

    /// What the driver knows when it reports `input`.
    fn before(&mut self, input: Input) {
        match input {
            Input::PollAborted => self.poll_waits = false,
            Input::Poll { .. } => self.poll_waits = true,
            Input::LinkClosed { link: Link::Candidate } => self.candidate = false,
            _ => {}
        }
    }

    /// A new GET waits, is answered or is refused; one that waited is never forgotten.
    fn check_answers(&mut self, input: Input, poll_waited: bool, outputs: &[Output]) {
        let answers = outputs.iter().filter(|it| matches!(it, Output::AnswerPoll(_))).count();
        let refusals = outputs.iter().filter(|it| **it == Output::RefusePoll).count();
        let is_poll = matches!(input, Input::Poll { .. });
        assert!(refusals <= usize::from(is_poll), "a GET is refused that was not there");
        assert!(answers <= 1, "one GET waits at most");
        if is_poll && poll_waited {
            assert_eq!((refusals, answers), (1, 1), "both overlapping GETs are answered");
        }
        if refusals == 1 {
            self.poll_waits = poll_waited;
        }
    }

    fn candidate_opened(&mut self, outputs: &[Output]) {
        let is_wanted = !self.candidate && !self.websocket && !self.released;
        let refusal = [Output::RefuseCandidate];
        assert_eq!(outputs, if is_wanted { &[][..] } else { &refusal });
        self.candidate |= is_wanted;
    }

    fn carry_out(&mut self, input: Input, output: Output) {
        assert!(!self.released || is_refusal(&output), "{output:?} after the release");
        match output {
            Output::Deliver => {
                let message = Input::Packet { link: Link::Active, packet: Received::Message };
                assert_eq!(input, message, "delivered without a message");
                assert!(!self.ended, "delivered after the end");
            }
            Output::Send(_) => assert!(!self.ended, "a heartbeat after the end"),
            Output::AnswerPoll(answer) => self.answer_poll(answer),
            Output::RefusePoll => assert!(matches!(input, Input::Poll { .. })),
            Output::RefusePost => assert!(matches!(input, Input::Post | Input::PostUnreadable)),
            Output::AnswerProbe => {
                let packet = Received::Ping { probe: true };
                assert_eq!(input, Input::Packet { link: Link::Candidate, packet });
                assert!(self.candidate);
            }
            Output::RefuseCandidate => assert_eq!(input, Input::CandidateOpened),
            Output::CloseCandidate => {
                assert!(std::mem::take(&mut self.candidate), "there is no candidate to close");
            }
            Output::SwitchToCandidate => {
                assert!(std::mem::take(&mut self.candidate), "there is no candidate");
                assert!(!self.websocket && !self.poll_waits);
                self.websocket = true;
            }
            Output::CloseLink => {
                assert!(self.websocket, "only a WebSocket is closed");
                assert!(!std::mem::replace(&mut self.link_closed, true), "closed twice");
            }
            Output::Ended(..) => {
                assert!(!std::mem::replace(&mut self.ended, true), "ended twice");
            }
            Output::Release => {
                assert!(self.ended, "released before the application was told");
                assert!(!self.candidate && !self.poll_waits, "somebody is forgotten");
                self.released = true;
            }
        }
    }

    fn answer_poll(&mut self, answer: PollAnswer) {
        assert!(std::mem::take(&mut self.poll_waits), "{answer:?} without a GET");
        assert!(!self.websocket);
    }

    fn check_state(&self, input: Input) {
        assert_eq!(self.session.is_open(), !self.ended);
        assert_eq!(self.session.transport() == TransportName::WebSocket, self.websocket);
        assert_eq!(self.session.is_writable(), self.websocket || self.poll_waits);
        match self.session.deadline() {
            None => assert!(self.released, "nothing is waited for"),
            Some(deadline) => {
                assert!(!self.released, "a deadline after the release");
                let is_past = input == Input::DeadlinePassed && deadline <= self.now;
                assert!(!is_past, "a deadline that passed again");
            }
        }
    }
}

//! Stories of one session. `Story` has a clock that only moves when told to, and does what a driver
//! does with its outbox.

mod batch;
mod closing;
mod heartbeat;
mod opening;
mod polling;
mod upgrade;
mod websocket;

use super::*;
use ClientInput as Input;
use ClientOutput::*;

struct Story {
    now: Moment,
    session: ClientSession,
}

const INTERVAL: Duration = Duration::from_millis(300);
const TIMEOUT: Duration = Duration::from_millis(200);

const TIMING: ClientTiming = ClientTiming {
    upgrade: true,
    candidate_timeout: Duration::from_millis(20_000),
    close_timeout: Duration::from_millis(5_000),
};

const fn open(websocket: bool) -> Input {
    let upgrades = Upgrades { websocket };
    Input::Opened { upgrades, ping_interval: INTERVAL, ping_timeout: TIMEOUT }
}

const OPEN: Input = open(false);
const OPEN_WITH_UPGRADE: Input = open(true);
const DONE: Input = Input::PostDone { queued: false };
const DONE_WITH_MORE: Input = Input::PostDone { queued: true };
const PING: Received = Received::Ping { probe: false };
const PONG: Received = Received::Pong { probe: false };
const PROBE_ANSWER: Received = Received::Pong { probe: true };
const TRANSPORT_ERROR: ClientOutput = Ended(CloseReason::TransportError);
const TRANSPORT_CLOSE: ClientOutput = Ended(CloseReason::TransportClose);
const PING_TIMEOUT: ClientOutput = Ended(CloseReason::PingTimeout);
const FORCED_CLOSE: ClientOutput = Ended(CloseReason::ForcedClose);

impl Story {
    fn of(timing: ClientTiming, transport: TransportName) -> Self {
        Self { now: Moment::START, session: ClientSession::new(timing, transport) }
    }

    #[track_caller]
    fn when(&mut self, input: Input, expected: &[ClientOutput]) -> &mut Self {
        self.session.handle(self.now, input);
        assert_eq!(self.outputs(), expected, "after {input:?}");
        self
    }

    #[track_caller]
    fn receives(&mut self, packet: Received, expected: &[ClientOutput]) -> &mut Self {
        self.when(Input::Packet { link: Link::Active, packet }, expected)
    }

    #[track_caller]
    fn candidate_receives(&mut self, packet: Received, expected: &[ClientOutput]) -> &mut Self {
        self.when(Input::Packet { link: Link::Candidate, packet }, expected)
    }

    /// Moves the clock to the next deadline, which must be `after` milliseconds away.
    #[track_caller]
    fn after(&mut self, after: u64, expected: &[ClientOutput]) -> &mut Self {
        let deadline = self.session.deadline().expect("a deadline");
        assert_eq!(deadline.since(self.now), Duration::from_millis(after));
        self.now = deadline;
        self.when(Input::DeadlinePassed, expected)
    }

    fn waits(&mut self, milliseconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_millis(milliseconds));
        self
    }

    #[track_caller]
    fn is_writable(&mut self, expected: bool) -> &mut Self {
        assert_eq!(self.session.is_writable(), expected);
        self
    }

    #[track_caller]
    fn is_over(&mut self) -> &mut Self {
        assert!(!self.session.is_open() && !self.session.takes_message());
        assert_eq!(self.session.deadline(), None);
        for input in [Input::Queued, Input::Close, OPEN, Input::PollDone, Input::Unread, DONE] {
            self.when(input, &[]);
        }
        self.receives(Received::Message, &[])
    }

    fn outputs(&mut self) -> Vec<ClientOutput> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }
}

/// The handshake's GET is on its way.
fn handshake() -> Story {
    let mut story = Story::of(TIMING, TransportName::Polling);
    assert_eq!(story.outputs(), [Poll]);
    story
}

/// Open over polling, with a GET on its way.
fn polling() -> Story {
    let mut story = handshake();
    story.when(OPEN, &[]).when(Input::PollDone, &[Poll]);
    story
}

/// The same, with a candidate that is being opened.
fn upgrading() -> Story {
    let mut story = handshake();
    story.when(OPEN_WITH_UPGRADE, &[OpenCandidate]).when(Input::PollDone, &[Poll]);
    story
}

/// The same, and the candidate has said `3probe`.
fn switching() -> Story {
    let mut story = upgrading();
    story.when(Input::CandidateOpened, &[ProbeCandidate]).candidate_receives(PROBE_ANSWER, &[]);
    story
}

/// Open over WebSocket.
fn websocket() -> Story {
    let mut story = Story::of(TIMING, TransportName::WebSocket);
    assert_eq!(story.outputs(), []);
    story.when(OPEN, &[]);
    story
}

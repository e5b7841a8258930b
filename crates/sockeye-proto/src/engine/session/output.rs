use std::fmt;

/// Which of a session's links an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session has one link, and at most one on probe")]
pub enum Link {
    /// The link that carries the session: GETs and POSTs, or a WebSocket.
    Active,
    /// The WebSocket that may become the active link.
    Candidate,
}

/// What the driver has to do. `D` is what is known of a session's end; while outputs wait to be
/// polled, it lies in one place beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "drivers must carry out each")]
pub enum Output<D = CloseDetail> {
    /// Hand the message that was just reported to the application.
    Deliver,
    /// Send a control packet on the active link.
    Send(Control),
    /// Answer the waiting GET.
    AnswerPoll(PollAnswer),
    /// Answer the GET that was just reported with an empty 400 (E-051).
    RefusePoll,
    /// Answer the POST that was just reported with an empty 400 (E-052, E-053).
    RefusePost,
    /// Send `3probe` on the candidate (E-085).
    AnswerProbe,
    /// Close the WebSocket that was just opened; an earlier candidate is not touched (E-084).
    RefuseCandidate,
    /// Close the candidate; the session goes on without it.
    CloseCandidate,
    /// The candidate is the active link from now on; send what is queued on it (E-087).
    SwitchToCandidate,
    /// Send what is queued on the active WebSocket, then close it without a status (E-074).
    CloseLink,
    /// Tell the application that the session is over; nothing is delivered after this.
    Ended(CloseReason, D),
    /// Forget the session: its id, its links, its queue.
    Release,
}

impl Output<()> {
    pub(super) const fn with(self, detail: CloseDetail) -> Output {
        match self {
            Self::Ended(reason, ()) => Output::Ended(reason, detail),
            Self::Send(control) => Output::Send(control),
            Self::AnswerPoll(answer) => Output::AnswerPoll(answer),
            Self::Deliver => Output::Deliver,
            Self::RefusePoll => Output::RefusePoll,
            Self::RefusePost => Output::RefusePost,
            Self::AnswerProbe => Output::AnswerProbe,
            Self::RefuseCandidate => Output::RefuseCandidate,
            Self::CloseCandidate => Output::CloseCandidate,
            Self::SwitchToCandidate => Output::SwitchToCandidate,
            Self::CloseLink => Output::CloseLink,
            Self::Release => Output::Release,
        }
    }
}

/// A control packet on the active link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the heartbeat has two packets")]
pub enum Control {
    /// `2`: the server asks (revision 4).
    Ping,
    /// `3`: the server answers (revision 3).
    Pong,
}

/// The body that answers a GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "drivers must know each")]
pub enum PollAnswer {
    /// Everything that is queued, in one payload (E-063).
    Queued,
    /// `6`.
    Noop,
    /// `1`.
    Close,
    /// `6` and `1` (E-062).
    NoopAndClose,
}

/// Why a session ended, in the words of the official server (E-093).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the official server has exactly these reasons")]
pub enum CloseReason {
    /// The peer broke the rules of the transport.
    TransportError,
    /// The peer closed the connection, or it was lost.
    TransportClose,
    /// The peer did not answer a ping in time.
    PingTimeout,
    /// The peer sent something that is no Engine.IO packet.
    ParseError,
    /// The application closed the session.
    ForcedClose,
}

impl CloseReason {
    /// The official server's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportError => "transport error",
            Self::TransportClose => "transport close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What exactly happened, for logs and disconnect handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseDetail {
    /// The reason says it all.
    None,
    /// A second GET while one was waiting (E-051).
    OverlappingPoll,
    /// A second POST while one was being read (E-052).
    OverlappingPost,
    /// The client gave up a GET (E-061).
    PollAborted,
    /// The client gave up a POST (E-061).
    PostAborted,
    /// A POST with a content type that this revision does not know (E-053).
    InvalidContent,
    /// A ping where only the server pings, or a pong where only the client does (E-079).
    HeartbeatDirection,
    /// A message above the payload limit (E-070). The peer is told no more than the close code 1009.
    PayloadTooLarge {
        /// Bytes that the message has at least.
        size: u64,
        /// Bytes that it may have: `max_http_buffer_size`.
        limit: usize,
    },
    /// A WebSocket frame that breaks RFC 6455.
    InvalidFrame,
    /// More bytes were queued for the peer than it read.
    SlowReader,
    /// The peer took nothing for `write_timeout` of what was to be written to it.
    WriteStalled,
}

impl CloseDetail {
    /// A short description; the official server's where it has one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::OverlappingPoll => "overlap from client",
            Self::OverlappingPost => "data request overlap from client",
            Self::PollAborted => "poll connection closed prematurely",
            Self::PostAborted => "data request connection closed prematurely",
            Self::InvalidContent => "invalid content",
            Self::HeartbeatDirection => "invalid heartbeat direction",
            Self::PayloadTooLarge { .. } => "Max payload size exceeded",
            Self::InvalidFrame => "invalid WebSocket frame",
            Self::SlowReader => "more was queued for the peer than it read",
            Self::WriteStalled => "the peer took nothing for too long (write_timeout)",
        }
    }
}

impl fmt::Display for CloseDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::PayloadTooLarge { size, limit } => {
                write!(f, ": at least {size} bytes, and the limit is {limit}")
            }
            _ => Ok(()),
        }
    }
}

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a connection could not be opened, or was lost (C-030).
///
/// Its text is the reference's message, and the cause behind a colon:
/// `xhr poll error: the server answered 400: Session ID unknown (code 1)`.
#[derive(Clone, Debug)]
pub struct TransportError {
    message: &'static str,
    cause: Option<Arc<TransportCause>>,
}

impl TransportError {
    pub(super) const NO_TRANSPORTS: Self = Self { message: "No transports available", cause: None };

    pub(super) fn new(message: &'static str, cause: TransportCause) -> Self {
        Self { message, cause: Some(Arc::new(cause)) }
    }

    /// A poll that failed.
    pub(super) fn poll(cause: TransportCause) -> Self {
        Self::new("xhr poll error", cause)
    }

    /// A POST that failed.
    pub(super) fn post(cause: TransportCause) -> Self {
        Self::new("xhr post error", cause)
    }

    /// A WebSocket that was not opened, or broke.
    pub(super) fn websocket(cause: TransportCause) -> Self {
        Self::new("websocket error", cause)
    }

    /// Something that is no Engine.IO (C-029).
    pub(super) fn server(cause: TransportCause) -> Self {
        Self::new("server error", cause)
    }

    /// Messages that are no Socket.IO, for the layer above (C-037).
    pub(crate) fn parse(text: String) -> Self {
        Self::new("parse error", TransportCause::Packet(text))
    }

    /// A WebSocket that could not take over. The session goes on without it.
    pub(super) fn probe(cause: TransportCause) -> Self {
        Self::new("probe error", cause)
    }

    /// The reference's message: `xhr poll error`, `xhr post error`, `websocket error`, `server error`,
    /// `parse error`, `probe error` or `No transports available`.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// What exactly happened.
    #[must_use]
    pub fn cause(&self) -> Option<&TransportCause> {
        self.cause.as_deref()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
    }
}

impl Error for TransportError {}

/// What exactly happened to a connection. Texts are for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportCause {
    /// An option that only shows itself as impossible when it is used.
    Option(String),
    /// The server's name, or the proxy's, has no address.
    Name(String),
    /// There is no way to the server, or to the proxy, or it takes no connection.
    Connect(io::ErrorKind, String),
    /// There is no way through the proxy: it refuses, or, if it speaks SOCKS, takes no connection.
    Proxy(String),
    /// The connection cannot be encrypted: above all, the server's certificate is not trusted.
    Tls(String),
    /// A request took longer than [`ConnectOptions::request_timeout`](super::ConnectOptions), or the
    /// system gave the connection up.
    TimedOut,
    /// The server answered with an error.
    Status {
        /// HTTP status.
        status: u16,
        /// Engine.IO's own code (section 1.3).
        code: Option<u64>,
        /// What else it said, if that was short.
        message: String,
    },
    /// The server sends away. It is not followed: connect there.
    Redirect {
        /// HTTP status.
        status: u16,
        /// Where to, without a query.
        location: String,
    },
    /// A WebSocket is not opened, although the answer is no error.
    Handshake(String),
    /// What the server says is no Engine.IO, or no Socket.IO.
    Packet(String),
    /// What the server says breaks the rules of WebSocket.
    Frame(String),
    /// An answer is longer than
    /// [`ConnectOptions::max_message_bytes`](super::ConnectOptions::max_message_bytes).
    TooLarge {
        /// Bytes that it may have.
        limit: usize,
    },
    /// The server closed the WebSocket.
    Closed {
        /// The code that it gave (RFC 6455 section 7.4).
        code: Option<u16>,
    },
    /// The connection broke.
    Lost(String),
}

impl fmt::Display for TransportCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(text) | Self::Tls(text) | Self::Packet(text) | Self::Frame(text) => {
                f.write_str(text)
            }
            Self::Name(text) => write!(f, "no address for the name: {text}"),
            Self::Connect(_, text) => write!(f, "no connection: {text}"),
            Self::Proxy(text) => write!(f, "not through the proxy: {text}"),
            Self::TimedOut => f.write_str("it took too long"),
            Self::Status { status, code, message } => {
                write!(f, "the server answered {status}")?;
                if !message.is_empty() {
                    write!(f, ": {message}")?;
                }
                code.map_or(Ok(()), |code| write!(f, " (code {code})"))
            }
            Self::Redirect { status, location } => {
                write!(f, "the server answered {status} and sends to {location}")
            }
            Self::Handshake(text) => write!(f, "no WebSocket was opened: {text}"),
            Self::TooLarge { limit } => write!(f, "an answer of more than {limit} bytes"),
            Self::Closed { code: Some(code) } => write!(f, "the server closed with code {code}"),
            Self::Closed { code: None } => f.write_str("the server closed"),
            Self::Lost(text) => write!(f, "the connection broke: {text}"),
        }
    }
}

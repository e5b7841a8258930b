use std::fmt;

use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode, request};
use sockeye_proto::engine::{Rejection, RejectionContext, Revision, TransportName};

use super::body::ResponseBody;

/// A request that was refused, as the hook `connection_error` is told of it (E-038).
///
/// The client learns code and message over polling, and the message alone on an upgrade. All else
/// that is known here is for the server's own eyes.
#[derive(Debug)]
pub struct ConnectionError<'a> {
    request: &'a request::Parts,
    context: &'a ConnectionErrorContext,
    rejection: Rejection,
}

/// What exactly was wrong with a refused request.
///
/// The reference's `INVALID_ORIGIN` is not among them: the HTTP server in front of this one takes no
/// header with such characters (E-039). Nor is `MIDDLEWARE_FAILURE`: what lies around this service
/// answers its own refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionErrorContext {
    /// Code 0: there is no transport of this name, or it is not enabled.
    /// `None` if the request names none.
    Transport(Option<String>),
    /// Code 1: no session has this id.
    Session(String),
    /// Code 2: the method of a first request is not GET.
    Method(Method),
    /// Code 3: the session speaks over another transport (`TRANSPORT_MISMATCH`).
    TransportMismatch {
        /// What the request asks for.
        transport: TransportName,
        /// What the session has.
        previous: TransportName,
    },
    /// Code 3: the session speaks another revision of the protocol (`PROTOCOL_MISMATCH`, E-037).
    ProtocolMismatch {
        /// What the request speaks.
        protocol: Revision,
        /// What the session does.
        previous: Revision,
    },
    /// Code 3: a WebSocket without a proper upgrade (`TRANSPORT_HANDSHAKE_ERROR`), and what it
    /// lacks. Proxies that do not pass upgrades on are a frequent cause.
    TransportHandshake(String),
    /// Code 3: `generate_id` gave no usable id (`ID_GENERATION_ERROR`, E-005), and why.
    IdGeneration(String),
    /// Code 3, but the client gets an empty 413, and its session goes on (E-054): a request body
    /// above the limit.
    PayloadTooLarge {
        /// Bytes that the body has at least.
        size: u64,
        /// Bytes that it may have: `max_http_buffer_size`.
        limit: usize,
    },
    /// Code 3, but the client gets an empty 503, and its session goes on: there is no room for one more
    /// request body.
    TooManyBodies {
        /// Bytes that all together may have: `max_body_bytes_in_flight`.
        limit: usize,
    },
    /// Code 4: `allow_request` refused, and the message that it gave, if it did.
    Forbidden(Option<String>),
    /// Code 4: as many sessions are open as may be, in all, or from the client's address.
    TooManyConnections {
        /// Whether it is the limit of one address.
        from_address: bool,
    },
    /// Code 5: this revision of the protocol is not enabled.
    Protocol(Revision),
    /// Code 4 with status 503: the server is closed, or being drained.
    ShuttingDown,
}

impl<'a> ConnectionError<'a> {
    pub(super) fn new(request: &'a request::Parts, context: &'a ConnectionErrorContext) -> Self {
        Self { request, context, rejection: context.rejection() }
    }

    /// The request: method, URI, headers and extensions.
    #[must_use]
    pub const fn request(&self) -> &request::Parts {
        self.request
    }

    /// The code: 0 to 5 (section 1.3).
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.rejection.code()
    }

    /// The text that belongs to the code. What `allow_request` said instead of `Forbidden` is in
    /// the context.
    #[must_use]
    pub fn message(&self) -> &str {
        match &self.rejection {
            Rejection::Forbidden(_) => "Forbidden",
            other => other.message(),
        }
    }

    /// What exactly was wrong.
    #[must_use]
    pub const fn context(&self) -> &ConnectionErrorContext {
        self.context
    }
}

impl ConnectionErrorContext {
    /// What the client is told.
    pub(super) fn rejection(&self) -> Rejection {
        let bad_request = Rejection::BadRequest;
        match self {
            Self::Transport(_) => Rejection::TransportUnknown,
            Self::Session(_) => Rejection::SessionUnknown,
            Self::Method(_) => Rejection::BadHandshakeMethod,
            Self::TransportMismatch { .. } => bad_request(RejectionContext::TransportMismatch),
            Self::ProtocolMismatch { .. } => bad_request(RejectionContext::ProtocolMismatch),
            Self::TransportHandshake(_) => bad_request(RejectionContext::TransportHandshake),
            Self::IdGeneration(_) => bad_request(RejectionContext::IdGeneration),
            Self::PayloadTooLarge { .. } => bad_request(RejectionContext::PayloadTooLarge),
            Self::TooManyBodies { .. } => bad_request(RejectionContext::TooManyBodies),
            Self::Forbidden(message) => Rejection::Forbidden(message.clone()),
            Self::TooManyConnections { .. } => {
                Rejection::Forbidden(Some("Too many connections".to_owned()))
            }
            Self::Protocol(_) => Rejection::UnsupportedVersion,
            Self::ShuttingDown => Rejection::ShuttingDown,
        }
    }
}

/// For logs: what the client is told, and what it is not, without ids of sessions.
impl fmt::Display for ConnectionErrorContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.rejection())?;
        match self {
            Self::Transport(Some(name)) => write!(f, "{name:?}"),
            Self::Transport(None) => f.write_str("none is named"),
            // It may be the id of a session of another server: a credential.
            Self::Session(_) => f.write_str("none has this id here"),
            Self::Method(method) => write!(f, "{method}"),
            Self::TransportMismatch { transport, previous } => {
                write!(f, "{transport}, and the session is on {previous}")
            }
            Self::ProtocolMismatch { protocol, previous } => {
                write!(f, "{}, and the session speaks {}", protocol.number(), previous.number())
            }
            Self::TransportHandshake(reason) | Self::IdGeneration(reason) => f.write_str(reason),
            Self::PayloadTooLarge { size, limit } => {
                write!(f, "at least {size} bytes, and the limit is {limit}")
            }
            Self::TooManyBodies { limit } => {
                write!(f, "all together have {limit} (max_body_bytes_in_flight)")
            }
            Self::Forbidden(_) => f.write_str("by allow_request"),
            Self::TooManyConnections { from_address: false } => f.write_str("max_connections"),
            Self::TooManyConnections { from_address: true } => {
                f.write_str("max_connections_per_address")
            }
            Self::Protocol(revision) => write!(f, "{}", revision.number()),
            Self::ShuttingDown => f.write_str("it takes no new sessions"),
        }
    }
}

/// A request that is refused: what is wrong with it, and the answer if it is not the usual one.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) context: ConnectionErrorContext,
    answer: Option<Box<Response<ResponseBody>>>,
}

impl From<ConnectionErrorContext> for Refusal {
    fn from(context: ConnectionErrorContext) -> Self {
        Self { context, answer: None }
    }
}

impl Refusal {
    pub(super) fn with_answer(
        context: ConnectionErrorContext,
        answer: Response<ResponseBody>,
    ) -> Self {
        Self { context, answer: Some(Box::new(answer)) }
    }

    /// JSON over polling, text to a WebSocket that was not to be (E-033, E-035).
    pub(super) fn into_answer(self, upgrade: bool) -> Response<ResponseBody> {
        if let Some(answer) = self.answer {
            return *answer;
        }
        let rejection = self.context.rejection();
        if upgrade {
            let status = match rejection {
                Rejection::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            };
            return refuse_upgrade(status, rejection.message());
        }
        let mut response = Response::new(ResponseBody::full(rejection.body()));
        *response.status_mut() =
            StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

pub(super) fn refuse_upgrade(status: StatusCode, message: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(message.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

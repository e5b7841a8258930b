//! The opening handshake (RFC 6455 section 4), as values.
//!
//! Never parses or writes HTTP and never chooses a subprotocol or an extension: the caller brings
//! header values, and gets a verdict and the one value that is to be computed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// What a server looks at in a request to upgrade (RFC 6455 section 4.2.1).
#[expect(clippy::exhaustive_structs, reason = "a field that a caller forgets must not compile")]
#[derive(Clone, Copy, Debug)]
pub struct UpgradeRequest<'a> {
    /// Method of the request line.
    pub method: &'a str,
    /// Whether the request is HTTP/1.1, or newer within HTTP/1.
    pub http_11_or_newer: bool,
    /// Whether any `Connection` header lists the token `upgrade`: see [`has_token`].
    pub connection_upgrade: bool,
    /// Value of `Upgrade`.
    pub upgrade: Option<&'a [u8]>,
    /// Value of `Sec-WebSocket-Version`.
    pub version: Option<&'a [u8]>,
    /// Value of `Sec-WebSocket-Key`.
    pub key: Option<&'a [u8]>,
}

impl UpgradeRequest<'_> {
    /// Accepts the request, with the value for `Sec-WebSocket-Accept`, or tells what is wrong, in
    /// the order in which `ws` looks.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong. Answer with its [`HandshakeError::status`].
    pub fn verify(&self) -> Result<AcceptKey, HandshakeError> {
        if self.method != "GET" {
            return Err(HandshakeError::Method);
        }
        if !self.http_11_or_newer {
            return Err(HandshakeError::HttpVersion);
        }
        if !self.connection_upgrade {
            return Err(HandshakeError::Connection);
        }
        if !is_websocket(self.upgrade) {
            return Err(HandshakeError::Upgrade);
        }
        let key = self.key.filter(|key| is_key(key)).ok_or(HandshakeError::Key)?;
        if self.version.is_none_or(|version| version.trim_ascii() != VERSION.as_bytes()) {
            return Err(HandshakeError::Version);
        }
        Ok(accept_key(key))
    }
}

/// Why a request does not open a WebSocket. Always the client's fault.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The method is not GET.
    Method,
    /// HTTP is older than 1.1.
    HttpVersion,
    /// No `Connection` header lists `upgrade`.
    Connection,
    /// `Upgrade` is not `websocket`.
    Upgrade,
    /// `Sec-WebSocket-Key` is missing, or is not 16 bytes in base64.
    Key,
    /// `Sec-WebSocket-Version` is not 13. The answer is to carry [`HandshakeError::version`].
    Version,
}

impl HandshakeError {
    /// HTTP status of the answer.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Version => 426,
            Self::HttpVersion | Self::Connection | Self::Upgrade | Self::Key => 400,
        }
    }

    /// Value of the `Sec-WebSocket-Version` header that the answer must have, if it must
    /// (RFC 6455 section 4.4).
    #[must_use]
    pub const fn version(&self) -> Option<&'static str> {
        match self {
            Self::Version => Some(VERSION),
            Self::Method | Self::HttpVersion | Self::Connection | Self::Upgrade | Self::Key => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "method is not get",
            Self::HttpVersion => "http is older than 1.1",
            Self::Connection => "missing connection: upgrade",
            Self::Upgrade => "missing upgrade: websocket",
            Self::Key => "missing or invalid sec-websocket-key",
            Self::Version => "missing or unsupported sec-websocket-version",
        })
    }
}

impl std::error::Error for HandshakeError {}

/// What a client looks at in the response (RFC 6455 section 4.1).
#[expect(clippy::exhaustive_structs, reason = "a field that a caller forgets must not compile")]
#[derive(Clone, Copy, Debug)]
pub struct UpgradeResponse<'a> {
    /// HTTP status.
    pub status: u16,
    /// Whether any `Connection` header lists the token `upgrade`: see [`has_token`].
    pub connection_upgrade: bool,
    /// Value of `Upgrade`.
    pub upgrade: Option<&'a [u8]>,
    /// Value of `Sec-WebSocket-Accept`.
    pub accept: Option<&'a [u8]>,
}

impl UpgradeResponse<'_> {
    /// Checks that the server took the upgrade that was asked for with the key that `expected`
    /// answers.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong. The connection is to be closed.
    pub fn verify(&self, expected: &AcceptKey) -> Result<(), ResponseError> {
        if self.status != 101 {
            return Err(ResponseError::Status(self.status));
        }
        if !self.connection_upgrade {
            return Err(ResponseError::Connection);
        }
        if !is_websocket(self.upgrade) {
            return Err(ResponseError::Upgrade);
        }
        if self.accept.is_none_or(|accept| accept.trim_ascii() != expected.0) {
            return Err(ResponseError::Accept);
        }
        Ok(())
    }
}

/// Why a response does not open a WebSocket. Always the server's fault.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// The status is this one, not 101.
    Status(u16),
    /// No `Connection` header lists `upgrade`.
    Connection,
    /// `Upgrade` is not `websocket`.
    Upgrade,
    /// `Sec-WebSocket-Accept` does not answer the key: who answered knows nothing of WebSocket,
    /// or answered somebody else.
    Accept,
    /// `Sec-WebSocket-Extensions` names what was not offered, or not like that.
    Extension,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => return write!(f, "status {status} instead of 101"),
            Self::Connection => "missing connection: upgrade",
            Self::Upgrade => "missing upgrade: websocket",
            Self::Accept => "missing or wrong sec-websocket-accept",
            Self::Extension => "an extension that was not offered",
        })
    }
}

impl std::error::Error for ResponseError {}

/// Value of a client's `Sec-WebSocket-Key` header: 24 bytes of ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKey([u8; 24]);

impl ClientKey {
    /// Encodes 16 random bytes, fresh for each connection (RFC 6455 section 4.1).
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(base64(&random))
    }

    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The answer that proves that the server understood.
    #[must_use]
    pub fn accept(&self) -> AcceptKey {
        accept_key(&self.0)
    }
}

/// Value of a server's `Sec-WebSocket-Accept` header: 28 bytes of ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptKey([u8; 28]);

impl AcceptKey {
    /// The header's value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The answer to the value of a `Sec-WebSocket-Key` header (RFC 6455 section 4.2.2).
#[must_use]
pub fn accept_key(key: &[u8]) -> AcceptKey {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    AcceptKey(base64(&digest))
}

/// Whether a header's value, a list with commas, has `token` in whatever case (RFC 9110
/// section 5.6.1).
#[must_use]
pub fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// As `ws` has it: 22 characters of base64, and `==`.
fn is_key(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    match key.split_last_chunk::<2>() {
        Some((body, b"==")) => body.len() == 22 && body.iter().all(is_base64),
        _ => false,
    }
}

fn is_websocket(upgrade: Option<&[u8]>) -> bool {
    upgrade.is_some_and(|value| value.trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// Encodes `bytes`; `N` is the length that gives.
fn base64<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [b'='; N];
    let written = STANDARD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written.ok(), Some(N), "the length follows from the type of the input");
    text
}

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The only version of the protocol that is spoken here.
const VERSION: &str = "13";

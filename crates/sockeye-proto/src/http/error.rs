use std::fmt;

use http::StatusCode;

use super::{MAX_HEAD_BYTES, MAX_HEADERS};

/// Why the head of a request cannot be understood. Always the client's fault; nothing that it sends
/// after it may be taken for a request.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// It is not what RFC 9112 describes.
    Malformed,
    /// It says in two ways, or in one that is none, how long its body is.
    BodyLength,
    /// Its body has a transfer coding other than `chunked`.
    TransferCoding,
    /// It has more than [`MAX_HEAD_BYTES`].
    TooLarge,
    /// It has more than [`MAX_HEADERS`] headers.
    TooManyHeaders,
    /// It is of another version than HTTP/1.0 and HTTP/1.1.
    Version,
}

impl HeadError {
    /// What the answer says, before the connection is closed.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::BodyLength => StatusCode::BAD_REQUEST,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::TooLarge | Self::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the head of the request is malformed"),
            Self::BodyLength => f.write_str("the length of the request's body is not clear"),
            Self::TransferCoding => f.write_str("the request's transfer coding is not supported"),
            Self::TooLarge => write!(f, "the head has more than {MAX_HEAD_BYTES} bytes"),
            Self::TooManyHeaders => write!(f, "the request has more than {MAX_HEADERS} headers"),
            Self::Version => f.write_str("the request is not of HTTP/1.0 or HTTP/1.1"),
        }
    }
}

impl std::error::Error for HeadError {}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooManyHeaders,
            httparse::Error::Version => Self::Version,
            _ => Self::Malformed,
        }
    }
}

/// Why the body of a request cannot be understood. Always the client's fault; where the next request
/// begins is not known.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// A chunk has no size, or one that is none, or does not end where its size says.
    Chunk,
    /// The line with a chunk's size is longer than 1024 bytes.
    ChunkLine,
    /// What stands behind the last chunk has more than [`MAX_HEAD_BYTES`].
    Trailers,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chunk => "a chunk of the request's body is malformed",
            Self::ChunkLine => "the extensions of a chunk are too long",
            Self::Trailers => "the trailers of the request's body are too long",
        })
    }
}

impl std::error::Error for BodyError {}

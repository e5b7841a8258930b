use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use httparse::Status;

use super::MAX_HEADERS;
use super::error::HeadError;
use super::response::Persistence;
use crate::websocket::has_token;

/// What stands before the body of a request.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// Method of the request line.
    pub method: Method,
    /// Target of the request line: a path and query, or a whole URI.
    pub uri: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// All headers. Their values lie in one piece of memory that the head alone has.
    pub headers: HeaderMap,
    /// How long the body is.
    pub body: BodyLength,
    /// What becomes of the connection after the response.
    pub persistence: Persistence,
    /// Whether the client waits for a 100 before it sends the body.
    pub expects_continue: bool,
}

/// How long the body of a request is.
#[expect(clippy::exhaustive_enums, reason = "RFC 9112 knows no other way")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// So many bytes; 0 if the head says nothing.
    Exact(u64),
    /// As many as its chunks have.
    Chunked,
}

impl RequestHead {
    /// Understands a head, if all of it is there, and says where it ends.
    pub(super) fn parse(text: &Bytes) -> Result<Option<(Self, usize)>, HeadError> {
        let mut places = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut []);
        let config = httparse::ParserConfig::default();
        let parsed = config.parse_request_with_uninit_headers(&mut request, text, &mut places)?;
        let (Status::Complete(end), Some(method), Some(target), Some(version)) =
            (parsed, request.method, request.path, request.version)
        else {
            return Ok(None);
        };
        let version = if version == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
        let mut meaning = Meaning::default();
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for header in request.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(malformed)?;
            let value = HeaderValue::from_maybe_shared(text.slice_ref(header.value));
            let value = value.map_err(malformed)?;
            meaning.add(&name, &value)?;
            headers.append(name, value);
        }
        let head = Self {
            method: Method::from_bytes(method.as_bytes()).map_err(malformed)?,
            uri: Uri::from_maybe_shared(text.slice_ref(target.as_bytes())).map_err(malformed)?,
            version,
            headers,
            body: meaning.body(version)?,
            persistence: meaning.persistence(version),
            expects_continue: meaning.expects_continue && version == Version::HTTP_11,
        };
        Ok(Some((head, end)))
    }
}

fn malformed<E>(_: E) -> HeadError {
    HeadError::Malformed
}

/// What the headers say about body and connection, gathered as they come.
#[derive(Debug, Default)]
struct Meaning {
    length: Option<u64>,
    coding: Option<Coding>,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

/// What the body is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    /// Something else, in chunks.
    Unknown,
    /// Something that has no end.
    Endless,
}

impl Meaning {
    fn add(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<(), HeadError> {
        match *name {
            CONTENT_LENGTH if self.length.is_some() => return Err(HeadError::BodyLength),
            CONTENT_LENGTH => self.length = Some(exact(value)?),
            TRANSFER_ENCODING => self.coding = Some(coding(value, self.coding.is_some())),
            CONNECTION => {
                self.close |= has_token(value.as_bytes(), "close");
                self.keep_alive |= has_token(value.as_bytes(), "keep-alive");
            }
            EXPECT => self.expects_continue |= has_token(value.as_bytes(), "100-continue"),
            _ => {}
        }
        Ok(())
    }

    /// RFC 9112 section 6.3.
    fn body(&self, version: Version) -> Result<BodyLength, HeadError> {
        match self.coding {
            None => Ok(BodyLength::Exact(self.length.unwrap_or(0))),
            Some(Coding::Chunked) if version == Version::HTTP_11 => Ok(BodyLength::Chunked),
            Some(Coding::Unknown) => Err(HeadError::TransferCoding),
            Some(Coding::Chunked | Coding::Endless) => Err(HeadError::BodyLength),
        }
    }

    fn persistence(&self, version: Version) -> Persistence {
        // Who gives both a length and chunks means the chunks, and may be a way to smuggle a request
        // past a proxy that sees it otherwise.
        let is_ambiguous = self.length.is_some() && self.coding.is_some();
        match version {
            _ if self.close || is_ambiguous => Persistence::Close,
            Version::HTTP_11 => Persistence::Implied,
            _ if self.keep_alive => Persistence::Announced,
            _ => Persistence::Close,
        }
    }
}

/// What a `Transfer-Encoding` says, which may not be the first.
fn coding(value: &HeaderValue, is_further: bool) -> Coding {
    let last = value.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
    let is_alone = last.len() == value.len() && !is_further;
    match last.trim_ascii().eq_ignore_ascii_case(b"chunked") {
        true if is_alone => Coding::Chunked,
        true => Coding::Unknown,
        // Where the last coding is another one, the body has no end.
        false => Coding::Endless,
    }
}

/// Digits and nothing else, which `str::parse` is too kind for: it takes a plus.
fn exact(value: &HeaderValue) -> Result<u64, HeadError> {
    let digits = value.as_bytes();
    let text = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
    text.and_then(|text| text.parse().ok()).ok_or(HeadError::BodyLength)
}

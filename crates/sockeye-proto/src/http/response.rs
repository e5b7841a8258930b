use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, StatusCode};

/// What becomes of a connection after a response.
#[expect(clippy::exhaustive_enums, reason = "RFC 9112 knows no other way")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It stays, which needs no word in HTTP/1.1.
    Implied,
    /// It stays, which a client of HTTP/1.0 is to be told.
    Announced,
    /// It is closed.
    Close,
}

/// What stands before the body of a response.
#[expect(clippy::exhaustive_structs, reason = "a field that a caller forgets must not compile")]
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// Its status.
    pub status: StatusCode,
    /// Its headers. How long the body is and what becomes of the connection is not theirs to say, unless there is no
    /// body because of the method or the status, or the status is 101.
    pub headers: &'a HeaderMap,
    /// Bytes of its body.
    pub body: usize,
    /// The method of the request: a HEAD has no body.
    pub method: &'a Method,
    /// What becomes of the connection.
    pub persistence: Persistence,
    /// The time, as RFC 9110 section 5.6.7 writes it.
    pub date: &'a str,
}

impl ResponseHead<'_> {
    /// Whether the body is sent.
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.may_have_body() && self.method != Method::HEAD
    }

    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.status.canonical_reason().unwrap_or("Unknown").as_bytes());
        out.extend_from_slice(b"\r\n");
        for (name, value) in self.headers {
            if !self.is_ours(name) {
                header(out, name, value.as_bytes());
            }
        }
        if self.says_length() {
            header(out, &CONTENT_LENGTH, itoa::Buffer::new().format(self.body).as_bytes());
        }
        match self.persistence {
            _ if self.is_switching() => {}
            Persistence::Implied => {}
            Persistence::Announced => header(out, &CONNECTION, b"keep-alive"),
            Persistence::Close => header(out, &CONNECTION, b"close"),
        }
        if !self.headers.contains_key(DATE) {
            header(out, &DATE, self.date.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    fn is_switching(&self) -> bool {
        self.status == StatusCode::SWITCHING_PROTOCOLS
    }

    fn may_have_body(&self) -> bool {
        !(self.status.is_informational()
            || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED))
    }

    /// Whether the length of a body is computed, and not what the headers say.
    fn says_length(&self) -> bool {
        let said = self.method == Method::HEAD && self.headers.contains_key(CONTENT_LENGTH);
        self.may_have_body() && !said
    }

    /// Whether a header is not for the headers to have.
    fn is_ours(&self, name: &HeaderName) -> bool {
        match *name {
            CONTENT_LENGTH => self.says_length(),
            CONNECTION => !self.is_switching(),
            TRANSFER_ENCODING => true,
            _ => false,
        }
    }
}

fn header(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{HOST, ORIGIN, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, request};

/// The address of the peer, as a request extension.
///
/// [`Server::listen`](crate::Server::listen) sets it. A program that mounts the service elsewhere
/// adds it to the requests' extensions if handlers want to see addresses.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is just an address")]
pub struct RemoteAddress(pub SocketAddr);

/// That the connection is encrypted, as a request extension.
///
/// A program that ends TLS itself adds it to the requests' extensions if handlers want to know.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it says nothing but that it is there")]
pub struct SecureConnection;

/// What the first request of a session said (S-045).
///
/// It is one exact copy: header values as they arrive would keep the whole read buffer of their
/// connection alive.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// URI, then name and value of each header, each ended by a NUL, which none can contain.
    text: Box<[u8]>,
    address: Option<SocketAddr>,
    issued: u64,
    secure: bool,
}

const END: u8 = 0;
/// Enough to tell clients apart.
const SHOWN_USER_AGENT_BYTES: usize = 100;

impl Handshake {
    pub(super) fn of(request: &request::Parts) -> Self {
        let mut text = Vec::with_capacity(512);
        let uri = request.uri.path_and_query().map_or("/", |uri| uri.as_str());
        text.extend_from_slice(uri.as_bytes());
        text.push(END);
        for (name, value) in &request.headers {
            text.extend_from_slice(name.as_str().as_bytes());
            text.push(END);
            text.extend_from_slice(value.as_bytes());
            text.push(END);
        }
        Self {
            text: text.as_slice().into(),
            address: request.extensions.get().map(|RemoteAddress(address)| *address),
            issued: milliseconds_since_epoch(),
            secure: request.extensions.get::<SecureConnection>().is_some(),
        }
    }

    /// Path and query of the first request.
    #[must_use]
    pub fn url(&self) -> &str {
        std::str::from_utf8(self.parts().next().unwrap_or_default()).unwrap_or_default()
    }

    /// The query's pairs, percent-decoded, in their order.
    pub fn query(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let query = self.url().split_once('?').map_or("", |(_, query)| query);
        form_urlencoded(query)
    }

    /// The first header with this name, if it is text. Names are compared in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.header_pairs();
        let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()))?;
        std::str::from_utf8(value).ok()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let parse = |(name, value): (&[u8], &[u8])| {
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in self.header_pairs().filter_map(parse) {
            headers.append(name, value);
        }
        headers
    }

    /// The peer's address, if it is known: see [`RemoteAddress`].
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// When the session was opened, in milliseconds since 1970.
    #[must_use]
    pub const fn issued(&self) -> u64 {
        self.issued
    }

    /// Whether the connection is encrypted, as far as it is known: see [`SecureConnection`].
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether a page of some origin opened the session (the `Origin` header was there).
    #[must_use]
    pub fn is_cross_domain(&self) -> bool {
        self.header(ORIGIN.as_str()).is_some()
    }

    /// The `Host` header.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.header(HOST.as_str())
    }

    /// The beginning of the `User-Agent` header, for logs.
    pub(crate) fn user_agent(&self) -> Option<&str> {
        let whole = self.header(USER_AGENT.as_str())?;
        whole.get(..whole.floor_char_boundary(SHOWN_USER_AGENT_BYTES))
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|byte| *byte == END)
    }

    fn header_pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut parts = self.parts().skip(1);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }
}

fn form_urlencoded(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    form_urlencoded::parse(query.as_bytes())
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
}

fn milliseconds_since_epoch() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_what_the_request_said() {
        let (mut parts, ()) = http::Request::builder()
            .uri("/socket.io/?EIO=4&name=J%C3%BCrgen+K")
            .header("X-Token", "one")
            .header("x-token", "two")
            .header("x-empty", "")
            .body(())
            .unwrap()
            .into_parts();
        let address = SocketAddr::from(([127, 0, 0, 1], 7));
        parts.extensions.insert(RemoteAddress(address));
        assert!(!Handshake::of(&parts).is_secure());
        parts.extensions.insert(SecureConnection);
        let handshake = Handshake::of(&parts);
        assert!(handshake.is_secure());
        assert_eq!(handshake.url(), "/socket.io/?EIO=4&name=J%C3%BCrgen+K");
        assert!(handshake.query().any(|pair| pair == ("name".into(), "Jürgen K".into())));
        assert_eq!(handshake.header("X-TOKEN"), Some("one"));
        assert_eq!(handshake.header("x-empty"), Some(""));
        assert_eq!(handshake.header("x-absent"), None);
        assert_eq!(handshake.headers().get_all("x-token").iter().count(), 2);
        assert_eq!(handshake.address(), Some(address));
        assert_eq!(handshake.user_agent(), None);
    }
}

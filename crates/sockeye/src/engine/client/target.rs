//! Where a client connects, read from a URL as the reference reads it (C-002 to C-004).

use std::fmt;

use super::http;
use super::query::decode_component;

/// Bytes that a URL may have (C-003).
const MAX_URL_BYTES: usize = 8000;

/// A server and a namespace, as a URL names them.
///
/// `https://example.com:8443/chat?token=abc` is the namespace `/chat` of the server at
/// `example.com:8443`, and a query to send along. The path of a URL is *not* the path under which the
/// server takes requests: that is [`ConnectOptions::path`](super::ConnectOptions::path) (C-002).
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    secure: bool,
    /// As in the URL: an IPv6 address has its brackets.
    host: Box<str>,
    port: u16,
    namespace: Box<str>,
    query: Vec<(String, String)>,
}

impl Target {
    /// Reads a URL. The scheme is `http`, `https`, `ws` or `wss`, and `https` if there is none; the
    /// ports are 80 and 443 unless it says otherwise (C-003). What stands behind `#` is nothing.
    ///
    /// # Errors
    /// See [`UrlError`].
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        if url.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong);
        }
        let (secure, rest) = split_scheme(url.trim())?;
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, namespace) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_authority(authority)?;
        let target = Self {
            secure,
            host: host.to_ascii_lowercase().into(),
            port: port.unwrap_or(if secure { 443 } else { 80 }),
            namespace: if namespace.is_empty() { "/".into() } else { namespace.into() },
            query: parse_query(query),
        };
        if http::is_url(&target.origin()) { Ok(target) } else { Err(UrlError::Host) }
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host: a name, or an address; that of IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The namespace: the URL's path, `/` if it has none (C-002).
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The URL's query, decoded. Of a key that is given twice the last one counts. It is sent unless
    /// [`ConnectOptions::query`](super::ConnectOptions::query) says otherwise (C-004).
    #[must_use]
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// What is the same for all URLs that can share a connection (C-005), apart from the path of the
    /// requests. `ws` and `http` are one scheme here.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// The same as it stands in a request: without the port that the scheme has anyway.
    pub(super) fn request_origin(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) => format!("https://{}", self.host),
            (false, 80) => format!("http://{}", self.host),
            _ => self.origin(),
        }
    }
}

/// Shows no query: credentials may be in it.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("origin", &self.origin())
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// Why a URL names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It has more than 8000 bytes (C-003).
    TooLong,
    /// The scheme is none of `http`, `https`, `ws` and `wss`.
    Scheme,
    /// The host is missing, or none that can exist.
    Host,
    /// The port is no number up to 65535.
    Port,
    /// There is a user or a password in it, which would not be sent, as the reference does not. Send
    /// an `Authorization` header instead:
    /// [`ConnectOptions::header`](super::ConnectOptions::header).
    Credentials,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the URL is longer than 8000 bytes",
            Self::Scheme => "the URL's scheme is none of http, https, ws and wss",
            Self::Host => "the URL has no host, or an impossible one",
            Self::Port => "the URL's port is no number up to 65535",
            Self::Credentials => "a user in the URL would not be sent; use an Authorization header",
        })
    }
}

impl std::error::Error for UrlError {}

/// Whether the scheme is an encrypted one, and what follows it.
fn split_scheme(url: &str) -> Result<(bool, &str), UrlError> {
    let authority_end = url.find(['?', '#']).unwrap_or(url.len());
    let scheme_end = url.find("://").filter(|at| *at < authority_end);
    let Some(at) = scheme_end else { return Ok((true, url.strip_prefix("//").unwrap_or(url))) };
    let rest = url.get(at + 3..).unwrap_or_default();
    match url.get(..at).unwrap_or_default().to_ascii_lowercase().as_str() {
        "http" | "ws" => Ok((false, rest)),
        "https" | "wss" => Ok((true, rest)),
        _ => Err(UrlError::Scheme),
    }
}

/// Host and port.
fn split_authority(authority: &str) -> Result<(&str, Option<u16>), UrlError> {
    if authority.contains('@') {
        return Err(UrlError::Credentials);
    }
    let after_address = authority.find(']').map_or(0, |at| at + 1);
    let colon = authority.get(after_address..).and_then(|rest| rest.find(':'));
    let Some(colon) = colon.map(|at| at + after_address) else { return host(authority, None) };
    let port = authority.get(colon + 1..).unwrap_or_default();
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let number = match port {
        "" => None,
        _ if is_number => Some(port.parse().map_err(|_| UrlError::Port)?),
        _ => return Err(UrlError::Port),
    };
    host(authority.get(..colon).unwrap_or_default(), number)
}

const fn host(host: &str, port: Option<u16>) -> Result<(&str, Option<u16>), UrlError> {
    if host.is_empty() { Err(UrlError::Host) } else { Ok((host, port)) }
}

fn parse_query(query: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        // 6.6.8 keeps further `=` in the value (C-004).
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (decode_component(key), decode_component(value));
        match pairs.iter_mut().find(|(earlier, _)| *earlier == key) {
            Some(earlier) => earlier.1 = value,
            None => pairs.push((key, value)),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_ports_and_namespaces_are_the_references() {
        for (url, origin, namespace) in [
            ("http://localhost", "http://localhost:80", "/"),
            ("https://localhost", "https://localhost:443", "/"),
            ("ws://localhost/", "http://localhost:80", "/"),
            ("wss://localhost/chat", "https://localhost:443", "/chat"),
            ("WSS://LocalHost/Chat", "https://localhost:443", "/Chat"),
            ("localhost:3000", "https://localhost:3000", "/"),
            ("//localhost:3000/a", "https://localhost:3000", "/a"),
            ("http://localhost:3000/a/b?x=1#/c", "http://localhost:3000", "/a/b"),
            ("http://localhost?to=http://other/x", "http://localhost:80", "/"),
            ("localhost?to=http://other/x", "https://localhost:443", "/"),
            ("http://localhost#?x=1", "http://localhost:80", "/"),
            ("http://localhost:", "http://localhost:80", "/"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000", "/"),
            ("http://[::1]", "http://[::1]:80", "/"),
            ("http://[2001:DB8::1]:3000/a", "http://[2001:db8::1]:3000", "/a"),
            ("[::1]:3000", "https://[::1]:3000", "/"),
            (" http://localhost ", "http://localhost:80", "/"),
        ] {
            let target = Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((&*target.origin(), target.namespace()), (origin, namespace), "{url}");
        }
    }

    #[test]
    fn what_names_no_server_is_refused() {
        let long = format!("http://localhost/{}", "a".repeat(MAX_URL_BYTES));
        for (url, expected) in [
            (&*long, UrlError::TooLong),
            ("ftp://localhost", UrlError::Scheme),
            ("://localhost", UrlError::Scheme),
            ("", UrlError::Host),
            ("/chat", UrlError::Host),
            ("http://", UrlError::Host),
            ("http://:3000", UrlError::Host),
            ("http://[::1", UrlError::Port),
            ("http://[::g]", UrlError::Host),
            ("http://[::1]x", UrlError::Host),
            ("http://local host", UrlError::Host),
            ("http://localhost:65536", UrlError::Port),
            ("http://localhost:x", UrlError::Port),
            ("http://localhost:+1", UrlError::Port),
            ("http://user:secret@localhost", UrlError::Credentials),
        ] {
            assert_eq!(Target::parse(url), Err(expected), "{url}");
        }
        assert!(Target::parse(&long[..MAX_URL_BYTES]).is_ok(), "C-003");
    }

    #[test]
    fn the_query_is_decoded_and_keeps_equals_signs() {
        let query = |url| Target::parse(url).unwrap().query().to_vec();
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(query("localhost"), []);
        assert_eq!(
            query("localhost/a?x=1&y=a%20b%3D&z=c=d==&flag&x=2&plus=a+b&"),
            [
                pair("x", "2"),
                pair("y", "a b="),
                pair("z", "c=d=="),
                pair("flag", ""),
                pair("plus", "a+b")
            ]
        );
        assert_eq!(query("localhost?a=%zz%"), [pair("a", "%zz%")]);
    }

    #[test]
    fn a_request_names_the_port_if_it_is_not_the_schemes() {
        for (url, origin) in [
            ("http://a", "http://a"),
            ("https://a:443", "https://a"),
            ("http://a:443", "http://a:443"),
            ("https://[::1]:80", "https://[::1]:80"),
        ] {
            assert_eq!(Target::parse(url).unwrap().request_origin(), origin);
        }
    }
}

use std::fmt;

use super::http;

/// A server that opens connections for others.
///
/// ```
/// use sockeye::engine::client::Proxy;
///
/// let proxy = Proxy::new("socks5h://127.0.0.1:1080")?.basic_auth("user", "secret");
/// # Ok::<(), sockeye::engine::client::ProxyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) url: String,
    pub(super) credentials: Option<(String, String)>,
}

impl Proxy {
    /// The proxy at a URL. Its scheme says what it speaks:
    ///
    /// * `http` or `https`: HTTP. An encrypted connection is tunnelled (`CONNECT`). Requests of one that
    ///   is not are given to the proxy, which must then be able to forward a WebSocket's upgrade; where
    ///   it is not, the connection stays on polling.
    /// * `socks4` or `socks5`: SOCKS; the name of the server is resolved here.
    /// * `socks4a` or `socks5h`: SOCKS; the proxy resolves it.
    ///
    /// # Errors
    /// If it is no such URL.
    pub fn new(url: impl Into<String>) -> Result<Self, ProxyError> {
        let url = url.into();
        let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
        let known = scheme.is_some_and(|scheme| schemes.contains(&scheme.as_str()));
        if known && http::is_proxy(&url) {
            Ok(Self { url, credentials: None })
        } else {
            Err(ProxyError(()))
        }
    }

    /// Who one is to the proxy. Default: what the URL says before an `@`, or nobody.
    #[must_use]
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Whether the proxy itself is spoken to over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
    }
}

/// Shows no credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split("://").next().unwrap_or_default();
        let host = self.url.rsplit(['@', '/']).next().unwrap_or_default();
        f.debug_tuple("Proxy").field(&format_args!("{scheme}://{host}")).finish()
    }
}

/// A URL that is none of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyError(());

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a proxy is an URL with a host and the scheme http, https, socks4, socks4a, socks5 or socks5h",
        )
    }
}

impl std::error::Error for ProxyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_has_a_scheme_that_is_known_and_a_host() {
        for url in [
            "http://a:1",
            "HTTPS://a",
            "socks4://a",
            "socks4a://a",
            "socks5://[::1]:9",
            "socks5h://u:p@a",
        ] {
            assert!(Proxy::new(url).is_ok(), "{url}");
        }
        for url in ["", "a:1", "ftp://a", "socks://a", "http://", "http://a:x", "socks5://a b"] {
            assert_eq!(Proxy::new(url), Err(ProxyError(())), "{url}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let proxy = Proxy::new("http://user:secret@host:1").unwrap().basic_auth("other", "secret");
        assert_eq!(format!("{proxy:?}"), "Proxy(http://host:1)");
        let proxy = Proxy::new("http://user:secret@host:1/").unwrap();
        assert!(!format!("{proxy:?}").contains("secret"));
    }
}

use std::fmt::Write as _;
use std::time::Duration;

use http::HeaderValue;

/// A cookie that carries the session's id, for load balancers that route by one (E-022).
///
/// It is sent once, with the answer to the first poll; a session that begins as a WebSocket sends
/// none (E-023). The names of its attributes are those of RFC 6265; the defaults are the
/// reference's: `io=<id>; Path=/; HttpOnly; SameSite=Lax`.
///
/// The id is a credential: think twice before letting scripts see the cookie.
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionCookie {
    name: String,
    /// Left out if it is empty, as is the domain.
    path: String,
    domain: String,
    max_age: Option<Duration>,
    http_only: bool,
    secure: bool,
    partitioned: bool,
    same_site: Option<SameSite>,
}

/// With which requests of other sites a browser sends a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6265bis has exactly these")]
pub enum SameSite {
    /// With none.
    Strict,
    /// With those that open a page.
    Lax,
    /// With all; browsers want `secure` then.
    None,
}

impl Default for SessionCookie {
    fn default() -> Self {
        Self::new("io")
    }
}

impl SessionCookie {
    /// A cookie of this name; otherwise as the defaults are.
    ///
    /// # Panics
    /// If the name is empty or has a character that cookies do not take.
    #[track_caller]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        assert!(!name.is_empty() && name.bytes().all(is_token), "the name of a cookie: {name:?}");
        Self {
            name,
            path: "/".into(),
            domain: String::new(),
            max_age: None,
            http_only: true,
            secure: false,
            partitioned: false,
            same_site: Some(SameSite::Lax),
        }
    }

    /// Under which path it is sent back. Default `/`; an empty one leaves that to the browser.
    ///
    /// # Panics
    /// If it has a character that attributes do not take.
    #[track_caller]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = attribute(path.into());
        self
    }

    /// To which hosts it is sent back: this one and those below it. Default: the server's alone.
    ///
    /// # Panics
    /// If it has a character that attributes do not take.
    #[track_caller]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = attribute(domain.into());
        self
    }

    /// How long the browser keeps it, in whole seconds. Default: until it is closed.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Whether scripts must not see it. Default true.
    pub const fn http_only(mut self, hidden: bool) -> Self {
        self.http_only = hidden;
        self
    }

    /// Whether it is sent back over HTTPS only. Default false.
    pub const fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Whether each site that embeds this one gets a cookie of its own. Default false. Browsers want
    /// `secure` then.
    pub const fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// With which requests of other sites it is sent. Default [`SameSite::Lax`]; `None` leaves it
    /// to the browser.
    pub fn same_site(mut self, same_site: impl Into<Option<SameSite>>) -> Self {
        self.same_site = same_site.into();
        self
    }

    /// The header for a session of this id; attributes are in the reference's order.
    pub(super) fn header(&self, id: &str) -> Option<HeaderValue> {
        let mut text = format!("{}={id}", self.name);
        if let Some(age) = self.max_age {
            // Writing to a string does not fail.
            let _ = write!(text, "; Max-Age={}", age.as_secs());
        }
        for (name, value) in [("Domain", &self.domain), ("Path", &self.path)] {
            if !value.is_empty() {
                let _ = write!(text, "; {name}={value}");
            }
        }
        let flags = [
            ("HttpOnly", self.http_only),
            ("Secure", self.secure),
            ("Partitioned", self.partitioned),
        ];
        for (name, _) in flags.iter().filter(|(_, is_set)| *is_set) {
            let _ = write!(text, "; {name}");
        }
        match self.same_site {
            Some(SameSite::Strict) => text.push_str("; SameSite=Strict"),
            Some(SameSite::Lax) => text.push_str("; SameSite=Lax"),
            Some(SameSite::None) => text.push_str("; SameSite=None"),
            None => {}
        }
        HeaderValue::from_str(&text).ok()
    }
}

/// What RFC 9110 calls a token.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[track_caller]
fn attribute(value: String) -> String {
    let is_safe = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b';';
    assert!(value.bytes().all(is_safe), "an attribute of a cookie: {value:?}");
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cookie: &SessionCookie) -> String {
        cookie.header("abc").unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn the_default_is_the_references() {
        let cookie = SessionCookie::default();
        assert_eq!(header(&cookie), "io=abc; Path=/; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn all_attributes_are_written_in_the_references_order() {
        let cookie = SessionCookie::new("sid")
            .same_site(SameSite::None)
            .partitioned(true)
            .secure(true)
            .path("/app")
            .domain("example.com")
            .max_age(Duration::from_millis(86_400_900));
        assert_eq!(
            header(&cookie),
            "sid=abc; Max-Age=86400; Domain=example.com; Path=/app; HttpOnly; Secure; Partitioned; \
             SameSite=None"
        );
        let bare = SessionCookie::new("sid").same_site(None).path("").http_only(false);
        assert_eq!(header(&bare), "sid=abc");
        assert!(header(&bare.same_site(SameSite::Strict)).ends_with("; SameSite=Strict"));
    }

    #[test]
    #[should_panic(expected = "the name of a cookie")]
    fn a_name_with_a_separator_is_refused() {
        drop(SessionCookie::new("a=b"));
    }

    #[test]
    #[should_panic(expected = "an attribute of a cookie")]
    fn a_path_with_a_separator_is_refused() {
        drop(SessionCookie::default().path("/; Domain=elsewhere"));
    }
}

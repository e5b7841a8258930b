use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, request};

use super::body::ResponseBody;
use super::caught::{Panicked, catch};
use crate::limited::limited;

/// Which pages of other origins may use the server, in the manner of the reference's `cors`
/// option (E-048).
///
/// Browsers enforce it for polling by `fetch` or `XMLHttpRequest` only; a WebSocket of a foreign
/// page is not stopped by it, nor is polling by script elements (JSONP).
#[derive(Clone, Debug)]
#[must_use]
pub struct Cors {
    origins: AllowedOrigins,
    credentials: bool,
    methods: HeaderValue,
    allowed_headers: Option<HeaderValue>,
    exposed_headers: Option<HeaderValue>,
    max_age: Option<Duration>,
}

/// The origins that are allowed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AllowedOrigins {
    /// `*`: everybody. Browsers do not send cookies then.
    Any,
    /// Whoever asks is allowed by name, so that cookies are sent: only for tests.
    Mirror,
    /// These, compared exactly, such as `https://example.com`.
    List(Vec<String>),
    /// Those to which a function says yes: see [`Cors::matching`].
    Matching(OriginTest),
}

/// Says which origins are allowed.
#[derive(Clone)]
pub struct OriginTest(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for OriginTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OriginTest").finish_non_exhaustive()
    }
}

impl Cors {
    /// Allows these origins; otherwise as the reference's defaults.
    pub const fn new(origins: AllowedOrigins) -> Self {
        Self {
            origins,
            credentials: false,
            methods: HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE"),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
        }
    }

    /// Allows any origin, without cookies.
    pub const fn any() -> Self {
        Self::new(AllowedOrigins::Any)
    }

    /// Allows the origins to which `allows` says yes; it is asked about each request that has one,
    /// and a panic says no.
    ///
    /// ```
    /// use sockeye::Cors;
    ///
    /// let cors = Cors::matching(|origin| origin.ends_with(".example.com"));
    /// ```
    pub fn matching(allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::new(AllowedOrigins::Matching(OriginTest(Arc::new(allows))))
    }

    /// The methods that are allowed, with commas between. Default
    /// `GET,HEAD,PUT,PATCH,POST,DELETE`, as the reference's, of which GET and POST are needed.
    ///
    /// # Panics
    /// If a character is not allowed in a header.
    #[track_caller]
    pub fn methods(mut self, names: &str) -> Self {
        self.methods = header_value(names);
        self
    }

    /// Whether cookies and client certificates may be sent. Default false.
    pub const fn credentials(mut self, allowed: bool) -> Self {
        self.credentials = allowed;
        self
    }

    /// The request headers that are allowed, with commas between. Default: what is asked for.
    ///
    /// # Panics
    /// If a character is not allowed in a header.
    #[track_caller]
    pub fn allowed_headers(mut self, names: &str) -> Self {
        self.allowed_headers = Some(header_value(names));
        self
    }

    /// The response headers that a page may read, with commas between. Default: none.
    ///
    /// # Panics
    /// If a character is not allowed in a header.
    #[track_caller]
    pub fn exposed_headers(mut self, names: &str) -> Self {
        self.exposed_headers = Some(header_value(names));
        self
    }

    /// How long a browser may remember the answer. Default: its own choice.
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Answers a preflight request.
    pub(super) fn preflight(&self, request: &request::Parts) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        self.apply(&request.headers, headers);
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        let asked = request.headers.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if self.allowed_headers.is_none() {
            headers.append(VARY, HeaderValue::from_static("Access-Control-Request-Headers"));
        }
        if let Some(allowed) = self.allowed_headers.as_ref().or(asked) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed.clone());
        }
        if let Some(age) = self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(age.as_secs()));
        }
        response
    }

    /// Adds what every response carries.
    pub(super) fn apply(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let origin = request.get(ORIGIN);
        match &self.origins {
            AllowedOrigins::Any => {
                let any = HeaderValue::from_static("*");
                response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
            }
            AllowedOrigins::Mirror | AllowedOrigins::List(_) | AllowedOrigins::Matching(_) => {
                response.append(VARY, HeaderValue::from_static("Origin"));
                if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
                    response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
            }
        }
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(exposed) = &self.exposed_headers {
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        match &self.origins {
            AllowedOrigins::Any | AllowedOrigins::Mirror => true,
            AllowedOrigins::List(list) => {
                list.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
            }
            AllowedOrigins::Matching(OriginTest(allows)) => {
                let Ok(origin) = origin.to_str() else { return false };
                catch(|| allows(origin)).unwrap_or_else(|Panicked(message)| {
                    limited!(error, message, "a test of origins panicked; the origin is refused");
                    false
                })
            }
        }
    }
}

#[track_caller]
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("a list of header names")
}

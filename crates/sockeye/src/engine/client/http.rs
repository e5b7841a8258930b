//! Requests, and WebSockets that begin as one. The only file of the client that names reqwest.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{COOKIE, LOCATION};
use ::http::{HeaderMap, HeaderValue};
use reqwest::cookie::{CookieStore, Jar};
use reqwest::{Client, Response, Url, redirect};

pub(super) use reqwest::Upgraded;

use super::cookies::TakenCookies;
use super::error::TransportCause;
use super::options::ConnectOptions;
use super::proxy::Proxy;
use super::{rejection, tls};

/// Bytes of an error's body that are looked at.
const ERROR_BYTES: usize = 16 * 1024;

/// Whether a client could send requests to it.
pub(super) fn is_url(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.has_host())
}

/// The same for a proxy.
pub(super) fn is_proxy(url: &str) -> bool {
    reqwest::Proxy::all(url).is_ok() && is_url(url)
}

/// Cookies that servers have set, for as long as a manager lives.
#[derive(Clone)]
pub(super) struct Cookies(Arc<LimitedJar>);

/// A jar that is full at some time.
#[derive(Default)]
struct LimitedJar {
    jar: Jar,
    taken: TakenCookies,
}

impl CookieStore for LimitedJar {
    fn set_cookies(&self, cookies: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        let mut taken = cookies.filter(|cookie| self.taken.take(cookie.as_bytes()));
        self.jar.set_cookies(&mut taken, url);
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        self.jar.cookies(url)
    }
}

impl Cookies {
    /// Begins with the cookies of the program's own headers: they stand beside the server's, and give
    /// way to those of the same name.
    pub(super) fn new(origin: &str, headers: &HeaderMap) -> Self {
        let jar = LimitedJar::default();
        if let Ok(url) = Url::parse(origin) {
            let own = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
            for cookie in own.flat_map(|value| value.split("; ")) {
                jar.jar.add_cookie_str(&format!("{cookie}; Path=/"), &url);
            }
        }
        Self(Arc::new(jar))
    }
}

/// Shows no cookie.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies").finish_non_exhaustive()
    }
}

/// Connections to one server, made when they are needed and kept while they are.
#[derive(Clone)]
pub(super) struct HttpClient {
    client: Client,
    headers: HeaderMap,
    request_timeout: Option<Duration>,
    max_body_bytes: usize,
}

impl HttpClient {
    pub(super) fn new(
        options: &ConnectOptions,
        secure: bool,
        cookies: Option<&Cookies>,
    ) -> Result<Self, TransportCause> {
        let through_tls = options.proxy.as_ref().is_some_and(Proxy::is_secure);
        let config = if secure || through_tls || options.proxy_from_environment {
            options.tls.config()
        } else {
            tls::unused_config()
        };
        let config = config.map_err(|error| TransportCause::Tls(error.to_string()))?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(config)
            .http1_only()
            .redirect(redirect::Policy::none())
            .local_address(options.local_address)
            // The heartbeat finds out about dead peers, and says so in the protocol's words.
            .tcp_keepalive(None)
            // Node closes an idle connection after five seconds: a request must not meet that.
            .pool_idle_timeout(Duration::from_secs(4))
            .tcp_nodelay(true);
        let mut headers = options.headers.clone();
        if let Some(Cookies(jar)) = cookies {
            // They are in the jar.
            headers.remove(COOKIE);
            builder = builder.cookie_provider(Arc::clone(jar));
        }
        if let Some(proxy) = &options.proxy {
            builder = builder.no_proxy().proxy(proxied(proxy).map_err(classify)?);
        } else if !options.proxy_from_environment {
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder.build().map_err(classify)?,
            headers,
            request_timeout: options.request_timeout,
            max_body_bytes: options.max_message_bytes,
        })
    }

    /// The body that answers a GET.
    pub(super) async fn get(self, url: String) -> Result<Vec<u8>, TransportCause> {
        let request = self.client.get(url).header("accept", "*/*");
        self.exchange(request).await
    }

    /// Sends a body of text (C-019), and takes an answer that does not matter.
    pub(super) async fn post(self, url: String, body: Vec<u8>) -> Result<(), TransportCause> {
        let request = self.client.post(url).header("accept", "*/*");
        let request = request.header("content-type", "text/plain;charset=UTF-8").body(body);
        self.exchange(request).await.map(drop)
    }

    /// Has a connection switched to another protocol: the headers of the answer, whatever they say,
    /// and the connection.
    pub(super) async fn upgrade(
        self,
        url: String,
        headers: HeaderMap,
    ) -> Result<(HeaderMap, Upgraded), TransportCause> {
        let request = self.client.get(url).headers(self.headers.clone()).headers(headers);
        let response = request.send().await.map_err(classify)?;
        if response.status().as_u16() != 101 {
            return Err(refusal(response).await);
        }
        let headers = response.headers().clone();
        Ok((headers, response.upgrade().await.map_err(classify)?))
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, TransportCause> {
        // Headers that were asked for replace those that are usual.
        let mut request = request.headers(self.headers.clone());
        if let Some(timeout) = self.request_timeout {
            request = request.timeout(timeout);
        }
        let mut response = request.send().await.map_err(classify)?;
        // The reference takes 1223 too, which only Internet Explorer made of a 204.
        if response.status().as_u16() != 200 {
            return Err(refusal(response).await);
        }
        read(&mut response, self.max_body_bytes).await
    }
}

fn proxied(proxy: &Proxy) -> reqwest::Result<reqwest::Proxy> {
    let through = reqwest::Proxy::all(&proxy.url)?;
    Ok(match &proxy.credentials {
        Some((user, password)) => through.basic_auth(user, password),
        None => through,
    })
}

/// The body, as long as it is within the limit.
async fn read(response: &mut Response, limit: usize) -> Result<Vec<u8>, TransportCause> {
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(TransportCause::TooLarge { limit });
    }
    // Never more for an announcement alone than one read may bring.
    let mut body = Vec::with_capacity(announced.min(64 * 1024));
    while let Some(chunk) = response.chunk().await.map_err(classify)? {
        if body.len() + chunk.len() > limit {
            return Err(TransportCause::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What the server says instead of what was asked for.
async fn refusal(mut response: Response) -> TransportCause {
    let status = response.status();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    if let Some(location) = location.filter(|_| status.is_redirection()) {
        // Its query may be that of the request, with the program's credentials.
        let location = location.split(['?', '#']).next().unwrap_or_default();
        return TransportCause::Redirect { status: status.as_u16(), location: location.to_owned() };
    }
    let body = read(&mut response, ERROR_BYTES).await.unwrap_or_default();
    rejection::read(status.as_u16(), &body)
}

/// Which of the things that can happen to a request has happened.
fn classify(error: reqwest::Error) -> TransportCause {
    // The URL has the session's id in it, which is a credential.
    let error = error.without_url();
    if let Some(text) = tls::explain(&error) {
        return TransportCause::Tls(text);
    }
    let text = innermost(&error);
    if error.is_builder() {
        return TransportCause::Option(text);
    }
    if error.is_dns() {
        return TransportCause::Name(text);
    }
    if error.is_timeout() {
        return TransportCause::TimedOut;
    }
    let kind = io_kind(&error);
    match (error.is_connect(), kind) {
        (true, Some(kind)) => TransportCause::Connect(kind, text),
        (true, None) => TransportCause::Proxy(text),
        (false, _) => TransportCause::Lost(text),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    chain(error).find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// The value of a header that is nothing but ASCII.
pub(super) fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

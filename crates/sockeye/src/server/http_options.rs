use std::future::Future;

use http::{HeaderMap, request};

use super::options::ServerBuilder;
use crate::engine::{
    AllowRequest, ConnectionError, ConnectionErrorHook, GenerateId, Handshake, HeadersHook,
    HttpCompression, IdGenerationError, RequestRefused, SessionCookie,
};

/// What happens to HTTP requests and their answers, before there is a socket. Of the functions that
/// are called here, one that panics is logged.
impl ServerBuilder {
    /// Decides who may open a connection, by its first request (E-017). It is asked after all other
    /// checks of that request, and never about later ones. Default: everybody.
    ///
    /// A refusal has the status 403 and code 4 over polling, and 400 with the message as text when a
    /// WebSocket was asked for. Where a token comes with the packet that joins a namespace, a
    /// [middleware](crate::Namespace::middleware) is the better place to look at it.
    ///
    /// ```
    /// use sockeye::{Handshake, RequestRefused, Server};
    ///
    /// let io = Server::builder()
    ///     .allow_request(async |handshake: Handshake| match handshake.header("x-key") {
    ///         Some("secret") => Ok(()),
    ///         _ => Err(RequestRefused::new("a key is needed")),
    ///     })
    ///     .build();
    /// ```
    pub fn allow_request<F, R>(mut self, check: F) -> Self
    where
        F: Fn(Handshake) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), RequestRefused>> + Send + 'static,
    {
        self.engine().allow_request = Some(AllowRequest::new(check));
        self
    }

    /// Makes the ids of connections (E-005). Default: 20 random characters.
    ///
    /// These ids are credentials, and not those of sockets: see [`GenerateId`] for what they may look
    /// like.
    pub fn generate_id<F, R>(mut self, generate: F) -> Self
    where
        F: Fn(Handshake) -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, IdGenerationError>> + Send + 'static,
    {
        self.engine().generate_id = Some(GenerateId::new(generate));
        self
    }

    /// How answers to polls are compressed; `None`: not at all. Default: those of 1024 bytes and more
    /// (E-049).
    pub fn http_compression(mut self, compression: impl Into<Option<HttpCompression>>) -> Self {
        self.engine().http_compression = compression.into();
        self
    }

    /// Sends a cookie with the connection's id along with the answer to its first poll (E-022).
    /// Default: none.
    pub fn cookie(mut self, cookie: SessionCookie) -> Self {
        self.engine().cookie = Some(cookie);
        self
    }

    /// Changes the headers of the first response of each connection (E-046). Default: none.
    ///
    /// ```
    /// use http::HeaderValue;
    /// use sockeye::Server;
    ///
    /// let io = Server::builder()
    ///     .initial_headers(|headers, _request| {
    ///         headers.insert("x-served-by", HeaderValue::from_static("node-1"));
    ///     })
    ///     .build();
    /// ```
    pub fn initial_headers(
        mut self,
        change: impl Fn(&mut HeaderMap, &request::Parts) + Send + Sync + 'static,
    ) -> Self {
        self.engine().initial_headers = Some(HeadersHook::new(change));
        self
    }

    /// Changes the headers of every response of a connection: answers to polls and posts, and to
    /// upgrades, but not refusals (E-046). For the first response it is called after
    /// [`initial_headers`](Self::initial_headers). Default: none.
    pub fn headers(
        mut self,
        change: impl Fn(&mut HeaderMap, &request::Parts) + Send + Sync + 'static,
    ) -> Self {
        self.engine().headers = Some(HeadersHook::new(change));
        self
    }

    /// Is told of each request that is refused, and why (E-038). Default: none; refusals are logged
    /// at `debug`.
    ///
    /// ```
    /// use sockeye::Server;
    ///
    /// let io = Server::builder()
    ///     .connection_error(|error| eprintln!("{} {}", error.code(), error.context()))
    ///     .build();
    /// ```
    pub fn connection_error(
        mut self,
        report: impl Fn(&ConnectionError<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.engine().connection_error = Some(ConnectionErrorHook::new(report));
        self
    }
}

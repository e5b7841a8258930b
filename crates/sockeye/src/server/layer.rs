use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::client_files::ClientFiles;
use super::server::Server;
use crate::engine::{EngineService, ResponseBody, empty};

/// Lays a [`Server`] over a service: made by [`Server::layer`].
#[derive(Clone, Debug)]
pub struct SocketIoLayer {
    server: Server,
}

impl SocketIoLayer {
    pub(super) const fn new(server: Server) -> Self {
        Self { server }
    }
}

impl<S> Layer<S> for SocketIoLayer {
    type Service = SocketIoService<S>;

    fn layer(&self, inner: S) -> SocketIoService<S> {
        SocketIoService::new(self.server.clone(), inner)
    }
}

/// Answers requests under the server's path, and hands on all others: made by [`Server::service`]
/// and [`SocketIoLayer`].
#[derive(Clone, Debug)]
pub struct SocketIoService<S> {
    server: Server,
    engine: EngineService<super::server::SocketIo>,
    inner: S,
}

impl<S> SocketIoService<S> {
    pub(super) fn new(server: Server, inner: S) -> Self {
        let engine = server.engine().service();
        Self { server, engine, inner }
    }

    fn handles(&self, path: &str) -> bool {
        self.engine.handles(path)
    }
}

/// The answer to a request under the server's path.
fn respond<B>(
    server: &Server,
    engine: &EngineService<super::server::SocketIo>,
    request: Request<B>,
) -> AnswerFuture
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: fmt::Display,
{
    let (request, body) = request.into_parts();
    let request = Box::new(request);
    let engine = engine.clone();
    if file_request(server, &request).is_none() {
        return Box::pin(engine.respond_to(request, body));
    }
    let server = server.clone();
    Box::pin(async move {
        if let Some((files, name)) = file_request(&server, &request)
            && let Some(mut response) = files.respond(&request, name).await
        {
            engine.apply_cors(&request, &mut response);
            return response;
        }
        engine.respond_to(request, body).await
    })
}

/// The files of the browser bundle and a name, if a request may be for one of them.
fn file_request<'a>(
    server: &'a Server,
    request: &'a request::Parts,
) -> Option<(&'a ClientFiles, &'a str)> {
    let files = server.client_files()?;
    let own = server.path().trim_end_matches('/');
    let name = request.uri.path().strip_prefix(own)?.strip_prefix('/')?;
    let reads = matches!(request.method, Method::GET | Method::HEAD);
    (reads && !name.is_empty()).then_some((files, name))
}

type AnswerFuture = Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>;
type ResponseFuture<B, E> = Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for SocketIoService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: fmt::Display,
    R: 'static,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<ResponseBody<R>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !self.handles(request.uri().path()) {
            let response = self.inner.call(request);
            return Box::pin(async move { Ok(response.await?.map(ResponseBody::other)) });
        }
        let response = respond(&self.server, &self.engine, request);
        Box::pin(async move { Ok(response.await.map(ResponseBody::widen)) })
    }
}

impl SocketIoService<NotFound> {
    /// What a server that stands alone says to a request.
    pub(super) fn answer<B>(&self, request: Request<B>) -> AnswerFuture
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: fmt::Display,
    {
        if !self.handles(request.uri().path()) {
            return Box::pin(std::future::ready(empty(StatusCode::NOT_FOUND)));
        }
        respond(&self.server, &self.engine, request)
    }
}

/// Answers 404 to everything: the service below a server that stands alone.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NotFound;

impl<B> Service<Request<B>> for NotFound {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<ResponseBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        std::future::ready(Ok(empty(StatusCode::NOT_FOUND)))
    }
}

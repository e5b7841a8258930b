use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::server::Server;
use crate::engine::{EngineService, ResponseBody};

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
async fn respond<B>(
    server: Server,
    engine: EngineService<super::server::SocketIo>,
    request: Request<B>,
) -> Response<ResponseBody>
where
    B: Body<Data = Bytes> + Send,
    B::Error: fmt::Display,
{
    let is_file_request = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(files) = server.client_files().filter(|_| is_file_request) {
        let (parts, body) = request.into_parts();
        let own = server.path().trim_end_matches('/');
        let rest = parts.uri.path().strip_prefix(own).and_then(|rest| rest.strip_prefix('/'));
        if let Some(mut response) = files.respond(&parts, rest.unwrap_or_default()).await {
            engine.apply_cors(&parts, &mut response);
            return response;
        }
        return engine.respond(Request::from_parts(parts, body)).await;
    }
    engine.respond(request).await
}

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
        let (server, engine) = (self.server.clone(), self.engine.clone());
        Box::pin(async move { Ok(respond(server, engine, request).await.map(ResponseBody::widen)) })
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
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        std::future::ready(Ok(response))
    }
}

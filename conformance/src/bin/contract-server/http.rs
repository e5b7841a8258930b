use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use ::http::{Request, Response};
use bytes::Bytes;
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sockeye::{RemoteAddress, Server};
use tokio::net::TcpListener;
use tower_service::Service;

/// Listens on both loopback addresses.
pub(crate) async fn bind(port: u16) -> io::Result<Vec<TcpListener>> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    // A machine without IPv6 has only one loopback address.
    if let Ok(second) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        listeners.push(second);
    }
    Ok(listeners)
}

/// Serves a Socket.IO server on all listeners.
pub(crate) async fn serve(io: &Server, listeners: Vec<TcpListener>) {
    let servers = listeners.into_iter().map(|listener| io.serve(listener));
    futures_util::future::join_all(servers).await;
}

/// Serves any service on all listeners, with hyper alone.
pub(crate) async fn serve_service<S, B>(service: S, listeners: Vec<TcpListener>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let servers = listeners.into_iter().map(|listener| accept(service.clone(), listener));
    futures_util::future::join_all(servers).await;
}

async fn accept<S, B>(service: S, listener: TcpListener)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    while let Ok((stream, address)) = listener.accept().await {
        // Without the option it is only slower.
        let _ = stream.set_nodelay(true);
        let service = WithAddress { service: service.clone(), address: RemoteAddress(address) };
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .with_upgrades();
        // A client that breaks off is no business of this server.
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

/// Tells a service where its requests come from.
#[derive(Clone)]
struct WithAddress<S> {
    service: S,
    address: RemoteAddress,
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for WithAddress<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> S::Future {
        request.extensions_mut().insert(self.address);
        self.service.call(request)
    }
}

//! A server on the loopback interface, and clients that hold dialogues with it.
//!
//! Every wait has a deadline and says what it waited for.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of this")]

mod by_hand;
mod capture;
mod http;
mod pattern;
mod returning;
mod websocket;

pub(crate) use by_hand::{ByHand, OPEN, Request, Requests};
pub(crate) use capture::{Capture, Line};
pub(crate) use http::{Http, Polling, Response};
pub(crate) use returning::{Lost, Returning, recovering};
pub(crate) use websocket::{Client, Incoming};

use std::fmt::{Debug, Display};
use std::future::Future;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sockeye::Server;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_service::Service;

/// The longest that anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Serves `io` on a free port.
pub(crate) async fn serve(io: &Server) -> SocketAddr {
    serve_until_closed(io).await.0
}

/// The same, with what ends when `serve` returns.
pub(crate) async fn serve_until_closed(io: &Server) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let io = io.clone();
    (address, tokio::spawn(async move { io.serve(listener).await }))
}

/// Waits for `future`, but not for ever.
#[track_caller]
pub(crate) fn within<F: Future>(what: impl Display, future: F) -> impl Future<Output = F::Output> {
    let place = Location::caller();
    async move {
        match timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{place}: awaited {what}; nothing within {PATIENCE:?}"),
        }
    }
}

/// Polls a future once, and has nobody woken.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits until `is_so`: for what changes without an event.
#[track_caller]
pub(crate) fn eventually(
    what: impl Display,
    mut is_so: impl FnMut() -> bool,
) -> impl Future<Output = ()> {
    within(what, async move {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// What handlers have to tell their test.
pub(crate) struct Log<T> {
    entries: mpsc::UnboundedReceiver<T>,
}

/// Writes into a [`Log`].
pub(crate) struct Pen<T>(mpsc::UnboundedSender<T>);

/// A log that handlers write and the test reads.
pub(crate) fn log<T>() -> (Pen<T>, Log<T>) {
    let (pen, entries) = mpsc::unbounded_channel();
    (Pen(pen), Log { entries })
}

impl<T> Clone for Pen<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Pen<T> {
    /// Writes an entry; when the test is over, to nobody.
    pub(crate) fn write(&self, entry: impl Into<T>) {
        let _ = self.0.send(entry.into());
    }
}

impl<T: Debug> Log<T> {
    /// The next entry.
    #[track_caller]
    pub(crate) fn next(&mut self, what: impl Display) -> impl Future<Output = T> {
        let next = within(what, self.entries.recv());
        async move { next.await.expect("somebody can still write") }
    }

    /// Awaits this entry.
    #[track_caller]
    pub(crate) fn expect<E: Debug>(&mut self, entry: E) -> impl Future<Output = ()>
    where
        T: PartialEq<E>,
    {
        let place = Location::caller();
        let next = self.next(format!("{entry:?} in the log"));
        async move {
            let got = next.await;
            assert!(got == entry, "{place}: awaited {entry:?} in the log; got {got:?}");
        }
    }

    /// Fails if there is an entry now. Something that comes later must have been awaited before.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        if let Ok(entry) = self.entries.try_recv() {
            panic!("awaited nothing in the log; got {entry:?}");
        }
    }
}

/// Serves `io` on a stream that is no TCP socket.
pub(crate) fn serve_stream<S>(io: &Server, stream: S) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = io.service();
    let service = service_fn(move |request| service.clone().call(request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        // How it ends is seen at the other end.
        let _ = connection.with_upgrades().await;
    })
}

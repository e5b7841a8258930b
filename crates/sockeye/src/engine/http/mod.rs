//! HTTP/1.1 on a connection that this server has accepted itself: requests in, one after the other, and
//! their responses out.
//!
//! Between two requests, and while a poll waits, it owns no buffer: what a connection costs then is its task and
//! its socket. It never looks into a request; and who mounts the server elsewhere never comes here.

mod date;
mod incoming;
mod outgoing;
mod patience;

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use sockeye_proto::http::{Persistence, RequestHead};
use sockeye_proto::websocket::has_token;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::body::ResponseBody;
use super::handshake::RemoteAddress;
use super::io::{Ends, Upgrade, linger, of_tcp};
use super::service::empty;
use incoming::Incoming;
pub(crate) use incoming::RequestBody;
use outgoing::Outgoing;
pub(crate) use patience::Patience;

/// A connection, and how long it waits for its peer.
#[derive(Debug)]
pub(crate) struct HttpConnection {
    incoming: Incoming,
    outgoing: Outgoing,
    address: RemoteAddress,
    patience: Arc<Patience>,
}

/// What a response needs to know of its request.
struct Asked {
    method: Method,
    persistence: Persistence,
    /// Where the connection is to go if it is upgraded.
    taker: Option<oneshot::Sender<Ends>>,
}

/// How a connection ends.
enum End {
    /// What was said last was the last answer.
    Close,
    /// With a status for a peer whose request cannot be understood.
    Refuse(StatusCode),
    /// It is another protocol's now, if that still wants it. The head of the 101 is not written yet.
    Upgrade(Option<oneshot::Sender<Ends>>, Vec<u8>),
    /// The peer is gone, or takes nothing.
    Gone,
}

impl HttpConnection {
    pub(crate) fn new(stream: TcpStream, address: RemoteAddress, patience: Arc<Patience>) -> Self {
        // Without the option it is only slower.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let outgoing = Outgoing::new(write);
        Self { incoming: Incoming::new(read), outgoing, address, patience }
    }

    /// Answers requests with what `respond` says to each, until the peer goes, or comes with none, or upgrades.
    ///
    /// A request whose peer goes is dropped, and with it what `respond` was doing.
    #[expect(clippy::manual_async_fn, reason = "that would hold its arguments twice")]
    pub(crate) fn serve<F, R>(mut self, respond: F) -> impl Future<Output = ()> + Send
    where
        F: Fn(Request<RequestBody>) -> R + Send + Sync,
        R: Future<Output = Response<ResponseBody>> + Send,
    {
        async move {
            let end = loop {
                match self.serve_next(&respond).await {
                    ControlFlow::Continue(()) => {}
                    ControlFlow::Break(end) => break end,
                }
            };
            Box::pin(self.end(end)).await;
        }
    }

    async fn serve_next<F, R>(&mut self, respond: &F) -> ControlFlow<End>
    where
        F: Fn(Request<RequestBody>) -> R,
        R: Future<Output = Response<ResponseBody>>,
    {
        let head = match self.next_head().await {
            Ok(head) => head,
            Err(end) => return ControlFlow::Break(end),
        };
        let (request, asked) = self.request(head);
        let Some(response) = self.unless_gone(respond(request)).await else {
            return ControlFlow::Break(End::Gone);
        };
        self.answer(asked, response)?;
        // It is rare, and large.
        if self.outgoing.is_behind()
            && Box::pin(self.outgoing.flush(self.patience.write())).await.is_err()
        {
            return ControlFlow::Break(End::Gone);
        }
        ControlFlow::Continue(())
    }

    /// The head of the next request, or how the connection ends.
    async fn next_head(&self) -> Result<RequestHead, End> {
        match self.patience.for_head(|cx| self.incoming.poll_head(cx)).await {
            Some(Ok(Some(Ok(head)))) => Ok(head),
            Some(Ok(Some(Err(error)))) => {
                tracing::debug!(%error, "request not understood");
                Err(End::Refuse(error.status()))
            }
            None if self.incoming.is_within_head() => Err(End::Refuse(StatusCode::REQUEST_TIMEOUT)),
            Some(Ok(None) | Err(_)) | None => Err(End::Gone),
        }
    }

    /// What is asked, and what is to be remembered of it.
    fn request(&self, head: RequestHead) -> (Request<RequestBody>, Asked) {
        let mut request = Request::new(RequestBody::new(&self.incoming, &head));
        let (method, persistence) = (head.method.clone(), head.persistence);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        request.extensions_mut().insert(self.address);
        let taker = request.headers().contains_key(UPGRADE).then(|| {
            let (taker, upgrade) = Upgrade::own();
            request.extensions_mut().insert(upgrade);
            taker
        });
        (request, Asked { method, persistence, taker })
    }

    /// What is answered, if the peer is there to hear it.
    async fn unless_gone<R: Future>(&self, response: R) -> Option<R::Output> {
        let mut response = pin!(response);
        poll_fn(|cx| match response.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => self.incoming.poll_gone(cx).map(|()| None),
        })
        .await
    }

    /// Writes a response; how the connection ends, if it does with this one.
    fn answer(&mut self, asked: Asked, response: Response<ResponseBody>) -> ControlFlow<End> {
        let Asked { method, persistence, taker } = asked;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let head = outgoing::head(&method, persistence, &response);
            return ControlFlow::Break(End::Upgrade(taker, head));
        }
        let is_last = says_close(response.headers()) || !self.incoming.skip_body();
        let persistence = if is_last { Persistence::Close } else { persistence };
        match self.outgoing.write(&method, persistence, response) {
            Ok(()) if persistence == Persistence::Close => ControlFlow::Break(End::Close),
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(End::Gone),
        }
    }

    async fn end(mut self, end: End) {
        match end {
            End::Close => self.close().await,
            End::Refuse(status) => {
                let response = empty(status);
                if self.outgoing.write(&Method::GET, Persistence::Close, response).is_ok() {
                    self.close().await;
                }
            }
            End::Upgrade(taker, head) => self.hand_over(taker, head),
            // That it is closed tells the peer; to say so before costs as much again.
            End::Gone => self.outgoing.into_half().forget(),
        }
    }

    /// Closes it so that what was said last is not lost to a reset.
    async fn close(mut self) {
        if self.outgoing.flush(self.patience.write()).await.is_err() {
            return;
        }
        drop(self.outgoing);
        if let Some((reader, _)) = self.incoming.into_parts() {
            linger(reader, None).await;
        }
    }

    /// What follows is the other protocol's; of a request with a body nobody can say where that begins.
    fn hand_over(self, taker: Option<oneshot::Sender<Ends>>, head: Vec<u8>) {
        if !self.incoming.skip_body() {
            return;
        }
        if let (Some(taker), Some((reader, early))) = (taker, self.incoming.into_parts()) {
            // Who does not want it any more has it closed.
            let _ = taker.send(of_tcp(reader, self.outgoing.into_half(), &early, head));
        }
    }
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get(CONNECTION).is_some_and(|value| has_token(value.as_bytes(), "close"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use tokio::net::TcpListener;

    use super::*;
    use crate::engine::io::Writer;

    /// Two ends of a connection.
    async fn connection() -> (HttpConnection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        let address = RemoteAddress(address);
        (HttpConnection::new(stream, address, Patience::new(Duration::from_secs(1))), peer)
    }

    #[tokio::test]
    async fn a_101_is_left_to_who_takes_the_connection_over() {
        let (connection, mut peer) = connection().await;
        peer.write_all(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\nearly").await.unwrap();
        let (pen, upgrades) = std::sync::mpsc::channel();
        let served = connection.serve(move |request: Request<RequestBody>| {
            let upgrade = Upgrade::of(&mut request.into_parts().0);
            pen.send(upgrade.expect("it may be upgraded")).unwrap();
            std::future::ready(empty(StatusCode::SWITCHING_PROTOCOLS))
        });
        served.await;
        let ends = upgrades.recv().unwrap().finish().await.expect("the connection");
        assert_eq!(ends.early, b"early");
        assert_eq!(peer.try_read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        let Writer::Tcp(mut writer) = ends.writer else { panic!("no plain socket") };
        writer.write_head();
        let mut head = [0; 12];
        peer.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
    }

    /// A step more, and a task takes 512 bytes from the allocator instead of 384.
    #[cfg(target_pointer_width = "64")]
    #[tokio::test]
    async fn a_connection_that_waits_is_small() {
        let (connection, _peer) = connection().await;
        let never = |_: Request<RequestBody>| Box::pin(std::future::pending());
        let served = size_of_val(&connection.serve(never));
        assert!(served <= 288, "{served} bytes");
    }
}

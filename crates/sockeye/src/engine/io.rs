use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::request;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::oneshot;

use super::outbox::Outbox;
use super::tcp_writer::TcpWriter;

/// A stream of bytes both ways that is not a plain TCP socket: TLS, HTTP/2, memory.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The driver's end of a WebSocket.
pub(super) enum Reader {
    /// The reading half; the other lies with the session, so that everybody can write.
    Tcp(OwnedReadHalf),
    /// The whole stream; only the driver can write.
    Foreign(Box<dyn Stream>),
}

/// The session's end of a WebSocket.
#[derive(Debug)]
pub(super) enum Writer {
    /// Any thread writes.
    Tcp(TcpWriter),
    /// The driver writes.
    Driver,
    /// Nothing more is written.
    Shut,
}

/// What a write that cannot go on is called by who does not wait for it; the task is woken when it
/// can.
pub(super) fn at_once<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl Reader {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(match self {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, &mut buffer),
            Self::Foreign(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

/// A connection that will be a WebSocket's when its 101 is written.
pub(super) enum Upgrade {
    /// Another HTTP server writes that.
    Hyper(OnUpgrade),
    /// This one keeps it, to go out with what is said first.
    Own(oneshot::Receiver<Ends>),
}

/// An upgrade of this server's own, as a request extension.
#[derive(Clone)]
pub(super) struct OwnUpgrade(Arc<Mutex<Option<oneshot::Receiver<Ends>>>>);

/// The two ends of an upgraded connection, and bytes that were read too far.
pub(super) struct Ends {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) early: Vec<u8>,
}

impl Upgrade {
    /// For a connection of this server's own: where its ends are to go, and what the request is given.
    pub(super) fn own() -> (oneshot::Sender<Ends>, OwnUpgrade) {
        let (taker, ends) = oneshot::channel();
        (taker, OwnUpgrade(Arc::new(Mutex::new(Some(ends)))))
    }

    /// Takes it from a request; `None` if the HTTP server has put none there.
    pub(super) fn of(request: &mut request::Parts) -> Option<Self> {
        let own = request.extensions.remove::<OwnUpgrade>();
        let own = own.and_then(|OwnUpgrade(ends)| ends.lock().take());
        own.map(Self::Own).or_else(|| request.extensions.remove().map(Self::Hyper))
    }

    /// Waits for the 101 to be written, and takes the connection apart.
    pub(super) async fn finish(self) -> Option<Ends> {
        let ends = match self {
            Self::Hyper(upgrade) => upgrade.await.map(take_apart).map_err(|it| it.to_string()),
            Self::Own(ends) => ends.await.map_err(|it| it.to_string()),
        };
        ends.inspect_err(|error| tracing::debug!(error, "upgrade not completed")).ok()
    }
}

/// Under hyper a plain TCP socket lies hidden in its own types; it is found if the connection was
/// served by hyper directly, or by `axum::serve`.
fn take_apart(upgraded: Upgraded) -> Ends {
    let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return of_foreign_tcp(parts.io.into_inner(), &parts.read_buf),
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => of_foreign_tcp(parts.io.into_inner(), &parts.read_buf),
        Err(upgraded) => {
            let reader = Reader::Foreign(Box::new(TokioIo::new(upgraded)));
            Ends { reader, writer: Writer::Driver, early: Vec::new() }
        }
    }
}

/// Writes the last frames to a WebSocket that is done with, where nobody else could, and waits for
/// the peer's end, so that they are not lost to a reset: the system resets a connection that is
/// closed with bytes unread.
pub(super) async fn linger(mut reader: Reader, last_words: Option<Box<Outbox>>) {
    let mut bytes = [0; 512];
    let end = async {
        if let Reader::Foreign(stream) = &mut reader {
            for piece in last_words.iter().flat_map(|words| words.pieces()) {
                stream.write_all(piece).await?;
            }
            stream.shutdown().await?;
        }
        while poll_fn(|cx| reader.poll_read(cx, &mut bytes)).await? > 0 {}
        io::Result::Ok(())
    };
    // However it ends, it is the end.
    let _ = tokio::time::timeout(LINGER, end).await;
}

/// How long a peer may take to close a WebSocket that was closed.
const LINGER: Duration = Duration::from_secs(2);

/// For a connection that another HTTP server has accepted.
fn of_foreign_tcp(stream: TcpStream, early: &[u8]) -> Ends {
    // A packet must not wait for the acknowledgement of the one before; without the option it is
    // only slower.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    of_tcp(Reader::Tcp(read), write, early, Vec::new())
}

/// The ends of a TCP connection, `head` of which is not written yet.
pub(super) fn of_tcp(reader: Reader, half: OwnedWriteHalf, early: &[u8], head: Vec<u8>) -> Ends {
    Ends { reader, writer: Writer::Tcp(TcpWriter::new(half, head)), early: early.to_vec() }
}

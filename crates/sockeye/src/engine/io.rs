use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::request;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::outbox::Outbox;
use super::patient::Patient;
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
pub(super) struct Upgrade(OnUpgrade);

/// The two ends of an upgraded connection, and bytes that were read too far.
pub(super) struct Ends {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) early: Vec<u8>,
}

impl Upgrade {
    /// Takes it from a request; `None` if the HTTP server has put none there.
    pub(super) fn of(request: &mut request::Parts) -> Option<Self> {
        request.extensions.remove().map(Self)
    }

    /// Waits for the 101 to be written, and takes the connection apart.
    pub(super) async fn finish(self) -> Option<Ends> {
        match self.0.await {
            Ok(upgraded) => Some(take_apart(upgraded)),
            Err(error) => {
                tracing::debug!(%error, "upgrade not completed");
                None
            }
        }
    }
}

/// Under hyper a plain TCP socket lies hidden in its own types; it is found if the connection was
/// served by hyper directly, by `axum::serve`, or by this crate's `listen`.
fn take_apart(upgraded: Upgraded) -> Ends {
    let upgraded = match auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => return of_foreign_tcp(parts.io.into_inner(), &parts.read_buf),
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<Patient>>() {
        Ok(parts) => {
            let (stream, head) = parts.io.into_inner().into_parts();
            return of_tcp(stream, &parts.read_buf, head);
        }
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
pub(super) async fn linger(mut reader: Reader, last_words: Outbox) {
    let mut bytes = [0; 512];
    let end = async {
        if let Reader::Foreign(stream) = &mut reader {
            for piece in last_words.pieces() {
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
    of_tcp(stream, early, Vec::new())
}

fn of_tcp(stream: TcpStream, early: &[u8], head: Vec<u8>) -> Ends {
    let (read, write) = stream.into_split();
    let writer = Writer::Tcp(TcpWriter::new(write, head));
    Ends { reader: Reader::Tcp(read), writer, early: early.to_vec() }
}

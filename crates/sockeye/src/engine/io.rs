use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

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
    /// Takes writes from any thread, as long as the kernel does.
    Tcp(OwnedWriteHalf),
    /// The driver writes.
    Driver,
    /// Nothing more is written.
    Shut,
}

/// Writes to a TCP half what it takes now. One slice is a plain `send`, which the system handles
/// with less ado than a list.
pub(super) fn try_write(half: &OwnedWriteHalf, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    match slices {
        [one] => half.try_write(one),
        several => half.try_write_vectored(several),
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

/// Takes an upgraded connection apart: the two ends, and bytes that were read too far.
///
/// Under hyper a plain TCP socket lies hidden in its own types; it is found if the connection was
/// served by hyper directly, by `axum::serve`, or by this crate's `listen`.
pub(super) fn take_apart(upgraded: Upgraded) -> (Reader, Writer, Vec<u8>) {
    let upgraded =
        match hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => return of_tcp(parts.io.into_inner(), &parts.read_buf),
            Err(upgraded) => upgraded,
        };
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => of_tcp(parts.io.into_inner(), &parts.read_buf),
        Err(upgraded) => {
            (Reader::Foreign(Box::new(TokioIo::new(upgraded))), Writer::Driver, Vec::new())
        }
    }
}

/// Waits for the peer's end of a WebSocket to which nothing more will be written, so that the last
/// frame is not lost to a reset: the system resets a connection that is closed with bytes unread.
pub(super) async fn linger(mut reader: Reader) {
    let mut bytes = [0; 512];
    let end = async {
        if let Reader::Foreign(stream) = &mut reader {
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

fn of_tcp(stream: TcpStream, early: &[u8]) -> (Reader, Writer, Vec<u8>) {
    // A packet must not wait for the acknowledgement of the one before; without the option it is
    // only slower.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    (Reader::Tcp(read), Writer::Tcp(write), early.to_vec())
}

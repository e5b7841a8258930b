//! A TCP connection whose peer must take what is written to it. Never waits for anything to read.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How the head of a 101 begins, after which the connection speaks no more HTTP.
const SWITCHING_PROTOCOLS: &[u8] = b"HTTP/1.1 101 ";

/// Fails to write once the peer has taken nothing for some time, while something was to be written.
///
/// For as long as it speaks HTTP; the writes of a WebSocket are its session's to watch.
#[derive(Debug)]
pub(crate) struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// Runs while the system takes no more.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The head of a 101. Whoever takes the connection over has something to say at once, and it
    /// goes with that in one write.
    head: Vec<u8>,
}

impl Patient {
    pub(crate) const fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, stalled: None, head: Vec::new() }
    }

    /// The stream, and what was held back that is to be written to it first.
    pub(super) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.head)
    }

    /// Holds this back if it is of a 101: how many bytes that is.
    fn hold(&mut self, slices: &[IoSlice<'_>]) -> Option<usize> {
        let first = slices.first().is_some_and(|first| first.starts_with(SWITCHING_PROTOCOLS));
        if !first && self.head.is_empty() {
            return None;
        }
        slices.iter().for_each(|slice| self.head.extend_from_slice(slice));
        Some(slices.iter().map(|slice| slice.len()).sum())
    }

    /// What became of a write, unless that takes too long.
    fn within_patience<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(held) = self.hold(&[IoSlice::new(bytes)]) {
            return Poll::Ready(Ok(held));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.within_patience(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(held) = self.hold(slices) {
            return Poll::Ready(Ok(held));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.within_patience(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_head_of_a_101_is_held_back_and_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut patient = Patient::new(stream, Duration::from_secs(1));
        patient.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        patient.write_all(b"HTTP/1.1 101 Switching").await.unwrap();
        patient.write_all(b" Protocols\r\n\r\n").await.unwrap();
        patient.flush().await.unwrap();
        let (stream, head) = patient.into_parts();
        assert_eq!(head, b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        drop(stream);
        let mut seen = String::new();
        peer.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "HTTP/1.1 200 OK\r\n\r\n");
    }
}

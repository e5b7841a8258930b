//! The writing half of a WebSocket on a plain TCP connection. Never waits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::Context;

use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;

use super::io::at_once;

/// Takes writes from any thread, as long as the kernel does.
#[derive(Debug)]
pub(super) struct TcpWriter {
    half: OwnedWriteHalf,
    /// The 101, if it was held back to go with what is said first.
    head: Option<Box<[u8]>>,
}

impl TcpWriter {
    pub(super) fn new(half: OwnedWriteHalf, head: Vec<u8>) -> Self {
        let head = (!head.is_empty()).then(|| head.into_boxed_slice());
        Self { half, head }
    }

    /// Writes what the system takes now.
    pub(super) fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(slices, |half, slices| match slices {
            // A plain `send`, which the system handles with less ado than a list.
            [one] => half.try_write(one),
            several => half.try_write_vectored(several),
        })
    }

    /// The same; if the system takes nothing, `cx` is woken when it does.
    pub(super) fn write_or_register(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        self.write(slices, |half, slices| at_once(Pin::new(half).poll_write_vectored(cx, slices)))
    }

    /// Writes the 101 alone, where the peer waits for it before anything is said.
    pub(super) fn write_head(&mut self) {
        if self.head.is_some() {
            // What is not taken now goes before what is written next.
            let _ = self.try_write(&[]);
        }
    }

    /// Lets go of it without telling the peer: the connection is closed as soon as the reading half
    /// is dropped, too, and the peer learns by that.
    pub(super) fn forget(self) {
        self.half.forget();
    }

    fn write(
        &mut self,
        slices: &[IoSlice<'_>],
        mut write: impl FnMut(&mut OwnedWriteHalf, &[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        while let Some(head) = self.head.take() {
            let mut all = vec![IoSlice::new(&head)];
            all.extend_from_slice(slices);
            let written = write(&mut self.half, &all);
            let count = written.as_ref().map_or(0, |count| *count);
            if let Some(left @ [_, ..]) = head.get(count..) {
                self.head = Some(left.into());
                written?;
            } else if count > head.len() || slices.is_empty() {
                return Ok(count - head.len());
            }
        }
        write(&mut self.half, slices)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn writer(head: &str) -> (TcpWriter, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (_, half) = stream.into_split();
        (TcpWriter::new(half, head.as_bytes().to_vec()), peer)
    }

    #[tokio::test]
    async fn the_101_goes_with_what_is_written_first() {
        let (mut writer, mut peer) = writer("head").await;
        let count = writer.try_write(&[IoSlice::new(b"bo"), IoSlice::new(b"dy")]).unwrap();
        assert_eq!(count, 4, "the 101 is not counted");
        assert_eq!(writer.try_write(&[IoSlice::new(b"!")]).unwrap(), 1);
        let mut seen = [0; 9];
        peer.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"headbody!");
    }

    #[tokio::test]
    async fn the_101_goes_alone_where_the_peer_waits_for_it() {
        let (mut writer, mut peer) = writer("head").await;
        writer.write_head();
        writer.write_head();
        drop(writer);
        let mut seen = String::new();
        peer.read_to_string(&mut seen).await.unwrap();
        assert_eq!(seen, "head");
    }

    #[tokio::test]
    async fn a_101_of_which_a_part_was_taken_is_completed_first() {
        let (mut writer, _peer) = writer("head").await;
        let mut taken = Vec::new();
        for at_most in [3, 1, 2] {
            let written = writer.write(&[IoSlice::new(b"body")], |_, slices| {
                let mut all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
                all.truncate(if taken.len() < 4 { at_most.min(4 - taken.len()) } else { 2 });
                taken.extend_from_slice(&all);
                Ok(all.len())
            });
            assert_eq!(written.unwrap(), 2);
        }
        assert_eq!(taken, b"headbobobo");
    }
}

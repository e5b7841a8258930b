//! How many writes it takes to deliver what handlers emit: as few as there are receivers.
//!
//! The stream is memory, and counts. On a plain TCP socket, `bench/counts` counts system calls.

#![cfg(feature = "server")]

mod support;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use sockeye::{OwnedArguments, Server, Socket};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use support::{Client, serve_stream};

/// One end of a stream, which counts what is written to it.
struct Counting {
    stream: DuplexStream,
    writes: Writes,
}

/// How often somebody has written.
#[derive(Clone, Default)]
struct Writes(Arc<AtomicUsize>);

impl Writes {
    /// Forgets the count.
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }

    fn count<T>(&self, written: Poll<T>) -> Poll<T> {
        if written.is_ready() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        written
    }
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.writes.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.writes.count(written)
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

/// A client that has joined `/`, and the writes to it since.
async fn join(io: &Server) -> (Client<DuplexStream>, Writes) {
    let (near, far) = tokio::io::duplex(256 * 1024);
    let writes = Writes::default();
    serve_stream(io, Counting { stream: far, writes: writes.clone() });
    let mut client = Client::over(near, "/socket.io/").await;
    client.expect_open().await;
    client.id = client.connect("40").await;
    writes.take();
    (client, writes)
}

async fn expect_numbers(client: &mut Client<DuplexStream>, event: &str, count: usize) {
    for number in 0..count {
        client.expect(&format!(r#"42["{event}",{number}]"#)).await;
    }
}

#[tokio::test]
async fn what_one_handler_emits_takes_one_write() {
    let io = Server::new();
    io.of("/").on("burst", async |socket: Socket| {
        for number in 0..8 {
            socket.emit("news", number).expect("the socket is connected");
        }
    });
    let (mut client, writes) = join(&io).await;
    client.send(r#"42["burst"]"#).await;
    expect_numbers(&mut client, "news", 8).await;
    assert_eq!(writes.take(), 1);
}

#[tokio::test]
async fn what_the_handlers_of_one_read_emit_takes_one_write() {
    let io = Server::new();
    io.of("/")
        .on("echo", async |socket: Socket, arguments: OwnedArguments| {
            socket.emit("echo", arguments).expect("the socket is connected");
        })
        .on("ask", async |arguments: OwnedArguments| arguments);
    let (mut client, writes) = join(&io).await;
    let events: Vec<_> = (0..8).map(|number| format!(r#"42["echo",{number}]"#)).collect();
    client.send_together(&events.iter().map(String::as_str).collect::<Vec<_>>()).await;
    expect_numbers(&mut client, "echo", 8).await;
    assert_eq!(writes.take(), 1);
    client.send_together(&[r#"420["ask"]"#, r#"42["echo",0]"#, r#"421["ask",1]"#]).await;
    client.expect_all(&["430[]", r#"42["echo",0]"#, "431[1]"]).await;
    assert_eq!(writes.take(), 1, "with acknowledgements between events");
}

#[tokio::test]
async fn what_is_broadcast_in_one_handler_takes_one_write_for_each_receiver() {
    let io = Server::new();
    let everybody = io.clone();
    io.of("/").on("all", move |socket: Socket| {
        for number in 0..8 {
            everybody.emit("news", number).expect("it can be written");
        }
        socket.emit("done", ()).expect("the socket is connected");
        async {}
    });
    let (mut asking, of_asking) = join(&io).await;
    let (mut other, of_other) = join(&io).await;
    asking.send(r#"42["all"]"#).await;
    expect_numbers(&mut asking, "news", 8).await;
    asking.expect(r#"42["done"]"#).await;
    expect_numbers(&mut other, "news", 8).await;
    assert_eq!((of_asking.take(), of_other.take()), (1, 1));
}

//! As little client as possible, as often as you like: connections over WebSocket alone, each of
//! which asks for an echo again as soon as it has one.
//!
//! ```text
//! cargo run --release --example minimal_client -- 1000                          # with a server inside
//! cargo run --release --example minimal_client -- 1000 http://127.0.0.1:3000
//! ```
//!
//! A server elsewhere has to acknowledge the event `echo` with what it was given. Each connection is
//! an open file: `ulimit -n` says how many there may be.

#![expect(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sockeye::client::{ClientBuilder, ConnectError, ConnectOptions, Socket};
use sockeye::{OwnedArguments, Server, TransportName};
use tokio::net::TcpListener;

static OPEN: AtomicU64 = AtomicU64::new(0);
static ECHOES: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let connections = arguments.next().map_or(Ok(100), |number| number.parse())?;
    let url = match arguments.next() {
        Some(url) => url,
        None => start_server().await?,
    };
    let opening = tokio::spawn(async move {
        for _ in 0..connections {
            match connect(&url).await {
                Ok(socket) => drop(tokio::spawn(echo(socket))),
                Err(error) => return eprintln!("no more connections: {error}"),
            }
        }
    });
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.tick().await;
    while !opening.is_finished() || OPEN.load(Relaxed) > 0 {
        seconds.tick().await;
        println!("{} open, {} echoes per second", OPEN.load(Relaxed), ECHOES.swap(0, Relaxed));
    }
    Ok(())
}

/// One connection: no upgrade that takes time, and no attempt to come back when it is lost.
async fn connect(url: &str) -> Result<Socket, ConnectError> {
    let options = ConnectOptions::new().transports([TransportName::WebSocket]);
    ClientBuilder::new(url).options(options).reconnection(false).connect().await
}

async fn echo(socket: Socket) {
    OPEN.fetch_add(1, Relaxed);
    while let Ok(()) = socket.emit_with_ack("echo", "hello").await {
        ECHOES.fetch_add(1, Relaxed);
    }
    OPEN.fetch_sub(1, Relaxed);
}

async fn start_server() -> Result<String, Box<dyn Error>> {
    let io = Server::new();
    io.of("/").on("echo", async |arguments: OwnedArguments| arguments);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { io.serve(listener).await });
    Ok(url)
}

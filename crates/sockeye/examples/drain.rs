//! A server that leaves in good order when it is told to stop: on Ctrl-C, or on SIGTERM, as
//! container platforms send it.
//!
//! `cargo run --example drain`

use std::time::Duration;

use sockeye::{Data, Server, Socket};

/// Clients are sent away over this time, so that they do not come to the next server all at once.
const SPREAD: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = Server::new();
    io.of("/").on("message", async |socket: Socket, Data(text): Data<String>| {
        let _ = socket.broadcast().emit("message", text);
    });

    let server = io.clone();
    let listening = tokio::spawn(async move { server.listen("127.0.0.1:3000").await });
    stop_signal().await;
    io.drain(SPREAD).await;
    listening.await.unwrap_or(Ok(()))
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

//! Mounting next to the routes of an axum application, which can send events too.
//!
//! ```text
//! cargo run --example axum
//! curl -d 'The kettle boils' http://127.0.0.1:3000/announce
//! ```

use std::io;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use sockeye::{Data, Server, Socket};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();
    io.of("/").on_connect(async |socket: Socket| socket.join("listeners")).on(
        "chat message",
        async |socket: Socket, Data(text): Data<String>| {
            let _ = socket.to("listeners").emit("chat message", text);
        },
    );

    let app = Router::new()
        .route("/", get(async || "Socket.IO is at /socket.io/"))
        .route("/announce", post(announce))
        .with_state(io.clone())
        .layer(io.layer());
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    // A short answer should not wait for the next one.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).await
}

/// Sends what was posted to all who listen.
async fn announce(State(io): State<Server>, text: String) -> StatusCode {
    match io.to("listeners").emit("announcement", text) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

//! Socket.IO as the protocol cases need it.

use std::time::Duration;

use serde_json::Value as Json;
use sockeye::{Auth, Cors, OwnedArguments, Server, Socket};
use tokio::net::TcpListener;

use crate::http;

pub(crate) async fn serve(listeners: Vec<TcpListener>) {
    let io = Server::builder()
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
        .connect_timeout(Duration::from_millis(1_000))
        .max_http_buffer_size(1_000_000)
        .cors(Cors::any())
        .build();
    io.of("/")
        .on_connect(send_auth)
        .on("message", async |socket: Socket, arguments: OwnedArguments| {
            let _ = socket.emit("message-back", arguments);
        })
        .on("message-with-ack", async |arguments: OwnedArguments| arguments);
    io.of("/custom").on_connect(send_auth);
    http::serve(&io, listeners).await;
}

async fn send_auth(socket: Socket, Auth(auth): Auth<Json>) {
    let _ = socket.emit("auth", auth);
}

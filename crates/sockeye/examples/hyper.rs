//! Mounting on plain hyper.
//!
//! ```text
//! cargo run --example hyper
//! ```

use std::io;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sockeye::{Data, RemoteAddress, Server, Socket};
use tokio::net::TcpListener;
use tower_service::Service;

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();
    io.of("/").on("chat message", async |socket: Socket, Data(text): Data<String>| {
        let _ = socket.broadcast().emit("chat message", text);
    });

    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let (stream, address) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = io.service();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            // Handlers find it in `socket.handshake().address()`.
            request.extensions_mut().insert(RemoteAddress(address));
            service.clone().call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
            // Without this there is no WebSocket.
            .with_upgrades();
        tokio::spawn(connection);
    }
}

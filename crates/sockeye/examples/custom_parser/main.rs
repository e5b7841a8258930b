//! A server with a parser of its own: JSON alone, with bytes as base64 in it. For networks on which
//! binary messages do not pass, or to see in a log what is sent.
//!
//! The clients need the same parser; in JavaScript the option `parser` takes one, with an `Encoder`
//! and a `Decoder` of the same form as here.

mod base64_json;

use base64_json::Base64Json;
use bytes::Bytes;
use sockeye::{Data, Server, Socket};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let io = Server::builder().parser(Base64Json).build();
    io.of("/").on(
        "upload",
        async |socket: Socket, Data((name, content)): Data<(String, Bytes)>| {
            let _ = socket.broadcast().emit("uploaded", (name, content.clone()));
            content.len()
        },
    );
    io.listen("127.0.0.1:3000").await
}

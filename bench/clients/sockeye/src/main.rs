//! This project's client under the load rig, as a user would write it.

use std::process::ExitCode;
use std::sync::Arc;

use client_kit::{Client, Lane};
use sockeye::client::{ClientBuilder, ConnectOptions, Socket};
use sockeye::{Data, EventName, TransportName};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    client_kit::run::<Sockeye>()
}

struct Sockeye(Socket);

impl Client for Sockeye {
    async fn connect(port: u16, lane: Arc<Lane>) -> Result<Self, String> {
        let socket = ClientBuilder::new(&format!("http://127.0.0.1:{port}/"))
            .options(ConnectOptions::new().transports([TransportName::WebSocket]))
            .reconnection(false)
            .build()
            .map_err(|error| error.to_string())?;
        listen(&socket, lane);
        socket.connect().connected().await.map_err(|error| error.to_string())?;
        Ok(Self(socket))
    }

    async fn emit(&self, text: String) -> Result<(), String> {
        self.0.emit("echo", text).map_err(|error| error.to_string())
    }

    async fn close(self) {
        self.0.disconnect();
    }
}

fn listen(socket: &Socket, lane: Arc<Lane>) {
    let (ended, other, failed) = (Arc::clone(&lane), Arc::clone(&lane), Arc::clone(&lane));
    socket
        .on_disconnect(move |_, disconnect| {
            ended.fail(disconnect);
            async {}
        })
        .on_error(move |error| failed.fail(error))
        .on_fallback(move |EventName(name): EventName| {
            other.fail(name);
            async {}
        })
        .on("echo", move |socket: Socket, Data(text): Data<String>| {
            if let Some(next) = lane.echoed(&text)
                && let Err(error) = socket.emit("echo", next)
            {
                lane.fail(error);
            }
            async {}
        });
}

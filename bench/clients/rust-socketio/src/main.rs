//! rust_socketio's asynchronous client, as its documentation shows it.
use client_kit::{Lane, run};
use futures_util::FutureExt;
use rust_socketio::asynchronous::{Client, ClientBuilder};
use rust_socketio::{Event, Payload, TransportType};
use serde_json::Value;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::Notify;

#[global_allocator]
static A: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Socket(Client);

impl client_kit::Client for Socket {
    async fn connect(port: u16, lane: Arc<Lane>) -> Result<Self, String> {
        let connected = Arc::new(Notify::new());
        let (tell, closed, failed) = (connected.clone(), lane.clone(), lane.clone());
        let client = ClientBuilder::new(format!("http://127.0.0.1:{port}/"))
            .transport_type(TransportType::Websocket)
            .reconnect(false)
            .on(Event::Connect, move |_, _| {
                tell.notify_one();
                async {}.boxed()
            })
            .on(Event::Close, move |_, _| {
                closed.fail("closed");
                async {}.boxed()
            })
            .on(Event::Error, move |payload, _| {
                failed.fail(format_args!("{payload:?}"));
                async {}.boxed()
            })
            .on("echo", move |payload, client| {
                let next = match &payload {
                    Payload::Text(values) => match values.as_slice() {
                        [Value::String(text)] => lane.echoed(text),
                        other => {
                            lane.fail(format_args!("{other:?}"));
                            None
                        }
                    },
                    other => {
                        lane.fail(format_args!("{other:?}"));
                        None
                    }
                };
                let lane = next.is_some().then(|| lane.clone());
                async move {
                    if let (Some(text), Some(lane)) = (next, lane)
                        && let Err(error) = client.emit("echo", Value::String(text)).await
                    {
                        lane.fail(error);
                    }
                }
                .boxed()
            })
            .connect()
            .await
            .map_err(|error| error.to_string())?;
        connected.notified().await;
        Ok(Socket(client))
    }

    async fn emit(&self, text: String) -> Result<(), String> {
        self.0.emit("echo", Value::String(text)).await.map_err(|error| error.to_string())
    }

    async fn close(self) {
        let _ = self.0.disconnect().await;
    }
}

fn main() -> ExitCode {
    run::<Socket>()
}

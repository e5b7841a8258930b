//! Who shares a thread with a peer that sends faster than its messages are handled has its turns.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sockeye::client::{ClientBuilder, ConnectOptions};
use sockeye::{Server, TransportName};

use support::{Client, Polling, serve, serve_stream, within};

/// What comes at once.
const EVENTS: usize = 10_000;
/// What is handled in one turn at most.
const TURN: usize = 512;

/// Counts events, for somebody who shares the thread with who handles them.
#[derive(Clone, Default)]
struct Handled(Arc<AtomicUsize>);

impl Handled {
    fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for all events, and returns how many were handled at most between two turns of this task.
    async fn longest_turn(self) -> usize {
        let (mut longest, mut before) = (0, 0);
        while before < EVENTS {
            tokio::task::yield_now().await;
            let now = self.0.load(Ordering::Relaxed);
            longest = longest.max(now - before);
            before = now;
        }
        longest
    }
}

fn counting_server() -> (Server, Handled) {
    let (io, handled) = (Server::new(), Handled::default());
    let counter = handled.clone();
    io.of("/").on("x", move || {
        counter.add_one();
        async {}
    });
    (io, handled)
}

#[tokio::test]
async fn a_flood_over_a_websocket_is_handled_in_parts() {
    let (io, handled) = counting_server();
    let (near, far) = tokio::io::duplex(1024 * 1024);
    serve_stream(&io, far);
    let mut client = Client::over(near, "/socket.io/").await;
    client.expect_open().await;
    client.connect("40").await;
    client.send_together(&vec![r#"42["x"]"#; EVENTS]).await;
    let longest = within("all events", handled.longest_turn()).await;
    assert!((1..=TURN).contains(&longest), "{longest} were handled in one turn");
}

#[tokio::test]
async fn a_flood_in_one_request_is_handled_in_parts() {
    let (io, handled) = counting_server();
    let mut client = Polling::join(serve(&io).await).await;
    let flood = vec![r#"42["x"]"#; EVENTS].join("\u{1e}");
    let (longest, ()) =
        within("all events", async { tokio::join!(handled.longest_turn(), client.post(&flood)) })
            .await;
    assert!((1..=TURN).contains(&longest), "{longest} were handled in one turn");
}

#[tokio::test]
async fn a_flood_from_a_server_is_handled_in_parts() {
    let io = Server::new();
    let address = serve(&io).await;
    for transport in [TransportName::WebSocket, TransportName::Polling] {
        let handled = Handled::default();
        let counter = handled.clone();
        let options = ConnectOptions::new().transports([transport]);
        let client = ClientBuilder::new(&format!("http://{address}")).options(options);
        let socket = client.connect().await.unwrap();
        socket.on("x", move || {
            counter.add_one();
            async {}
        });
        for _ in 0..EVENTS {
            io.emit("x", ()).unwrap();
        }
        let longest = within("all events", handled.longest_turn()).await;
        assert!((1..=TURN).contains(&longest), "{longest} were handled in one turn");
    }
}

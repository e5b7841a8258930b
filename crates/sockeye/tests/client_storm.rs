//! A client whose connection breaks again and again, while many threads use it.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sockeye::client::{ClientBuilder, ConnectOptions, SocketEvent};
use sockeye::{AcknowledgementError, Data, Server, TransportName};
use support::{eventually, serve, within};

/// Who emits at the same time.
const THREADS: usize = 4;
/// What each emits.
const EVENTS: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_answer_resolves_however_often_the_connection_breaks() {
    let io = Server::new();
    io.of("/").on("same", async |Data(number): Data<usize>| number);
    let address = serve(&io).await;
    for transports in
        [vec![TransportName::WebSocket], vec![TransportName::Polling, TransportName::WebSocket]]
    {
        let options = ConnectOptions::new().transports(transports);
        let builder = ClientBuilder::new(&format!("http://{address}")).options(options);
        let socket = builder.reconnection_delay(Duration::from_millis(1)).build().unwrap();
        let mut events = socket.events();
        within("a connection", socket.connect().connected()).await.unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let breaking = {
            let (io, done) = (io.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(3)).await;
                    io.of("/").sockets().iter().for_each(sockeye::Socket::close_connection);
                }
            })
        };
        let answered = Arc::new(AtomicUsize::new(0));
        let asking: Vec<_> = (0..THREADS)
            .map(|_| {
                let (socket, answered) = (socket.clone(), Arc::clone(&answered));
                tokio::spawn(async move {
                    for number in 0..EVENTS {
                        match socket.emit_with_ack::<usize>("same", number).await {
                            Ok(answer) => assert_eq!(answer, number),
                            Err(AcknowledgementError::Disconnected) => {}
                            Err(error) => panic!("{error}"),
                        }
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for asking in asking {
            within("all answers", asking).await.unwrap();
        }
        done.store(true, Ordering::SeqCst);
        within("the last break", breaking).await.unwrap();
        assert_eq!(answered.load(Ordering::SeqCst), THREADS * EVENTS);
        // Connections and losses come in turn.
        let manager = socket.manager();
        socket.disconnect();
        let mut is_connected = false;
        while let Some(event) = within("an event", events.next()).await {
            match event {
                SocketEvent::Connect { .. } => assert!(!std::mem::replace(&mut is_connected, true)),
                SocketEvent::Disconnect(_) => assert!(std::mem::take(&mut is_connected)),
                SocketEvent::ConnectError(_) => assert!(!is_connected),
                other => panic!("{other:?}"),
            }
        }
        within("the end", manager.closed()).await;
        eventually("nobody", || io.of("/").sockets().is_empty()).await;
    }
}

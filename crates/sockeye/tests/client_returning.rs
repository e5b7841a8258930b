//! How a client's sockets come back: with what they missed, through restarts, and what holds them back.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sockeye::client::{ClientBuilder, ConnectOptions, Socket, SocketEvent};
use sockeye::{ConnectionStateRecovery, Data, Server, TransportName};
use support::{eventually, log, serve, within};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const SOON: Duration = Duration::from_millis(10);

fn builder(address: SocketAddr) -> ClientBuilder {
    ClientBuilder::new(&format!("http://{address}")).reconnection_delay(SOON)
}

#[tokio::test]
async fn c_051_a_socket_that_comes_back_has_its_id_its_rooms_and_what_it_missed() {
    let io = Server::builder().connection_state_recovery(ConnectionStateRecovery::new()).build();
    io.of("/").on_connect(async |socket: sockeye::Socket| {
        if !socket.recovered() {
            socket.join("room");
        }
    });
    let address = serve(&io).await;
    for transport in [TransportName::Polling, TransportName::WebSocket] {
        let options = ConnectOptions::new().transports([transport]);
        let socket = builder(address).options(options).build().unwrap();
        let (pen, mut heard) = log::<u32>();
        socket.on("news", move |Data(number): Data<u32>| {
            pen.write(number);
            async {}
        });
        within("a connection", socket.connect().connected()).await.unwrap();
        let id = socket.id();
        io.of("/").to("room").emit("news", 1).unwrap();
        heard.expect(1).await;
        io.of("/").sockets().iter().for_each(sockeye::Socket::close_connection);
        eventually("the loss", || !socket.is_connected()).await;
        io.of("/").to("room").emit("news", 2).unwrap();
        within("a reconnection", socket.connected()).await.unwrap();
        heard.expect(2).await;
        io.of("/").to("room").emit("news", 3).unwrap();
        heard.expect(3).await;
        assert_eq!((socket.recovered(), socket.id()), (true, id));
        heard.expect_nothing();
        socket.disconnect();
    }
}

#[tokio::test]
async fn what_is_emitted_while_the_server_restarts_arrives_once_and_in_order() {
    let (pen, mut heard) = log::<u32>();
    let start = move |listener: TcpListener| {
        let (io, pen) = (Server::new(), pen.clone());
        io.of("/").on("number", move |Data(number): Data<u32>| {
            pen.write(number);
            async {}
        });
        let serving = io.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        io
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let first = start(listener);
    let socket = within("a connection", builder(address).connect()).await.unwrap();
    socket.emit("number", 0).unwrap();
    heard.expect(0).await;
    first.close();
    eventually("the loss", || !socket.is_connected()).await;
    for number in 1..=100 {
        socket.emit("number", number).unwrap();
    }
    drop(first);
    let _second = start(within("the port", bind_again(address)).await);
    for number in 1..=100 {
        heard.expect(number).await;
    }
    heard.expect_nothing();
}

async fn bind_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(SOON).await,
        }
    }
}

#[tokio::test]
async fn handlers_that_do_not_finish_hold_back_the_server_and_not_the_memory() {
    let io = Server::new();
    let address = serve(&io).await;
    for builder in
        [builder(address).max_running_handlers(10), builder(address).max_running_bytes(1_000_000)]
    {
        hold_back(&io, builder).await;
    }
}

/// Ten events of 100 kB are as many as may be.
async fn hold_back(io: &Server, builder: ClientBuilder) {
    let socket = builder.build().unwrap();
    let (running, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, opened) = (Arc::clone(&running), Arc::clone(&gate));
    socket.on("work", move |_: Socket| {
        let (running, gate) = (Arc::clone(&counted), Arc::clone(&opened));
        async move {
            running.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
        }
    });
    within("a connection", socket.connect().connected()).await.unwrap();
    let server_side = io.of("/").sockets().into_iter().next().unwrap();
    let text = "x".repeat(100_000);
    for _ in 0..30 {
        server_side.emit("work", &text).unwrap();
    }
    eventually("the first handlers", || running.load(Ordering::SeqCst) >= 10).await;
    // A read may have brought more than one.
    assert!(running.load(Ordering::SeqCst) < 30);
    gate.add_permits(30);
    eventually("all handlers", || running.load(Ordering::SeqCst) == 30).await;
    socket.disconnect();
    eventually("its end", || io.clients_count() == 0).await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_back_the_server_and_loses_nothing() {
    let io = Server::new();
    let address = serve(&io).await;
    let socket = within("a connection", builder(address).connect()).await.unwrap();
    let mut events = socket.events();
    let server_side = io.of("/").sockets().into_iter().next().unwrap();
    const ALL: u32 = 5000;
    let sending = tokio::spawn(async move {
        for number in 0..ALL {
            server_side.emit("number", number).unwrap();
            server_side.drained().await;
        }
    });
    for number in 0..ALL {
        let event = within("an event", events.next()).await;
        let Some(SocketEvent::Event(event)) = event else { panic!("{event:?}") };
        assert_eq!(event.decode::<u32>().unwrap(), number);
    }
    within("the sender", sending).await.unwrap();
}

#[cfg(feature = "msgpack")]
#[tokio::test]
async fn both_sides_may_speak_another_parser() {
    use sockeye::MessagePack;

    let io = Server::builder().parser(MessagePack).build();
    io.of("/chat").on("same", async |arguments: sockeye::OwnedArguments| arguments);
    let address = serve(&io).await;
    let builder = ClientBuilder::new(&format!("http://{address}/chat")).parser(MessagePack);
    let socket = within("a connection", builder.connect()).await.unwrap();
    let bytes = bytes::Bytes::from_static(&[1, 2]);
    let answer = socket.emit_with_ack::<(bytes::Bytes, f64)>("same", (bytes.clone(), 0.5));
    assert_eq!(within("an answer", answer).await.unwrap(), (bytes, 0.5));
}

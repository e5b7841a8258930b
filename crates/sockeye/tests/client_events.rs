//! What a client's sockets send and hear: handlers, streams, acknowledgements, and what is kept while
//! there is no connection.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};
use sockeye::client::{Acknowledgement, ClientBuilder, DropReason, Overflow, Socket, SocketEvent};
use sockeye::{AcknowledgementError, Data, EmitError, EventName, HandlerErrorKind, OwnedArguments};
use sockeye::{Server, Value};
use support::{eventually, log, serve, within};

const SOON: Duration = Duration::from_millis(10);

fn builder(address: SocketAddr) -> ClientBuilder {
    ClientBuilder::new(&format!("http://{address}")).reconnection_delay(SOON)
}

async fn connect(address: SocketAddr) -> Socket {
    within("a connection", builder(address).connect()).await.unwrap()
}

/// A server that echoes, and answers with what it was asked.
async fn echoing() -> (Server, SocketAddr) {
    let io = Server::new();
    io.of("/")
        .on("echo", async |socket: sockeye::Socket, arguments: OwnedArguments| {
            socket.emit("echo", arguments).unwrap();
        })
        .on("same", async |arguments: OwnedArguments| arguments)
        .on("silence", async |_: Option<sockeye::Acknowledgement>| {});
    let address = serve(&io).await;
    (io, address)
}

#[tokio::test]
async fn events_and_answers_go_both_ways() {
    let (io, address) = echoing().await;
    let socket = connect(address).await;
    let (pen, mut heard) = log::<(String, i64)>();
    socket.on("echo", move |Data(data): Data<(String, i64)>| {
        pen.write(data);
        async {}
    });
    socket.emit("echo", ("hello", 7)).unwrap();
    heard.expect(("hello".to_owned(), 7)).await;
    let answer = socket.emit_with_ack::<(i64, i64)>("same", (1, 2)).timeout(support::PATIENCE);
    assert_eq!(within("an answer", answer).await.unwrap(), (1, 2));

    socket.on("sum", async |Data((a, b)): Data<(i64, i64)>| a + b);
    let server_side = io.of("/").sockets().into_iter().next().unwrap();
    let answer = server_side.emit_with_ack::<i64>("sum", (3, 4));
    assert_eq!(within("an answer", answer).await.unwrap(), 7);
}

#[tokio::test]
async fn binary_may_stand_anywhere() {
    let (_io, address) = echoing().await;
    let socket = connect(address).await;
    let value: Value = serde_json::from_value(json!({ "a": [1, null, { "b": "x" }] })).unwrap();
    let bytes = Bytes::from_static(&[0, 1, 2]);
    let list = Value::Array(vec![value.clone(), Value::Binary(bytes.clone())]);
    let answer = socket.emit_with_ack::<(Value, Bytes)>("same", (list.clone(), bytes.clone()));
    assert_eq!(within("an answer", answer).await.unwrap(), (list, bytes));
}

#[tokio::test]
async fn what_happens_can_be_read_from_top_to_bottom() {
    let (io, address) = echoing().await;
    let socket = builder(address).build().unwrap();
    let mut events = socket.events();
    socket.connect();
    let connect = within("connect", events.next()).await;
    assert!(matches!(connect, Some(SocketEvent::Connect { recovered: false })), "{connect:?}");
    socket.emit("echo", "one").unwrap();
    let Some(SocketEvent::Event(event)) = within("an event", events.next()).await else {
        panic!("no event")
    };
    assert_eq!((event.name(), event.decode::<String>().unwrap().as_str()), ("echo", "one"));

    let server_side = io.of("/").sockets().into_iter().next().unwrap();
    let answer = server_side.emit_with_ack::<i64>("question", 20);
    let Some(SocketEvent::Event(mut event)) = within("an event", events.next()).await else {
        panic!("no event")
    };
    event.take_acknowledgement().unwrap().send(event.decode::<i64>().unwrap() + 1).unwrap();
    assert_eq!(within("an answer", answer).await.unwrap(), 21);

    socket.disconnect();
    let gone = within("disconnect", events.next()).await;
    assert!(matches!(gone, Some(SocketEvent::Disconnect(_))), "{gone:?}");
    assert!(within("the end", events.next()).await.is_none());
}

#[tokio::test]
async fn a_stream_that_is_asked_for_anew_each_time_misses_nothing() {
    let (_io, address) = echoing().await;
    let socket = connect(address).await;
    drop(socket.events());
    for number in 0..100 {
        socket.emit("echo", number).unwrap();
    }
    for number in 0..100 {
        let event = within("an event", socket.events().next()).await;
        let Some(SocketEvent::Event(event)) = event else { panic!("{event:?}") };
        assert_eq!(event.decode::<i32>().unwrap(), number);
    }
}

#[tokio::test]
async fn c_043_what_is_emitted_before_the_connection_is_sent_in_order() {
    let io = Server::new();
    let (pen, mut heard) = log::<u32>();
    io.of("/").on("number", move |Data(number): Data<u32>| {
        pen.write(number);
        async {}
    });
    let address = serve(&io).await;
    let socket = builder(address).build().unwrap();
    for number in 0..50 {
        socket.emit("number", number).unwrap();
    }
    assert!(socket.buffered() > 0);
    let answer = socket.emit_with_ack::<()>("number", 50).timeout(support::PATIENCE);
    socket.connect();
    within("an answer", answer).await.unwrap();
    for number in 0..=50 {
        heard.expect(number).await;
    }
    within("an empty buffer", socket.drained()).await;
    eventually("an empty buffer", || socket.buffered() == 0).await;
}

#[tokio::test]
async fn c_045_volatile_events_are_not_kept() {
    let (_io, address) = echoing().await;
    let socket = builder(address).build().unwrap();
    let refused = socket.volatile().emit("echo", 1);
    assert!(matches!(refused, Err(EmitError::NotWritable)), "{refused:?}");
    assert_eq!(socket.buffered(), 0);
}

#[tokio::test]
async fn what_is_kept_has_a_limit_and_the_loss_is_told() {
    let socket = builder(([127, 0, 0, 1], 1).into()).max_buffered_bytes(100).build().unwrap();
    let text = "x".repeat(60);
    socket.emit("first", &text).unwrap();
    let refused = socket.emit("second", &text);
    assert!(matches!(refused, Err(EmitError::BufferFull)), "{refused:?}");

    let builder = builder(([127, 0, 0, 1], 1).into()).max_buffered_bytes(100);
    let socket = builder.overflow(Overflow::DropOldest).build().unwrap();
    let (pen, mut lost) = log::<(String, DropReason)>();
    socket.on_lost(move |event| pen.write((event.name().to_owned(), event.reason())));
    let answer = socket.emit_with_ack::<()>("first", &text);
    socket.emit("second", &text).unwrap();
    let error = within("an answer", answer).await.unwrap_err();
    assert!(matches!(error, AcknowledgementError::GivenUp), "{error:?}");
    // It is told by the manager's task, which begins with the first wish to connect.
    socket.connect();
    lost.expect(("first".to_owned(), DropReason::Overflow)).await;
}

#[tokio::test]
async fn c_046_an_answer_is_awaited_no_longer_than_the_timeout_or_the_connection() {
    let (io, address) = echoing().await;
    let socket = connect(address).await;
    let answer = socket.timeout(SOON).emit_with_ack::<()>("silence", ());
    let error = within("a time-out", answer).await.unwrap_err();
    assert!(matches!(error, AcknowledgementError::TimedOut), "{error:?}");
    let answer = socket.emit_with_ack::<()>("silence", ());
    let same = within("an answer", socket.emit_with_ack::<i32>("same", 1)).await;
    assert_eq!(same.unwrap(), 1);
    for server_side in io.of("/").sockets() {
        server_side.close_connection();
    }
    let error = within("the end", answer).await.unwrap_err();
    assert!(matches!(error, AcknowledgementError::Disconnected), "{error:?}");
}

#[tokio::test]
async fn c_048_an_event_that_timed_out_while_it_was_kept_is_never_sent() {
    let io = Server::new();
    let (pen, mut heard) = log::<String>();
    io.of("/").on_fallback(move |EventName(name): EventName| {
        pen.write(name);
        async {}
    });
    let address = serve(&io).await;
    let socket = builder(address).build().unwrap();
    let answer = socket.timeout(SOON).emit_with_ack::<()>("late", ());
    assert!(within("a time-out", answer).await.is_err());
    drop(socket.emit_with_ack::<()>("forgotten by its caller", ()));
    socket.connect();
    heard.expect("forgotten by its caller").await;
}

#[tokio::test]
async fn c_049_an_event_is_sent_again_until_it_is_acknowledged_and_they_keep_their_order() {
    let io = Server::new();
    let (pen, mut heard) = log::<u32>();
    let handler = {
        let seen = std::sync::Mutex::new(Vec::new());
        move |Data(number): Data<u32>, acknowledgement: Option<sockeye::Acknowledgement>| {
            pen.write(number);
            let mut seen = seen.lock().unwrap();
            let first_time = !seen.contains(&number);
            seen.push(number);
            // The first time nothing is answered.
            if !first_time && let Some(acknowledgement) = acknowledgement {
                acknowledgement.send(()).unwrap();
            }
            async {}
        }
    };
    io.of("/").on("number", handler);
    let address = serve(&io).await;
    let builder = builder(address).retries(3).ack_timeout(Duration::from_millis(30));
    let socket = within("a connection", builder.connect()).await.unwrap();
    for number in 0..3 {
        socket.emit("number", number).unwrap();
    }
    for number in 0..3 {
        heard.expect(number).await;
        heard.expect(number).await;
    }
}

#[tokio::test]
async fn c_049_an_event_that_is_never_acknowledged_is_given_up_and_told() {
    let (_io, address) = echoing().await;
    let builder = builder(address).retries(1).ack_timeout(SOON);
    let socket = within("a connection", builder.connect()).await.unwrap();
    let (pen, mut lost) = log::<(String, DropReason)>();
    socket.on_lost(move |event| pen.write((event.name().to_owned(), event.reason())));
    let answer = socket.emit_with_ack::<()>("silence", ());
    let error = within("the end", answer).await.unwrap_err();
    assert!(matches!(error, AcknowledgementError::GivenUp), "{error:?}");
    lost.expect(("silence".to_owned(), DropReason::RetriesUsedUp)).await;
    let same = within("an answer", socket.emit_with_ack::<i32>("same", 1)).await;
    assert_eq!(same.unwrap(), 1);
}

#[tokio::test]
async fn a_handler_may_await_answers_and_events_of_its_own_connection() {
    let (_io, address) = echoing().await;
    let socket = connect(address).await;
    let (pen, mut heard) = log::<i32>();
    socket.on("echo", move |socket: Socket, Data(number): Data<i32>| {
        let pen = pen.clone();
        async move {
            let doubled = socket.emit_with_ack::<i32>("same", number * 2).await.unwrap();
            pen.write(doubled);
        }
    });
    socket.emit("echo", 1).unwrap();
    socket.emit("echo", 2).unwrap();
    heard.expect(2).await;
    heard.expect(4).await;
}

#[tokio::test]
async fn a_handler_that_fails_is_reported_and_harms_nobody() {
    let (_io, address) = echoing().await;
    let socket = connect(address).await;
    let (pen, mut errors) = log::<String>();
    socket.on_error(move |error| {
        pen.write(match &error.kind {
            HandlerErrorKind::Arguments(_) => "arguments".to_owned(),
            HandlerErrorKind::Panicked(message) => message.clone(),
            other => format!("{other:?}"),
        });
    });
    socket.on("echo", async |Data(number): Data<i32>| assert!(number != 13, "bad luck"));
    socket.emit("echo", "not a number").unwrap();
    errors.expect("arguments").await;
    socket.emit("echo", 13).unwrap();
    errors.expect("bad luck").await;
    let same = within("an answer", socket.emit_with_ack::<i32>("same", 1)).await;
    assert_eq!(same.unwrap(), 1);
}

#[tokio::test]
async fn c_050_catch_all_listeners_see_what_comes_and_what_goes() {
    let (_io, address) = echoing().await;
    let socket = builder(address).build().unwrap();
    let (pen, mut seen) = log::<String>();
    let out = pen.clone();
    socket.on_any_outgoing(move |_, name, arguments| {
        out.write(format!("out {name} {:?}", arguments.decode::<Json>().unwrap()));
    });
    socket.on_any(move |EventName(name): EventName| {
        pen.write(format!("in {name}"));
        async {}
    });
    socket.emit("echo", 1).unwrap();
    seen.expect_nothing();
    within("a connection", socket.connect().connected()).await.unwrap();
    seen.expect("out echo Number(1)").await;
    seen.expect("in echo").await;
}

#[tokio::test]
async fn an_answer_to_an_earlier_connection_is_not_sent() {
    let (io, address) = echoing().await;
    let socket = connect(address).await;
    let (pen, mut questions) = log::<Acknowledgement>();
    socket.on("question", move |acknowledgement: Option<Acknowledgement>| {
        pen.write(acknowledgement.unwrap());
        async {}
    });
    let server_side = io.of("/").sockets().into_iter().next().unwrap();
    let answer = server_side.emit_with_ack::<()>("question", ());
    let question = questions.next("the question").await;
    server_side.close_connection();
    assert!(within("the end", answer).await.is_err());
    let old = socket.id();
    eventually("a reconnection", || socket.is_connected() && socket.id() != old).await;
    assert!(matches!(question.send(()), Err(EmitError::Disconnected)));
}

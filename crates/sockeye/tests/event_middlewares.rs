//! Event middlewares: what they are asked, what they keep from handlers, and how events wait for
//! them (S-043, S-044).

#![cfg(feature = "server")]

mod support;

use std::future::{Ready, ready};
use std::sync::Arc;

use sockeye::{
    Acknowledgement, Data, EventName, HandlerErrorKind, OwnedArguments, Rejection, Server, Socket,
};
use tokio::sync::Semaphore;

use support::{Client, Log, Pen, Polling, log, serve, within};

/// What `on_error` was told: event and reason.
fn reports(io: &Server) -> Log<(String, String)> {
    let (pen, reports) = log();
    io.on_error(move |error| {
        let reason = match &error.kind {
            HandlerErrorKind::Arguments(error) => format!("arguments: {error}"),
            HandlerErrorKind::Rejected(reason) => format!("rejected: {reason}"),
            HandlerErrorKind::Panicked(message) => format!("panicked: {message}"),
            other => format!("{other:?}"),
        };
        pen.write((error.event.to_string(), reason));
    });
    reports
}

/// Waits for a permit, and consumes it.
async fn pass(gate: Arc<Semaphore>) {
    gate.acquire().await.expect("it is never closed").forget();
}

/// Has the events whose name begins with `wait` wait for a permit in a middleware of `/`, which
/// writes down when it is asked.
fn gate(io: &Server, pen: &Pen<String>) -> Arc<Semaphore> {
    let gate = Arc::new(Semaphore::new(0));
    let (permits, pen) = (Arc::clone(&gate), pen.clone());
    io.of("/").event_middleware(move |EventName(name): EventName| {
        let (permits, pen) = (Arc::clone(&permits), pen.clone());
        async move {
            pen.write(format!("asked about {name}"));
            if name.starts_with("wait") {
                pass(permits).await;
            }
            Ok(())
        }
    });
    gate
}

/// A fallback that writes down the names of the events.
fn note_events(io: &Server, namespace: &str, pen: &Pen<String>) {
    let pen = pen.clone();
    io.of(namespace).on_fallback(move |EventName(name): EventName| {
        pen.write(name);
        ready(())
    });
}

#[tokio::test]
async fn s_043_middlewares_are_asked_in_order_the_namespaces_before_the_sockets() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    for number in 1..=2 {
        let pen = pen.clone();
        let asked = move |EventName(name): EventName, arguments: OwnedArguments| {
            let pen = pen.clone();
            async move {
                pen.write(format!("{number} is asked about {name}"));
                tokio::task::yield_now().await;
                let arguments: Vec<i64> = arguments.decode_all()?;
                pen.write(format!("{number} has seen {arguments:?}"));
                Ok(())
            }
        };
        io.of("/").event_middleware(asked);
    }
    note_events(&io, "/", &pen);
    let mut client = Client::join(serve(&io).await).await;
    let own = pen.clone();
    io.sockets()[0].event_middleware(move |socket: Socket| {
        own.write(format!("own is asked about {}", socket.id()));
        ready(Ok(()))
    });
    client.send(r#"420["e",7]"#).await;
    log.expect("1 is asked about e").await;
    log.expect("1 has seen [7]").await;
    log.expect("2 is asked about e").await;
    log.expect("2 has seen [7]").await;
    log.expect(format!("own is asked about {}", client.id)).await;
    log.expect("e").await;
    client.expect("430[]").await;
}

#[tokio::test]
async fn s_043_a_refused_event_reaches_no_later_middleware_and_no_handler_and_is_reported() {
    let io = Server::new();
    let mut reports = reports(&io);
    let (pen, mut log) = log::<String>();
    io.of("/").event_middleware(async |EventName(name): EventName| match name.as_str() {
        "bad" => Err(Rejection::from("not today")),
        _ => Ok(()),
    });
    let later = pen.clone();
    io.of("/").event_middleware(move |EventName(name): EventName| {
        later.write(format!("asked about {name}"));
        ready(Ok(()))
    });
    note_events(&io, "/", &pen);
    io.of("/").once("bad", async || "never");
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"420["bad"]"#, r#"42["good"]"#]).await;
    reports.expect(("bad".to_owned(), "rejected: not today".to_owned())).await;
    log.expect("asked about good").await;
    log.expect("good").await;
    client.expect_nothing().await;
    log.expect_nothing();
    assert_eq!(io.of("/").listeners("bad"), 1, "its turn is still to come");
}

#[tokio::test]
async fn the_client_is_told_why_if_it_asked_for_an_answer_and_the_server_allows_it() {
    let io = Server::builder().acknowledge_errors(true).build();
    io.of("/")
        .event_middleware(async |EventName(name): EventName, Data(number): Data<i64>| {
            if number < 0 { Err(Rejection::Other(format!("{name} is below zero"))) } else { Ok(()) }
        })
        .on("root", async |Data(number): Data<u8>| number);
    let mut client = Client::join(serve(&io).await).await;
    for (event, answer) in [
        (r#"["root",-1]"#, r#"[{"error":"root is below zero"}]"#),
        (r#"["root","x"]"#, r#"[{"error":"argument 1: <any>"#),
        (r#"["root",256]"#, r#"[{"error":"argument 1: <any>"#),
        (r#"["root",4]"#, "[4]"),
    ] {
        client.send(&format!("42{event}")).await;
        client.send(&format!("421{event}")).await;
        client.expect(&format!("431{answer}")).await;
    }
}

#[tokio::test]
async fn s_044_catch_all_listeners_see_an_event_before_middlewares_and_also_refused_ones() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let any = pen.clone();
    io.of("/").on_any(move |EventName(name): EventName| {
        any.write(format!("any {name}"));
        ready(())
    });
    let gate = gate(&io, &pen);
    io.of("/").event_middleware(async || Err(Rejection::from("no")));
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"42["wait"]"#, r#"42["second"]"#]).await;
    log.expect("any wait").await;
    log.expect("asked about wait").await;
    log.expect("any second").await;
    gate.add_permits(1);
    log.expect("asked about second").await;
    client.expect_nothing().await;
    log.expect_nothing();
}

#[tokio::test]
async fn events_keep_their_order_while_a_middleware_of_an_earlier_one_waits() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let gate = gate(&io, &pen);
    note_events(&io, "/", &pen);
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"42["wait 1"]"#, r#"42["2"]"#, r#"42["wait 3"]"#, r#"42["4"]"#]).await;
    log.expect("asked about wait 1").await;
    client.expect_nothing().await;
    log.expect_nothing();
    gate.add_permits(1);
    for entry in ["wait 1", "asked about 2", "2", "asked about wait 3"] {
        log.expect(entry).await;
    }
    client.expect_nothing().await;
    log.expect_nothing();
    gate.add_permits(1);
    for entry in ["wait 3", "asked about 4", "4"] {
        log.expect(entry).await;
    }
}

#[tokio::test]
async fn events_without_middlewares_and_other_connections_are_not_held_up() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let gate = gate(&io, &pen);
    note_events(&io, "/", &pen);
    io.of("/free").on("e", async || "free");
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    client.connect("40/free,").await;
    client.send_together(&[r#"42["wait"]"#, r#"42/free,0["e"]"#]).await;
    client.expect(r#"43/free,0["free"]"#).await;
    let mut other = Client::join(address).await;
    other.send(r#"421["e"]"#).await;
    other.expect("431[]").await;
    for entry in ["asked about wait", "asked about e", "e"] {
        log.expect(entry).await;
    }
    log.expect_nothing();
    gate.add_permits(1);
    log.expect("wait").await;
}

/// Of all that comes in one POST too.
#[tokio::test]
async fn events_that_wait_for_middlewares_count_as_running_handlers() {
    for polling in [false, true] {
        let io = Server::builder().max_running_handlers(2).build();
        let (pen, mut log) = log::<String>();
        let arrived = pen.clone();
        io.of("/").on_any(move |EventName(name): EventName| {
            arrived.write(format!("arrived: {name}"));
            ready(())
        });
        let gate = gate(&io, &pen);
        let address = serve(&io).await;
        let events: Vec<_> = (1..=4).map(|number| format!(r#"42["wait {number}"]"#)).collect();
        let sent = tokio::spawn(async move {
            if polling {
                Polling::join(address).await.post(&events.join("\u{1e}")).await;
            } else {
                let mut client = Client::join(address).await;
                client.send_together(&events.iter().map(String::as_str).collect::<Vec<_>>()).await;
                // So that the connection stays.
                client.next("the end").await;
            }
        });
        log.expect("arrived: wait 1").await;
        log.expect("asked about wait 1").await;
        log.expect("arrived: wait 2").await;
        let mut other = Client::join(address).await;
        other.send(r#"420["other"]"#).await;
        for entry in ["arrived: other", "asked about other"] {
            log.expect(entry).await;
        }
        other.expect_nothing().await;
        log.expect_nothing();
        gate.add_permits(1);
        for entry in ["asked about wait 2", "arrived: wait 3"] {
            log.expect(entry).await;
        }
        other.expect_nothing().await;
        log.expect_nothing();
        gate.add_permits(1);
        for entry in ["asked about wait 3", "arrived: wait 4"] {
            log.expect(entry).await;
        }
        gate.add_permits(2);
        log.expect("asked about wait 4").await;
        if polling {
            within("the answer to the POST", sent).await.unwrap();
        }
    }
}

/// S-030, S-076: as in the official server, where its dispatch checks for this.
#[tokio::test]
async fn s_076_an_event_of_a_socket_that_leaves_while_it_waits_is_dropped() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let gate = gate(&io, &pen);
    note_events(&io, "/", &pen);
    let gone = pen.clone();
    io.of("/").on_disconnect(move || {
        gone.write("gone");
        ready(())
    });
    // Its event goes through the same gate.
    io.of("/other").event_middleware(async || Ok(())).on("after", async || "answer");
    for by_server in [false, true] {
        let mut client = Client::join(serve(&io).await).await;
        client.connect("40/other,").await;
        client.send(r#"420["wait"]"#).await;
        log.expect("asked about wait").await;
        if by_server {
            io.of("/").socket(&client.id).unwrap().disconnect(false);
            client.expect("41").await;
        } else {
            client.send("41").await;
        }
        log.expect("gone").await;
        client.send(r#"42/other,1["after"]"#).await;
        gate.add_permits(1);
        client.expect(r#"43/other,1["answer"]"#).await;
        client.expect_nothing().await;
        log.expect_nothing();
    }
}

#[tokio::test]
async fn a_connection_that_is_lost_while_an_event_waits_ends_when_the_middleware_does() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let gate = gate(&io, &pen);
    note_events(&io, "/", &pen);
    let gone = pen.clone();
    io.of("/").on_disconnect(move |socket: Socket| {
        gone.write("gone");
        // Told when all handles are.
        socket.set_extension(WritesWhenDropped(gone.clone()));
        ready(())
    });
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"42["wait 1"]"#, r#"42["wait 2"]"#]).await;
    log.expect("asked about wait 1").await;
    drop(client);
    log.expect("gone").await;
    gate.add_permits(2);
    log.expect("asked about wait 2").await;
    log.expect("dropped").await;
    log.expect_nothing();
}

struct WritesWhenDropped(Pen<String>);

impl Drop for WritesWhenDropped {
    fn drop(&mut self) {
        self.0.write("dropped");
    }
}

#[tokio::test]
async fn a_middleware_that_takes_the_right_to_answer_keeps_it() {
    let io = Server::builder().acknowledge_errors(true).build();
    io.of("/")
        .event_middleware(async |Data(pass): Data<bool>, right: Option<Acknowledgement>| {
            right.unwrap().send("the middleware").unwrap();
            if pass { Ok(()) } else { Err(Rejection::from("no")) }
        })
        .on("e", async |right: Option<Acknowledgement>| {
            assert!(right.is_none());
            "not sent"
        });
    let mut reports = reports(&io);
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"420["e",true]"#, r#"421["e",false]"#]).await;
    client.expect_all(&[r#"430["the middleware"]"#, r#"431["the middleware"]"#]).await;
    client.expect_nothing().await;
    reports.expect(("e".to_owned(), "rejected: no".to_owned())).await;
    reports.expect_nothing();
}

#[tokio::test]
async fn a_middleware_that_panics_drops_its_event_and_no_other() {
    let io = Server::new();
    let mut reports = reports(&io);
    io.of("/")
        .event_middleware(|EventName(name): EventName| -> Ready<Result<(), Rejection>> {
            assert_ne!(name, "at once");
            ready(Ok(()))
        })
        .event_middleware(async |EventName(name): EventName| {
            assert_ne!(name, "first poll");
            tokio::task::yield_now().await;
            assert_ne!(name, "later");
            Ok(())
        })
        .on_fallback(async |EventName(name): EventName| name);
    let mut client = Client::join(serve(&io).await).await;
    let events = ["at once", "first poll", "later", "good"].map(|name| format!(r#"420["{name}"]"#));
    client.send_together(&events.each_ref().map(String::as_str)).await;
    for event in ["at once", "first poll", "later"] {
        let (reported, reason) = reports.next(event).await;
        assert_eq!(reported, event);
        assert!(reason.starts_with("panicked: assertion"), "{reason}");
    }
    client.expect(r#"430["good"]"#).await;
    client.expect_nothing().await;
    reports.expect_nothing();
}

#[tokio::test]
async fn a_middleware_of_one_socket_is_not_asked_about_others_and_may_be_given_at_any_time() {
    let io = Server::new();
    io.of("/").on("e", async || "handler");
    let address = serve(&io).await;
    let mut one = Client::join(address).await;
    let own = io.sockets().remove(0);
    let mut other = Client::join(address).await;
    own.event_middleware(async || Err(Rejection::from("no")));
    for (client, is_refused) in [(&mut one, true), (&mut other, false)] {
        client.send(r#"420["e"]"#).await;
        if !is_refused {
            client.expect(r#"430["handler"]"#).await;
        }
        client.expect_nothing().await;
    }
    io.of("/").event_middleware(async || Err(Rejection::from("nobody")));
    other.send(r#"421["e"]"#).await;
    other.expect_nothing().await;
}

/// Attachments and numbers are the same after the wait.
#[tokio::test]
async fn an_event_that_waited_is_handled_as_it_came() {
    let io = Server::new();
    io.of("/")
        .event_middleware(async || {
            tokio::task::yield_now().await;
            Ok(())
        })
        .on("echo", async |arguments: OwnedArguments| arguments)
        .on("caf\u{e9}", async |EventName(name): EventName| name);
    let mut client = Client::join(serve(&io).await).await;
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    client.send(&format!(r#"451-12["echo",1.50,{placeholder},"é"]"#)).await;
    client.send_binary(b"bytes").await;
    client.expect(&format!(r#"461-12[1.50,{placeholder},"é"]"#)).await;
    client.expect_binary(b"bytes").await;
    client.send(r#"4213["caf\u00e9"]"#).await;
    client.expect(r#"4313["café"]"#).await;
}

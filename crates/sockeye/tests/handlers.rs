//! Event handlers: what they take, what they give, and what becomes of those that fail.

#![cfg(feature = "server")]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sockeye::{
    Acknowledgement, Data, EmitError, EventContext, EventName, FromEvent, HandlerErrorKind,
    OwnedArguments, Rejection, Server, Socket, Value,
};
use tokio::sync::{Notify, Semaphore};

use support::{Client, Log, log, serve, within};

#[derive(Debug, Deserialize, Serialize)]
struct Point {
    x: i32,
    y: i32,
}

#[derive(Deserialize, Serialize)]
struct Metres(f64);

#[derive(Deserialize)]
struct Upload {
    name: String,
    content: Bytes,
}

/// What `on_error` was told: event, socket and reason.
fn reports(io: &Server) -> Log<(String, String, String)> {
    let (pen, reports) = log();
    io.on_error(move |error| {
        let reason = match &error.kind {
            HandlerErrorKind::Arguments(error) => format!("arguments: {error}"),
            HandlerErrorKind::Rejected(reason) => format!("rejected: {reason}"),
            HandlerErrorKind::Panicked(message) => format!("panicked: {message}"),
            other => format!("{other:?}"),
        };
        pen.write((error.event.to_string(), error.socket.to_string(), reason));
    });
    reports
}

#[tokio::test]
async fn arguments_arrive_in_the_handlers_types() {
    let io = Server::new();
    io.of("/")
        .on("pair", async |Data((a, b)): Data<(i64, String)>| format!("{a}{b}"))
        .on("one", async |Data(text): Data<String>| text)
        .on("struct", async |Data(Point { x, y }): Data<Point>| x * y)
        .on("newtype", async |Data(Metres(metres)): Data<Metres>| metres)
        .on("list", async |Data(list): Data<Vec<i64>>| list.iter().sum::<i64>())
        .on("maybe", async |Data((a, b)): Data<(i64, Option<i64>)>| a + b.unwrap_or(100))
        .on("perhaps", async |Data(text): Data<Option<String>>| text.is_some())
        .on("none", async |Data(()): Data<()>| "called")
        .on("any", async |Data(value): Data<Value>| value)
        .on("two", async |Data(a): Data<i64>, Data((_, b)): Data<(IgnoredAny, i64)>| a * b);
    let mut client = Client::join(serve(&io).await).await;
    for (event, answer) in [
        (r#"["pair",1,"a"]"#, r#"["1a"]"#),
        (r#"["pair",1,"a","extra",{}]"#, r#"["1a"]"#),
        (r#"["one","x"]"#, r#"["x"]"#),
        (r#"["one","x","extra"]"#, r#"["x"]"#),
        (r#"["struct",{"y":3,"x":2,"z":1}]"#, "[6]"),
        (r#"["newtype",1.5]"#, "[1.5]"),
        (r#"["list",[1,2,3]]"#, "[6]"),
        (r#"["maybe",1,2]"#, "[3]"),
        (r#"["maybe",1,null]"#, "[101]"),
        (r#"["maybe",1]"#, "[101]"),
        (r#"["perhaps"]"#, "[false]"),
        (r#"["none"]"#, r#"["called"]"#),
        (r#"["none",1,2,3]"#, r#"["called"]"#),
        (r#"["any",{"a":[1,"é",null]}]"#, r#"[{"a":[1,"é",null]}]"#),
        (r#"["two",6,7]"#, "[42]"),
    ] {
        client.send(&format!("427{event}")).await;
        client.expect(&format!("437{answer}")).await;
    }
}

#[tokio::test]
async fn attachments_are_found_by_number_wherever_they_stand() {
    let io = Server::new();
    io.of("/").on("upload", async |Data(Upload { name, content }): Data<Upload>| {
        format!("{name}: {content:?}")
    });
    let mut client = Client::join(serve(&io).await).await;
    let skipped = r#"{"_placeholder":true,"num":0}"#;
    let content = r#"{"_placeholder":true,"num":1}"#;
    client
        .send(&format!(r#"452-3["upload",{{"thumb":{skipped},"content":{content},"name":"a"}}]"#))
        .await;
    client.send_binary(b"thumb").await;
    client.send_binary(b"whole").await;
    client.expect(r#"433["a: b\"whole\""]"#).await;
}

/// S-008. What the default is, other tests show.
#[tokio::test]
async fn how_many_attachments_an_event_may_have_is_a_setting() {
    let io = Server::builder().max_attachments(11).build();
    io.of("/").on("sum", async |Data(parts): Data<Vec<Bytes>>| {
        parts.iter().flatten().map(|byte| u32::from(*byte)).sum::<u32>()
    });
    let mut client = Client::join(serve(&io).await).await;
    let parts: Vec<_> =
        (0..11).map(|number| format!(r#"{{"_placeholder":true,"num":{number}}}"#)).collect();
    client.send(&format!(r#"4511-0["sum",[{}]]"#, parts.join(","))).await;
    for number in 0..11 {
        client.send_binary(&[number]).await;
    }
    client.expect("430[55]").await;
    client.send(r#"4512-0["sum",[]]"#).await;
    client.expect_close().await;
}

#[tokio::test]
async fn a_handler_may_take_the_socket_the_name_and_the_arguments_as_they_came() {
    let io = Server::new();
    let handler = async |socket: Socket, EventName(name): EventName, arguments: OwnedArguments| {
        let received: Vec<i64> = arguments.decode_all().unwrap();
        socket.emit("relayed", &arguments).unwrap();
        (socket.id().to_owned(), name, received)
    };
    io.of("/").on("a", handler).on("b", handler);
    let mut client = Client::join(serve(&io).await).await;
    let id = client.id.clone();
    client.send(r#"421["a",1,2]"#).await;
    client.expect(r#"42["relayed",1,2]"#).await;
    client.expect(&format!(r#"431["{id}","a",[1,2]]"#)).await;
    client.send(r#"422["b"]"#).await;
    client.expect(r#"42["relayed"]"#).await;
    client.expect(&format!(r#"432["{id}","b",[]]"#)).await;
}

#[tokio::test]
async fn what_a_handler_returns_is_the_acknowledgement() {
    let io = Server::new();
    io.of("/")
        .on("nothing", async || ())
        .on("one", async || "x")
        .on("two", async || (1, "two"))
        .on("list", async || vec![1, 2])
        .on("struct", async || Point { x: 1, y: 2 })
        .on("newtype", async || Metres(1.5))
        .on("none", async || None::<i32>)
        .on("result", async || Err::<(), _>("no"))
        .on("later", async || {
            tokio::task::yield_now().await;
            "later"
        });
    let mut client = Client::join(serve(&io).await).await;
    for (event, answer) in [
        ("nothing", "[]"),
        ("one", r#"["x"]"#),
        ("two", r#"[1,"two"]"#),
        ("list", "[[1,2]]"),
        ("struct", r#"[{"x":1,"y":2}]"#),
        ("newtype", "[1.5]"),
        ("none", "[null]"),
        ("result", r#"[{"Err":"no"}]"#),
        ("later", r#"["later"]"#),
    ] {
        client.send(&format!(r#"4212["{event}"]"#)).await;
        client.expect(&format!("4312{answer}")).await;
        // Without an id nothing is answered.
        client.send(&format!(r#"42["{event}"]"#)).await;
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_acknowledgement_may_hold_bytes() {
    let io = Server::new();
    io.of("/").on("file", async || ("name", Bytes::from_static(b"content")));
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"420["file"]"#).await;
    client.expect(r#"461-0["name",{"_placeholder":true,"num":0}]"#).await;
    client.expect_binary(b"content").await;
}

#[tokio::test]
async fn who_takes_the_acknowledgement_answers_when_he_likes() {
    let io = Server::new();
    let (pen, mut taken) = log::<Option<Acknowledgement>>();
    io.of("/").on("later", move |acknowledgement: Option<Acknowledgement>| {
        pen.write(acknowledgement);
        async { "not sent" }
    });
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"42["later"]"#).await;
    assert!(taken.next("the first event").await.is_none(), "no answer is wanted");
    client.send(r#"425["later"]"#).await;
    let acknowledgement = taken.next("the second event").await.unwrap();
    client.expect_nothing().await;
    tokio::spawn(async move { acknowledgement.send((1, 2)) });
    client.expect("435[1,2]").await;
}

#[tokio::test]
async fn an_answer_to_a_client_that_is_gone_is_an_error() {
    let io = Server::new();
    let (pen, mut taken) = log::<Option<Acknowledgement>>();
    io.of("/").on("later", move |acknowledgement: Option<Acknowledgement>| {
        pen.write(acknowledgement);
        async {}
    });
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"425["later"]"#).await;
    let acknowledgement = taken.next("the event").await.unwrap();
    let socket = io.sockets().remove(0);
    client.close().await;
    support::eventually("the end of the socket", || !socket.is_connected()).await;
    let answered = acknowledgement.send(());
    assert!(matches!(answered, Err(EmitError::Disconnected)), "{answered:?}");
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_reported_and_the_connection_goes_on() {
    let io = Server::new();
    let mut reports = reports(&io);
    io.of("/")
        .on("pair", async |Data(_): Data<(i64, String)>| "never")
        .on("point", async |Data(_): Data<Point>| "never")
        .on("ok", async || "still here");
    let mut client = Client::join(serve(&io).await).await;
    let id = client.id.clone();
    for (event, name, reason) in [
        (r#"["pair",1]"#, "pair", "arguments: argument 2: missing"),
        (r#"["pair","x","y"]"#, "pair", "arguments: argument 1: invalid type"),
        (r#"["point",{"x":1}]"#, "point", "arguments: argument 1: missing field `y`"),
        (r#"["point"]"#, "point", "arguments: argument 1: missing"),
    ] {
        client.send(&format!("421{event}")).await;
        let (event, socket, told) = reports.next(reason).await;
        assert_eq!((event.as_str(), &socket), (name, &id));
        assert!(told.starts_with(reason), "awaited {reason}; got {told}");
    }
    client.send(r#"422["ok"]"#).await;
    client.expect(r#"432["still here"]"#).await;
}

struct Moderator;

impl FromEvent<Socket> for Moderator {
    fn from_event(event: &EventContext<'_>) -> Result<Self, Rejection> {
        match event.socket().extension::<Self>() {
            Some(_) => Ok(Self),
            None => Err(Rejection::Other(format!("{} is for moderators", event.name()))),
        }
    }
}

#[tokio::test]
async fn an_extractor_of_the_program_decides_too() {
    let io = Server::new();
    let mut reports = reports(&io);
    io.of("/")
        .on("promote", async |socket: Socket| socket.set_extension(Moderator))
        .on("ban", async |_: Moderator, Data(who): Data<String>| format!("banned {who}"));
    let mut client = Client::join(serve(&io).await).await;
    let id = client.id.clone();
    client.send(r#"421["ban","a"]"#).await;
    reports.expect(("ban".into(), id, "rejected: ban is for moderators".into())).await;
    client.send(r#"42["promote"]"#).await;
    client.send(r#"422["ban","b"]"#).await;
    client.expect(r#"432["banned b"]"#).await;
}

#[tokio::test]
async fn a_panic_ends_neither_process_nor_connection_and_is_reported() {
    let io = Server::new();
    let mut reports = reports(&io);
    io.of("/")
        .on("at once", |_: Socket| -> std::future::Ready<()> { panic!("at once") })
        .on("first poll", async || -> () { panic!("first poll") })
        .on("after await", async || -> () {
            tokio::task::yield_now().await;
            panic!("after await {}", 1)
        })
        .on("ok", async || "still here");
    let mut client = Client::join(serve(&io).await).await;
    let id = client.id.clone();
    client.send(r#"421["at once"]"#).await;
    reports.expect(("at once".into(), id.clone(), "panicked: at once".into())).await;
    client.send(r#"421["first poll"]"#).await;
    reports.expect(("first poll".into(), id.clone(), "panicked: first poll".into())).await;
    client.send(r#"421["after await"]"#).await;
    let (_, _, reason) = reports.next("the third panic").await;
    assert_eq!(reason, "panicked: after await 1");
    client.send(r#"422["ok"]"#).await;
    client.expect(r#"432["still here"]"#).await;
}

/// Also of a handler that fails late the report says which it was.
#[tokio::test]
async fn a_late_panic_is_reported_with_event_and_socket() {
    let io = Server::new();
    let (pen, mut reports) = log::<(String, String, String)>();
    io.on_error(move |error| {
        pen.write((error.event.to_string(), error.namespace.to_string(), error.socket.to_string()));
    });
    io.of("/").on("after await", async || -> () {
        tokio::task::yield_now().await;
        panic!("late")
    });
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"42["after await"]"#).await;
    reports.expect(("after await".into(), "/".into(), client.id.clone())).await;
}

#[tokio::test]
async fn a_panic_in_the_report_does_not_end_the_connection() {
    let io = Server::new();
    io.on_error(|_| panic!("the report"));
    io.of("/").on("number", async |Data(number): Data<i64>| number);
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"421["number","x"]"#).await;
    client.send(r#"422["number",2]"#).await;
    client.expect("432[2]").await;
}

#[tokio::test]
async fn the_fallback_gets_what_no_other_handler_takes() {
    let io = Server::new();
    io.of("/").on("known", async || "own handler").on_fallback(
        async |EventName(name): EventName, Data(first): Data<Option<i64>>| (name, first),
    );
    let mut client = Client::join(serve(&io).await).await;
    for (event, answer) in [
        (r#"["known",1]"#, r#"["own handler"]"#),
        (r#"["unknown",1]"#, r#"["unknown",1]"#),
        (r#"["constructor"]"#, r#"["constructor",null]"#),
        // An escaped name is the same name.
        (r#"["kno\u0077n"]"#, r#"["own handler"]"#),
        (r#"["caf\u00e9"]"#, r#"["café",null]"#),
        // S-015: numbers are names.
        ("[7,8]", r#"["7",8]"#),
    ] {
        client.send(&format!("420{event}")).await;
        client.expect(&format!("430{answer}")).await;
    }
}

#[tokio::test]
async fn an_event_without_a_handler_is_ignored() {
    let io = Server::new();
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"421["unknown"]"#).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn handlers_can_be_removed_and_given_on_open_connections() {
    let io = Server::new();
    io.of("/").on("which", async || "first");
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"420["which"]"#).await;
    client.expect(r#"430["first"]"#).await;
    io.of("/").off("which").on("which", async || "second");
    client.send(r#"421["which"]"#).await;
    client.expect(r#"431["second"]"#).await;
}

#[tokio::test]
async fn handlers_keep_captured_state() {
    let io = Server::new();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    io.of("/").on("count", move |Data(step): Data<usize>| {
        let counter = Arc::clone(&counter);
        async move { counter.fetch_add(step, Ordering::SeqCst) + step }
    });
    let address = serve(&io).await;
    let (mut one, mut other) = (Client::join(address).await, Client::join(address).await);
    one.send(r#"420["count",2]"#).await;
    one.expect("430[2]").await;
    other.send(r#"420["count",3]"#).await;
    other.expect("430[5]").await;
    assert_eq!(count.load(Ordering::SeqCst), 5);
}

#[test]
fn a_reserved_name_is_refused_at_once_and_named() {
    for name in ["connect", "connect_error", "disconnect", "disconnecting"] {
        let io = Server::new();
        let give = AssertUnwindSafe(|| {
            io.of("/").on(name, async || ());
        });
        let given = catch_unwind(give);
        let panic = given.expect_err("a reserved name");
        let message = panic.downcast_ref::<String>().expect("a message");
        assert!(message.contains(&format!("\"{name}\" is a reserved event name")), "{message}");
    }
}

/// They overlap where they wait, but none starts before one whose event came earlier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_of_one_socket_start_in_the_order_of_its_events() {
    const EVENTS: usize = 2_000;
    let io = Server::new();
    let (pen, mut started) = log::<usize>();
    let finished = Arc::new(Semaphore::new(0));
    let done = Arc::clone(&finished);
    io.of("/").on("number", move |Data(number): Data<usize>| {
        let (pen, done) = (pen.clone(), Arc::clone(&done));
        async move {
            pen.write(number);
            for _ in 0..number * 7 % 5 {
                tokio::task::yield_now().await;
            }
            if number % 97 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            done.add_permits(1);
        }
    });
    let mut client = Client::join(serve(&io).await).await;
    let events: Vec<_> = (0..EVENTS).map(|number| format!(r#"42["number",{number}]"#)).collect();
    for batch in events.chunks(50) {
        let batch: Vec<_> = batch.iter().map(String::as_str).collect();
        client.send_together(&batch).await;
    }
    for number in 0..EVENTS {
        started.expect(number).await;
    }
    let all = finished.acquire_many(EVENTS as u32);
    drop(within("all handlers to finish", all).await.unwrap());
}

/// A server whose handlers of `wait` write down that they started, and go on at a permit.
fn waiting_handlers(limit: usize) -> (Server, Log<usize>, Arc<Semaphore>) {
    let io = Server::builder().max_running_handlers(limit).build();
    let (pen, started) = log::<usize>();
    let permits = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&permits);
    io.of("/").on("wait", move |Data(number): Data<usize>| {
        let (pen, gate) = (pen.clone(), Arc::clone(&gate));
        async move {
            pen.write(number);
            gate.acquire().await.expect("it is never closed").forget();
            number
        }
    });
    (io, started, permits)
}

#[tokio::test]
async fn while_the_limit_of_handlers_is_running_no_other_starts() {
    let (io, mut started, permits) = waiting_handlers(4);
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    let mut other = Client::join(address).await;
    for number in 0..4 {
        client.send(&format!(r#"42{number}["wait",{number}]"#)).await;
        started.expect(number).await;
    }
    client.send(r#"424["wait",4]"#).await;
    // Another connection is not concerned; and when it is through, the fifth has had its chance.
    other.send(r#"420["wait",100]"#).await;
    started.expect(100_usize).await;
    started.expect_nothing();
    permits.add_permits(1);
    started.expect(4_usize).await;
    permits.add_permits(10);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(client.expect("43<any>").await.remove(0));
    }
    answers.sort();
    assert_eq!(answers, ["0[0]", "1[1]", "2[2]", "3[3]", "4[4]"]);
}

/// The limit holds however the events arrive.
#[tokio::test]
async fn the_limit_of_handlers_holds_for_events_that_come_in_one_read() {
    let (io, mut started, permits) = waiting_handlers(4);
    let mut client = Client::join(serve(&io).await).await;
    let events: Vec<_> = (0..10).map(|number| format!(r#"42{number}["wait",{number}]"#)).collect();
    client.send_together(&events.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for number in 0..4 {
        started.expect(number).await;
    }
    tokio::task::yield_now().await;
    started.expect_nothing();
    for number in 4..10 {
        permits.add_permits(1);
        started.expect(number).await;
    }
}

#[tokio::test]
async fn the_limit_of_handlers_holds_for_events_in_one_post() {
    let (io, mut started, permits) = waiting_handlers(4);
    let mut client = support::Polling::join(serve(&io).await).await;
    let events: Vec<_> = (0..10).map(|number| format!(r#"42["wait",{number}]"#)).collect();
    let payload = events.join("\u{1e}");
    let post = tokio::spawn(async move { client.post(&payload).await });
    for number in 0..4 {
        started.expect(number).await;
    }
    tokio::task::yield_now().await;
    started.expect_nothing();
    for number in 4..10 {
        permits.add_permits(1);
        started.expect(number).await;
    }
    within("the answer to the POST", post).await.unwrap();
}

#[tokio::test]
async fn a_handler_may_wait_for_another_event_or_an_acknowledgement() {
    let io = Server::new();
    let told = Arc::new(Notify::new());
    let (waits, tells) = (Arc::clone(&told), told);
    io.of("/")
        .on("wait", move || {
            let waits = Arc::clone(&waits);
            async move {
                waits.notified().await;
                "told"
            }
        })
        .on("tell", move || {
            tells.notify_one();
            async {}
        })
        .on("ask", async |socket: Socket| {
            let answer = socket.emit_with_ack::<i64>("question", ()).await;
            answer.unwrap() + 1
        });
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"421["wait"]"#).await;
    client.send(r#"42["tell"]"#).await;
    client.expect(r#"431["told"]"#).await;
    client.send(r#"422["ask"]"#).await;
    client.expect(r#"420["question"]"#).await;
    client.send("430[41]").await;
    client.expect("432[42]").await;
}

#[tokio::test]
async fn a_handler_goes_on_when_its_client_is_gone() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    io.of("/").on("long", move |socket: Socket| {
        let (pen, gate) = (pen.clone(), Arc::clone(&gate));
        async move {
            pen.write("started");
            gate.notified().await;
            pen.write(format!("{:?}", socket.emit("late", ())));
        }
    });
    let mut client = Client::join(serve(&io).await).await;
    client.send(r#"421["long"]"#).await;
    log.expect("started").await;
    client.close().await;
    support::eventually("the end of the connection", || io.clients_count() == 0).await;
    opened.notify_one();
    log.expect("Err(Disconnected)").await;
}

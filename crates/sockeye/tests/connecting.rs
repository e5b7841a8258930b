//! Ways into a namespace and out of it: middlewares, connect handlers, patterns, disconnections.

#![cfg(feature = "server")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use sockeye::{
    Auth, ConnectError, Data, DisconnectReason, Namespace, Server, Socket, TransportName,
};
use tokio::sync::{Barrier, Semaphore};

use support::{Client, Incoming, Log, Polling, eventually, log, serve, within};

#[derive(Debug, Deserialize)]
struct Token {
    token: String,
}

/// What the disconnect handler of a namespace saw.
fn disconnections(namespace: &Namespace) -> Log<(String, DisconnectReason)> {
    let (pen, disconnections) = log();
    namespace.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
        assert!(!socket.is_connected());
        pen.write((socket.id().to_owned(), reason));
        async {}
    });
    disconnections
}

/// A middleware of `/` that waits for a permit before it agrees. The log tells of each that waits.
fn gate(io: &Server) -> (Arc<Semaphore>, Log<Socket>) {
    let (pen, waiting) = log();
    let permits = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&permits);
    io.of("/").middleware(move |socket: Socket| {
        let (pen, gate) = (pen.clone(), Arc::clone(&gate));
        async move {
            socket.join("waiting room");
            pen.write(socket);
            gate.acquire().await.expect("it is never closed").forget();
            Ok(())
        }
    });
    (permits, waiting)
}

/// S-041, S-042.
#[tokio::test]
async fn middlewares_are_asked_one_after_the_other_before_the_client_is_in() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let (first, second, connect) = (pen.clone(), pen.clone(), pen);
    io.of("/")
        .middleware(move |socket: Socket| {
            let pen = first.clone();
            async move {
                tokio::task::yield_now().await;
                assert!(!socket.is_connected() && socket.rooms().is_empty());
                socket.join("from a middleware");
                socket.set_extension(7_u32);
                pen.write("first");
                Ok(())
            }
        })
        .middleware(move |Auth(Token { token }): Auth<Token>| {
            let pen = second.clone();
            async move {
                pen.write(format!("second: {token}"));
                Ok(())
            }
        })
        .on_connect(move |socket: Socket| {
            let pen = connect.clone();
            async move {
                assert!(socket.is_connected());
                assert_eq!(socket.rooms(), [socket.id(), "from a middleware"]);
                pen.write(format!("connected: {:?}", socket.extension::<u32>()));
            }
        });
    let mut client = Client::open(serve(&io).await).await;
    client.connect(r#"40{"token":"t"}"#).await;
    for entry in ["first", "second: t", "connected: Some(7)"] {
        log.expect(entry).await;
    }
    io.to("from a middleware").emit("hello", ()).unwrap();
    client.expect(r#"42["hello"]"#).await;
}

/// S-024.
#[tokio::test]
async fn a_refused_client_is_told_why_and_asked_no_further_and_may_try_again() {
    let io = Server::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    io.of("/")
        .middleware(async |socket: Socket| match socket.auth::<Token>() {
            Ok(Token { token }) if token == "right" => Ok(()),
            Ok(_) => Err(ConnectError::new("not authorized").with_data(json!({ "code": 7 }))),
            Err(_) => Err("a token is needed".into()),
        })
        .middleware(move || {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        });
    let mut client = Client::open(serve(&io).await).await;
    client.send("40").await;
    client.expect(r#"44{"message":"a token is needed"}"#).await;
    client.send(r#"40{"token":"wrong"}"#).await;
    client.expect(r#"44{"message":"not authorized","data":{"code":7}}"#).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    client.connect(r#"40{"token":"right"}"#).await;
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refused_client_gets_no_broadcast_and_leaves_no_room_behind() {
    let io = Server::new();
    let (permits, mut waiting) = gate(&io);
    io.of("/").middleware(async || Err("no".into()));
    let mut client = Client::open(serve(&io).await).await;
    client.send("40").await;
    let socket = waiting.next("the middleware").await;
    io.to("waiting room").emit("early", ()).unwrap();
    io.emit("early", ()).unwrap();
    client.expect_nothing().await;
    permits.add_permits(1);
    client.expect(r#"44{"message":"no"}"#).await;
    io.to("waiting room").emit("late", ()).unwrap();
    io.emit("late", ()).unwrap();
    client.expect_nothing().await;
    assert!(io.sockets().is_empty() && socket.rooms().is_empty());
    assert!(io.to("waiting room").sockets().is_empty());
    socket.join("another");
    assert!(io.to("another").sockets().is_empty(), "a socket that is gone enters no room");
}

/// The reference sends it, before it tells the client that it is in (S-042); not every client keeps
/// such an event.
#[tokio::test]
async fn s_042_what_a_middleware_emits_goes_out_before_the_client_is_told_that_it_is_in() {
    let io = Server::new();
    let (permits, mut waiting) = gate(&io);
    let mut client = Client::open(serve(&io).await).await;
    client.send("40").await;
    let socket = waiting.next("the middleware").await;
    socket.emit("early", 1).unwrap();
    io.emit("not in yet", ()).unwrap();
    client.expect(r#"42["early",1]"#).await;
    permits.add_permits(1);
    client.expect(r#"40{"sid":"<sid>"}"#).await;
    client.expect_nothing().await;
}

/// As `fetchSockets` does, and so that nobody waits for the acknowledgement of one who is not in.
#[tokio::test]
async fn a_client_in_a_middleware_is_not_counted_among_the_sockets_of_its_rooms() {
    let io = Server::new();
    let (permits, mut waiting) = gate(&io);
    let mut client = Client::open(serve(&io).await).await;
    client.send("40").await;
    waiting.next("the middleware").await;
    assert!(io.to("waiting room").sockets().is_empty());
    let asked = io.to("waiting room").timeout(Duration::from_secs(5));
    let answers = asked.emit_with_ack::<i64>("question", ()).await;
    assert!(matches!(answers, Ok(ref answers) if answers.is_empty()), "{answers:?}");
    permits.add_permits(1);
    client.expect(r#"40{"sid":"<sid>"}"#).await;
    assert_eq!(io.to("waiting room").sockets().len(), 1);
}

#[tokio::test]
async fn a_connection_that_is_lost_during_a_middleware_leaves_no_room_behind() {
    let io = Server::new();
    let (_permits, mut waiting) = gate(&io);
    let mut client = Client::open(serve(&io).await).await;
    client.send("40").await;
    let socket = waiting.next("the middleware").await;
    client.close().await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    eventually("the room to be empty", || socket.rooms().is_empty()).await;
    assert!(io.to("waiting room").sockets().is_empty());
}

#[tokio::test]
async fn a_middleware_that_panics_refuses_the_client() {
    let io = Server::new();
    io.of("/at-once")
        .middleware(|| -> std::future::Ready<Result<(), ConnectError>> { panic!("at once") });
    io.of("/first-poll").middleware(async || -> Result<(), ConnectError> { panic!("polled") });
    io.of("/later").middleware(async || -> Result<(), ConnectError> {
        tokio::task::yield_now().await;
        panic!("later")
    });
    let mut client = Client::open(serve(&io).await).await;
    for name in ["/at-once", "/first-poll", "/later"] {
        client.send(&format!("40{name},")).await;
        client.expect(&format!(r#"44{name},{{"message":"Internal error"}}"#)).await;
    }
}

/// A connect handler's parameters decide too.
#[tokio::test]
async fn a_connect_handler_whose_auth_does_not_fit_refuses() {
    let io = Server::new();
    let (pen, mut reports) = log::<String>();
    io.on_error(move |error| pen.write(error.to_string()));
    io.of("/").on_connect(async |socket: Socket, Auth(Token { token }): Auth<Token>| {
        socket.emit("welcome", token).unwrap();
    });
    let mut client = Client::open(serve(&io).await).await;
    for packet in ["40", r#"40{"token":7}"#] {
        client.send(packet).await;
        client.expect(r#"44{"message":"auth does not fit: <any>"#).await;
        let report = reports.next("a report").await;
        assert!(report.contains("auth does not fit"), "{report}");
    }
    io.emit("broadcast", ()).unwrap();
    client.expect_nothing().await;
    assert!(io.sockets().is_empty());
    client.connect(r#"40{"token":"t"}"#).await;
    client.expect(r#"42["welcome","t"]"#).await;
}

/// S-046.
#[tokio::test]
async fn without_a_payload_auth_is_an_empty_object() {
    let io = Server::new();
    let (pen, mut auth) = log::<serde_json::Value>();
    io.of("/").on_connect(move |Auth(value): Auth<serde_json::Value>| {
        pen.write(value);
        async {}
    });
    let address = serve(&io).await;
    Client::join(address).await;
    auth.expect(json!({})).await;
    Client::open(address).await.connect(r#"40{"a":[1,"é"]}"#).await;
    auth.expect(json!({ "a": [1, "é"] })).await;
}

#[tokio::test]
async fn a_panic_in_a_connect_handler_is_reported_and_the_client_stays_in() {
    let io = Server::new();
    let (pen, mut reports) = log::<String>();
    io.on_error(move |error| pen.write(error.to_string()));
    io.of("/").on_connect(async || panic!("sorry")).on("ok", async || "still here");
    let mut client = Client::join(serve(&io).await).await;
    let report = reports.next("a report").await;
    assert!(report.contains(&client.id) && report.contains("panicked: sorry"), "{report}");
    client.send(r#"420["ok"]"#).await;
    client.expect(r#"430["still here"]"#).await;
}

/// S-045, and an id that says nothing about the session: the session's is a credential.
#[tokio::test]
async fn a_socket_knows_how_its_connection_began() {
    let io = Server::new();
    let address = serve(&io).await;
    let client = Client::join(address).await;
    let socket = io.of("/").socket(&client.id).unwrap();
    assert_ne!(client.id, client.session);
    let handshake = socket.handshake();
    assert_eq!(handshake.url(), "/socket.io/?EIO=4&transport=websocket");
    assert_eq!(handshake.header("Upgrade"), Some("websocket"));
    assert!(handshake.query().any(|pair| pair == ("transport".into(), "websocket".into())));
    assert_eq!(handshake.address().unwrap().ip(), address.ip());
    assert!(!handshake.is_cross_domain());
    assert_eq!(socket.transport(), TransportName::WebSocket);
    assert!(io.of("/").socket(&client.session).is_none());
}

/// S-022. The clock is tokio's, so no time passes.
#[tokio::test(start_paused = true)]
async fn who_joins_nothing_in_time_is_disconnected() {
    let limit = Duration::from_secs(5);
    let io = Server::builder().connect_timeout(limit).build();
    io.of("/").middleware(async |socket: Socket| match socket.auth::<Token>() {
        Ok(_) => Ok(()),
        Err(_) => Err("no".into()),
    });
    let address = serve(&io).await;
    let start = tokio::time::Instant::now();
    let mut silent = Client::open(address).await;
    let mut refused = Client::open(address).await;
    let mut joined = Client::open(address).await;
    refused.send("40").await;
    refused.expect(r#"44{"message":"no"}"#).await;
    joined.connect(r#"40{"token":"t"}"#).await;
    silent.expect_close().await;
    assert!(start.elapsed() >= limit, "after {:?}", start.elapsed());
    refused.expect_close().await;
    joined.expect_nothing().await;
}

#[tokio::test]
async fn a_client_may_be_in_so_many_namespaces_and_no_more() {
    let io = Server::builder().max_namespaces(2).build();
    io.of_matching(|name| name.starts_with("/n"));
    let mut client = Client::open(serve(&io).await).await;
    client.connect("40/n1,").await;
    client.connect("40/n2,").await;
    client.send("40/n3,").await;
    client.expect(r#"44/n3,{"message":"<text>"}"#).await;
    client.send("41/n1,").await;
    client.connect("40/n3,").await;
    client.expect_nothing().await;
}

/// S-024, S-032, S-034.
#[tokio::test]
async fn a_namespace_is_found_by_name_first_and_then_by_the_first_pattern() {
    let io = Server::new();
    io.of("fixed").on("who", async || "fixed");
    io.of_matching(|name| name.starts_with("/room-")).on("who", async || "first pattern");
    io.of_matching(|name| name.len() > 4).on("who", async || "second pattern");
    io.of("/room-1").on("extra", async || "extra");
    let mut client = Client::open(serve(&io).await).await;
    for (name, answer) in [
        ("/fixed", "fixed"),
        ("/room-1", "first pattern"),
        ("/room-2", "first pattern"),
        ("/other", "second pattern"),
    ] {
        client.connect(&format!("40{name},")).await;
        client.send(&format!(r#"42{name},0["who"]"#)).await;
        client.expect(&format!(r#"43{name},0["{answer}"]"#)).await;
    }
    client.send("40/x,").await;
    client.expect(r#"44/x,{"message":"Invalid namespace"}"#).await;
    assert_eq!(io.of("fixed"), io.of("/fixed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_race_for_a_namespace_of_a_pattern_get_the_same_one() {
    const CLIENTS: usize = 8;
    let io = Server::new();
    let (pen, mut namespaces) = log::<Namespace>();
    io.of_matching(|_| true).on_connect(move |socket: Socket| {
        pen.write(socket.namespace().clone());
        async {}
    });
    let address = serve(&io).await;
    for round in 0..20 {
        let barrier = Arc::new(Barrier::new(CLIENTS));
        let race = (0..CLIENTS).map(|_| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                let mut client = Client::open(address).await;
                barrier.wait().await;
                client.connect(&format!("40/race-{round},")).await;
                client
            })
        });
        let race: Vec<_> = race.collect();
        let mut clients = Vec::new();
        for racer in race {
            clients.push(within("a racer", racer).await.unwrap());
        }
        let first = namespaces.next("a namespace").await;
        for _ in 1..CLIENTS {
            assert_eq!(namespaces.next("a namespace").await, first);
        }
        assert_eq!(io.of(&format!("/race-{round}")), first);
        first.emit("hello", ()).unwrap();
        for client in &mut clients {
            client.expect(&format!(r#"42/race-{round},["hello"]"#)).await;
        }
    }
}

/// The reference closes, since it decides a moment later (S-026). Where somebody has to be asked,
/// so does this server.
#[tokio::test]
async fn an_event_right_behind_connect_is_taken_unless_a_middleware_is_asked() {
    let io = Server::new();
    io.of("/").on("echo", async |Data(value): Data<i64>| value);
    let address = serve(&io).await;
    let mut client = Client::open(address).await;
    client.send_together(&["40", r#"420["echo",1]"#]).await;
    client.expect(r#"40{"sid":"<sid>"}"#).await;
    client.expect("430[1]").await;

    let (_permits, mut waiting) = gate(&io);
    let mut client = Client::open(address).await;
    client.send_together(&["40", r#"420["echo",1]"#]).await;
    waiting.next("the middleware").await;
    client.expect_close().await;
}

/// The reference may drop it, since it hands it on a moment later (S-030).
#[tokio::test]
async fn what_a_client_says_before_it_leaves_is_heard() {
    let io = Server::new();
    let (pen, mut heard) = log::<String>();
    let (events, leaving) = (pen.clone(), pen);
    io.of("/")
        .on("last words", move |Data(words): Data<String>| {
            events.write(words);
            async {}
        })
        .on_disconnect(move |reason: DisconnectReason| {
            leaving.write(reason.as_str());
            async {}
        });
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"42["last words","goodbye"]"#, "41"]).await;
    heard.expect("goodbye").await;
    heard.expect("client namespace disconnect").await;
    client.expect_nothing().await;
}

/// S-030.
#[tokio::test]
async fn a_client_may_connect_again_right_after_it_has_left() {
    let io = Server::new();
    let mut disconnections = disconnections(&io.of("/"));
    let mut client = Client::join(serve(&io).await).await;
    let first = client.id.clone();
    client.send_together(&["41", "40"]).await;
    let second = client.expect(r#"40{"sid":"<sid>"}"#).await.remove(0);
    assert_ne!(first, second);
    disconnections.expect((first, DisconnectReason::ClientNamespaceDisconnect)).await;
    let sockets = io.sockets();
    assert_eq!(sockets.iter().map(Socket::id).collect::<Vec<_>>(), [second.as_str()]);
}

/// As in the reference (S-025): nobody leaves what he has not joined. So no client has two decisions
/// made about it at once.
#[tokio::test]
async fn a_client_that_leaves_while_a_middleware_decides_is_disconnected() {
    let io = Server::new();
    let (permits, mut waiting) = gate(&io);
    let mut disconnections = disconnections(&io.of("/"));
    let mut client = Client::open(serve(&io).await).await;
    client.send_together(&["40", "41", "40"]).await;
    let socket = waiting.next("the first CONNECT").await;
    client.expect_close().await;
    permits.add_permits(2);
    eventually("the end of the connection", || io.clients_count() == 0).await;
    eventually("the room to be empty", || socket.rooms().is_empty()).await;
    assert!(io.sockets().is_empty() && io.to("waiting room").sockets().is_empty());
    assert!(!socket.is_connected());
    waiting.expect_nothing();
    disconnections.expect_nothing();
}

/// The reference makes two sockets (S-026).
#[tokio::test]
async fn two_connects_at_once_make_one_socket() {
    let io = Server::new();
    let (permits, mut waiting) = gate(&io);
    let mut client = Client::open(serve(&io).await).await;
    client.send_together(&["40", "40"]).await;
    waiting.next("the first CONNECT").await;
    permits.add_permits(2);
    client.expect(r#"40{"sid":"<sid>"}"#).await;
    client.expect_nothing().await;
    waiting.expect_nothing();
    assert_eq!(io.sockets().len(), 1);
}

/// S-031.
#[tokio::test]
async fn a_connect_handler_may_disconnect_its_socket() {
    let io = Server::new();
    let mut disconnections = disconnections(&io.of("/"));
    io.of("/").on_connect(async |socket: Socket| {
        socket.emit("sorry", ()).unwrap();
        socket.disconnect(false);
        assert!(!socket.is_connected());
    });
    io.of("/other");
    let mut client = Client::open(serve(&io).await).await;
    for _ in 0..2 {
        let id = client.connect("40").await;
        client.expect_all(&[r#"42["sorry"]"#, "41"]).await;
        disconnections.expect((id, DisconnectReason::ServerNamespaceDisconnect)).await;
    }
    client.connect("40/other,").await;
    client.expect_nothing().await;
    assert!(io.sockets().is_empty());
    disconnections.expect_nothing();
}

#[tokio::test]
async fn an_event_handler_may_disconnect_its_socket_and_the_client_may_come_back() {
    let io = Server::new();
    let mut disconnections = disconnections(&io.of("/"));
    io.of("/")
        .on("leave", async |socket: Socket| {
            socket.disconnect(false);
            socket.disconnect(false);
        })
        .on("other", async || "other");
    let mut client = Client::join(serve(&io).await).await;
    let first = client.id.clone();
    // What the client sent before it knew is ignored (S-076).
    client.send_together(&[r#"42["leave"]"#, r#"420["other"]"#]).await;
    client.expect("41").await;
    disconnections.expect((first, DisconnectReason::ServerNamespaceDisconnect)).await;
    let second = client.connect("40").await;
    client.send(r#"420["other"]"#).await;
    client.expect(r#"430["other"]"#).await;
    client.send("41").await;
    disconnections.expect((second, DisconnectReason::ClientNamespaceDisconnect)).await;
    client.expect_nothing().await;
}

/// S-031: a DISCONNECT for each namespace, then the close.
#[tokio::test]
async fn disconnecting_for_good_ends_all_namespaces_and_the_connection() {
    let io = Server::new();
    let names = ["/", "/a", "/b"];
    let logs = names.map(|name| disconnections(&io.of(name)));
    io.of("/a").on("leave", async |socket: Socket| socket.disconnect(true));
    let mut client = Client::join(serve(&io).await).await;
    let mut ids = vec![client.id.clone()];
    ids.push(client.connect("40/a,").await);
    ids.push(client.connect("40/b,").await);
    client.send(r#"42/a,["leave"]"#).await;
    let mut left = Vec::new();
    for _ in names {
        let Incoming::Text(packet) = client.next("a DISCONNECT").await else {
            panic!("a DISCONNECT for each namespace comes before the close; got {left:?}")
        };
        left.push(packet);
    }
    client.expect_close().await;
    left.sort();
    assert_eq!(left, ["41", "41/a,", "41/b,"]);
    for (mut log, id) in logs.into_iter().zip(ids) {
        log.expect((id, DisconnectReason::ServerNamespaceDisconnect)).await;
        log.expect_nothing();
    }
    eventually("the end of the connection", || io.clients_count() == 0).await;
}

/// The client's own DISCONNECT was under way when the server put it out for good.
#[tokio::test]
async fn disconnecting_for_good_closes_the_connection_of_a_client_that_leaves_meanwhile() {
    let io = Server::new();
    let mut disconnections = disconnections(&io.of("/"));
    io.of("/").on("leave", async |socket: Socket| socket.disconnect(true));
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"42["leave"]"#, "41"]).await;
    client.expect("41").await;
    client.expect_close().await;
    let (id, _) = disconnections.next("the disconnection").await;
    assert_eq!(id, client.id);
    disconnections.expect_nothing();
}

/// The server puts the client out while its driver is busy; the client, who is told at once, comes
/// back before the driver has seen to the old socket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_put_out_may_come_back_before_its_driver_knows() {
    let io = Server::new();
    let mut disconnections = disconnections(&io.of("/"));
    let (entered_pen, mut entered) = log::<()>();
    let (go_on, gone_on) = std::sync::mpsc::channel::<()>();
    let gone_on = std::sync::Mutex::new(gone_on);
    io.of("/").on("busy", move || {
        entered_pen.write(());
        // What a driver does that has a lot to work through.
        let wait = || gone_on.lock().unwrap().recv_timeout(support::PATIENCE);
        tokio::task::block_in_place(wait).unwrap();
        async {}
    });
    let mut client = Client::join(serve(&io).await).await;
    let first = client.id.clone();
    client.send(r#"42["busy"]"#).await;
    entered.next("the handler").await;
    io.of("/").disconnect_sockets(false);
    client.expect("41").await;
    client.send("40").await;
    // The CONNECT must have arrived; that the peer's kernel has it is not visible from here.
    tokio::time::sleep(Duration::from_millis(20)).await;
    go_on.send(()).unwrap();
    let second = client.expect(r#"40{"sid":"<sid>"}"#).await.remove(0);
    assert_ne!(first, second);
    disconnections.expect((first, DisconnectReason::ServerNamespaceDisconnect)).await;
    disconnections.expect_nothing();
}

#[tokio::test]
async fn a_socket_may_be_disconnected_from_anywhere() {
    let io = Server::new();
    let mut disconnections = disconnections(&io.of("/"));
    let mut client = Client::join(serve(&io).await).await;
    let socket = io.of("/").socket(&client.id).unwrap();
    std::thread::spawn(move || socket.disconnect(false)).join().unwrap();
    client.expect("41").await;
    let reason = DisconnectReason::ServerNamespaceDisconnect;
    disconnections.expect((client.id.clone(), reason)).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_socket_that_was_put_out_is_out_at_once() {
    let io = Server::new();
    let client = Client::join(serve(&io).await).await;
    let socket = io.of("/").socket(&client.id).unwrap();
    socket.join("room");
    socket.disconnect(false);
    // Nothing was awaited: no driver has run.
    assert!(!socket.is_connected() && socket.emit("late", ()).is_err());
    assert!(io.sockets().is_empty() && io.to("room").sockets().is_empty());
    assert!(io.of("/").socket(&client.id).is_none());
}

#[tokio::test]
async fn over_polling_a_client_joins_and_is_put_out_alike() {
    let io = Server::new();
    let mut disconnections = disconnections(&io.of("/"));
    io.of("/").on("sum", async |Data((a, b)): Data<(i64, i64)>| a + b);
    let mut client = Polling::join(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    assert_eq!(socket.transport(), TransportName::Polling);
    client.post(r#"420["sum",1,2]"#).await;
    assert_eq!(client.poll().await, "430[3]");
    client.start_poll().await;
    socket.disconnect(true);
    assert_eq!(client.finish_poll().await, "41");
    disconnections
        .expect((socket.id().to_owned(), DisconnectReason::ServerNamespaceDisconnect))
        .await;
    // As the reference: the poll that fetches the close begins with a NOOP.
    assert_eq!(client.poll().await, "6\u{1e}1");
    eventually("the end of the session", || io.clients_count() == 0).await;
}

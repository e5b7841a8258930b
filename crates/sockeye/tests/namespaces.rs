//! Namespaces: how they come to be, by name, by pattern or by asking; and how they go.

#![cfg(feature = "server")]

mod support;

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sockeye::{ConnectError, DisconnectReason, Namespace, Server, Socket};
use tokio::sync::Semaphore;

use support::{Client, Log, Pen, eventually, log, serve};

/// The names of namespaces that come to be.
fn new_namespaces(io: &Server) -> Log<String> {
    let (pen, names) = log();
    io.on_new_namespace(move |namespace| pen.write(namespace.name()));
    names
}

/// A pattern for names that begin with `prefix`, which is asked asynchronously: it writes down
/// that it was, and answers at a permit what the client's `allow` says.
fn asked(io: &Server, prefix: &'static str, pen: &Pen<String>) -> (Namespace, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let (permits, pen) = (Arc::clone(&gate), pen.clone());
    let namespace = io.of_matching_async(move |name, auth| {
        let (permits, pen) = (Arc::clone(&permits), pen.clone());
        async move {
            if !name.starts_with(prefix) {
                return false;
            }
            pen.write(format!("{name} {auth}"));
            permits.acquire().await.expect("it is never closed").forget();
            auth["allow"] == true
        }
    });
    (namespace, gate)
}

const INVALID: &str = r#"{"message":"Invalid namespace"}"#;

#[tokio::test]
async fn s_032_a_missing_slash_is_added_and_the_same_name_is_the_same_namespace() {
    let io = Server::new();
    assert_eq!(io.of("chat"), io.of("/chat"));
    assert_eq!(io.of("").name(), "/");
    assert_eq!(io.of("/"), io.of(""));
    assert_ne!(io.of("/chat"), io.of("/chat/"));
    assert_ne!(io.of("/chat"), Server::new().of("/chat"), "of another server");
}

#[tokio::test]
async fn s_033_each_new_namespace_is_announced_once_and_patterns_are_not() {
    let io = Server::new();
    let mut names = new_namespaces(&io);
    io.of("/");
    io.of("/fixed");
    io.of("fixed");
    io.of_matching(|name| name.starts_with("/made-"));
    names.expect("/fixed").await;
    names.expect_nothing();
    let mut client = Client::open(serve(&io).await).await;
    client.connect("40/made-1,").await;
    names.expect("/made-1").await;
    // Whoever keeps it from now on, it was there.
    io.of("/made-1");
    client.connect("40/made-2,").await;
    names.expect("/made-2").await;
    client.send("40/other,").await;
    client.expect(&format!("44/other,{INVALID}")).await;
    names.expect_nothing();
}

#[tokio::test]
async fn s_033_a_hook_that_panics_or_makes_namespaces_disturbs_nobody() {
    let io = Server::new();
    let made = io.clone();
    io.on_new_namespace(move |namespace| {
        if !namespace.name().ends_with("-twin") {
            made.of(&format!("{}-twin", namespace.name()));
        }
        panic!("the hook");
    });
    io.of_matching(|name| name == "/made");
    let mut client = Client::open(serve(&io).await).await;
    client.connect("40/made,").await;
    client.connect("40/made-twin,").await;
    client.send("40/made-twin-twin,").await;
    client.expect(&format!("44/made-twin-twin,{INVALID}")).await;
}

#[tokio::test]
async fn s_034_patterns_are_asked_in_their_order_and_the_first_that_agrees_counts() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    io.of_matching(|name| name == "/b").on("who", async || "first");
    let (second, gate) = asked(&io, "/", &pen);
    second.on("who", async || "asked");
    io.of_matching(|_| true).on("who", async || "last");
    gate.add_permits(10);
    let mut client = Client::open(serve(&io).await).await;
    for (name, auth, answer) in [
        ("/a", r#"{"allow":true}"#, "asked"),
        ("/b", r#"{"allow":true}"#, "first"),
        ("/c", r#"{"allow":false}"#, "last"),
        ("/d", "{}", "last"),
    ] {
        client.connect(&format!("40{name},{auth}")).await;
        client.send(&format!(r#"42{name},0["who"]"#)).await;
        client.expect(&format!(r#"43{name},0["{answer}"]"#)).await;
        if answer != "first" {
            log.expect(format!("{name} {auth}")).await;
        }
    }
    log.expect_nothing();
}

/// What exists needs no pattern's consent, and comes before all patterns.
#[tokio::test]
async fn s_034_a_namespace_that_exists_is_found_without_asking() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let (_, gate) = asked(&io, "/", &pen);
    io.of("/fixed").on("who", async || "fixed");
    let address = serve(&io).await;
    let mut client = Client::open(address).await;
    client.connect("40/fixed,").await;
    client.send(r#"42/fixed,0["who"]"#).await;
    client.expect(r#"43/fixed,0["fixed"]"#).await;
    gate.add_permits(1);
    client.connect(r#"40/made,{"allow":true}"#).await;
    log.expect(r#"/made {"allow":true}"#).await;
    let mut other = Client::open(address).await;
    other.connect(r#"40/made,{"allow":false}"#).await;
    log.expect_nothing();
}

#[tokio::test]
async fn while_a_pattern_is_asked_the_clients_other_namespaces_go_on() {
    let io = Server::new();
    let (pen, mut log) = log::<String>();
    let (_, gate) = asked(&io, "/a", &pen);
    io.of("/").on("e", async || "answer");
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"40/a,{"allow":true}"#, r#"420["e"]"#, "40/none,"]).await;
    log.expect(r#"/a {"allow":true}"#).await;
    client.expect(r#"430["answer"]"#).await;
    client.expect(&format!("44/none,{INVALID}")).await;
    // A second request for the same changes nothing (S-026).
    client.send(r#"40/a,{"allow":false}"#).await;
    client.expect_nothing().await;
    gate.add_permits(1);
    client.expect(r#"40/a,{"sid":"<sid>"}"#).await;
    client.expect_nothing().await;
    log.expect_nothing();
}

#[tokio::test]
async fn of_two_clients_that_ask_for_one_namespace_each_gets_its_own_answer() {
    let io = Server::new();
    let mut names = new_namespaces(&io);
    let (pen, mut log) = log::<String>();
    let (pattern, gate) = asked(&io, "/", &pen);
    let (sockets, mut connected) = support::log::<Socket>();
    pattern.on_connect(move |socket: Socket| {
        sockets.write(socket);
        ready(())
    });
    let address = serve(&io).await;
    let mut clients = Vec::new();
    for auth in [r#"{"allow":true}"#, r#"{"allow":false}"#, r#"{"allow":true}"#] {
        let mut client = Client::open(address).await;
        client.send(&format!("40/a,{auth}")).await;
        log.expect(format!("/a {auth}")).await;
        clients.push(client);
    }
    gate.add_permits(3);
    clients[0].expect(r#"40/a,{"sid":"<sid>"}"#).await;
    clients[1].expect(&format!("44/a,{INVALID}")).await;
    clients[2].expect(r#"40/a,{"sid":"<sid>"}"#).await;
    let first = connected.next("the first").await;
    let second = connected.next("the second").await;
    assert_eq!(first.namespace(), second.namespace());
    assert_eq!(first.namespace().sockets().len(), 2);
    names.expect("/a").await;
    names.expect_nothing();
}

/// Nothing is left of it: the namespace was not even made.
#[tokio::test]
async fn a_client_that_goes_away_while_a_pattern_is_asked_is_forgotten() {
    let io = Server::new();
    let mut names = new_namespaces(&io);
    let (pen, mut log) = log::<String>();
    let (_, gate) = asked(&io, "/", &pen);
    let mut client = Client::open(serve(&io).await).await;
    client.send(r#"40/a,{"allow":true}"#).await;
    log.expect(r#"/a {"allow":true}"#).await;
    client.close().await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    gate.add_permits(1);
    tokio::task::yield_now().await;
    assert_eq!(gate.available_permits(), 1, "nobody waits for it any more");
    names.expect_nothing();
}

#[tokio::test]
async fn a_pattern_that_panics_says_no() {
    let io = Server::new();
    io.of_matching(|name| {
        assert_ne!(name, "/now");
        false
    });
    io.of_matching_async(|name, _| {
        assert_ne!(name, "/at-once");
        async move {
            tokio::task::yield_now().await;
            assert_ne!(name, "/later");
            false
        }
    });
    io.of_matching(|name| name != "/none");
    let mut client = Client::open(serve(&io).await).await;
    for name in ["/now", "/at-once", "/later", "/other"] {
        client.connect(&format!("40{name},")).await;
    }
    client.send("40/none,").await;
    client.expect(&format!("44/none,{INVALID}")).await;
    assert_eq!(io.of("/now").sockets().len(), 1);
}

#[tokio::test]
async fn s_036_a_namespace_that_the_program_asks_for_by_name_belongs_to_its_pattern() {
    let io = Server::new();
    let pattern = io.of_matching(|name| name.starts_with("/child-"));
    pattern.middleware(async || Err(ConnectError::new("the pattern's middleware")));
    let child = io.of("/child-1");
    // Later additions reach it too, since handlers are the pattern's.
    pattern.on("later", async || ());
    assert_eq!(child.listeners("later"), 1);
    let mut client = Client::open(serve(&io).await).await;
    client.send("40/child-1,").await;
    client.expect(r#"44/child-1,{"message":"the pattern's middleware"}"#).await;
    assert_eq!(io.of("/child-1"), child, "it stays, though nobody is in it");
}

#[tokio::test]
async fn s_038_what_is_done_to_a_pattern_is_done_to_all_its_namespaces() {
    let io = Server::new();
    let pattern = io.of_matching(|name| name.starts_with("/a-"));
    let other = io.of_matching(|name| name.starts_with("/b-"));
    pattern.emit("nobody hears it", ()).unwrap();
    let address = serve(&io).await;
    let (mut one, mut two) = (Client::open(address).await, Client::open(address).await);
    one.connect("40/a-1,").await;
    one.connect("40/b-1,").await;
    two.connect("40/a-2,").await;
    let first = io.of("/a-1").sockets().remove(0);
    first.join("room");
    pattern.emit("all", 1).unwrap();
    pattern.to("room").emit("room", ()).unwrap();
    pattern.except("room").emit("others", ()).unwrap();
    one.expect_all(&[r#"42/a-1,["all",1]"#, r#"42/a-1,["room"]"#]).await;
    two.expect_all(&[r#"42/a-2,["all",1]"#, r#"42/a-2,["others"]"#]).await;
    assert_eq!(pattern.sockets().len(), 2);
    assert_eq!(pattern.fetch_sockets().await.len(), 2);
    pattern.sockets_join("joined");
    assert_eq!(
        [&io.of("/a-1"), &io.of("/a-2")].map(|all| all.to("joined").sockets().len()),
        [1; 2]
    );
    pattern.to("room").sockets_leave("joined");
    assert_eq!(pattern.to("joined").sockets().len(), 1);
    assert!(other.to("joined").sockets().is_empty());

    let asking = pattern.clone();
    let answers = tokio::spawn(async move {
        asking.timeout(Duration::from_secs(5)).emit_with_ack::<i64>("ask", ()).await
    });
    one.expect(r#"42/a-1,0["ask"]"#).await;
    two.expect(r#"42/a-2,0["ask"]"#).await;
    one.send("43/a-1,0[1]").await;
    two.send("43/a-2,0[2]").await;
    let mut answers = answers.await.unwrap().unwrap();
    answers.sort_unstable();
    assert_eq!(answers, [1, 2]);

    pattern.disconnect_sockets(false);
    one.expect("41/a-1,").await;
    two.expect("41/a-2,").await;
    other.emit("still there", ()).unwrap();
    one.expect(r#"42/b-1,["still there"]"#).await;
    two.expect_nothing().await;
}

#[tokio::test]
async fn s_039_a_namespace_of_a_pattern_goes_with_its_last_socket_and_is_made_again() {
    let io = Server::new();
    let mut names = new_namespaces(&io);
    let (pen, mut gone) = log::<(String, DisconnectReason)>();
    let pattern = io.of_matching(|_| true);
    pattern.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
        pen.write((socket.namespace().name().to_owned(), reason));
        ready(())
    });
    let address = serve(&io).await;
    let mut stays = Client::open(address).await;
    stays.connect("40/stays,").await;
    names.expect("/stays").await;
    for _ in 0..3 {
        let mut client = Client::open(address).await;
        client.connect("40/a,").await;
        names.expect("/a").await;
        pattern.emit("hello", ()).unwrap();
        client.expect(r#"42/a,["hello"]"#).await;
        stays.expect(r#"42/stays,["hello"]"#).await;
        client.send("41/a,").await;
        gone.expect(("/a".to_owned(), DisconnectReason::ClientNamespaceDisconnect)).await;
    }
    names.expect_nothing();
}

#[tokio::test]
async fn s_039_a_namespace_whose_first_client_is_refused_goes_again() {
    let io = Server::new();
    let mut names = new_namespaces(&io);
    let lets_in = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&lets_in);
    io.of_matching(|_| true).middleware(move || {
        let verdict = asked.load(Ordering::SeqCst).then_some(()).ok_or_else(|| "no".into());
        ready(verdict)
    });
    let mut client = Client::open(serve(&io).await).await;
    for _ in 0..2 {
        client.send("40/a,").await;
        client.expect(r#"44/a,{"message":"no"}"#).await;
        names.expect("/a").await;
    }
    lets_in.store(true, Ordering::SeqCst);
    client.connect("40/a,").await;
    names.expect("/a").await;
}

#[tokio::test]
async fn s_039_a_namespace_that_somebody_holds_or_has_asked_for_stays() {
    let io = Server::new();
    let mut names = new_namespaces(&io);
    io.of_matching(|_| true);
    let mut client = Client::open(serve(&io).await).await;
    client.connect("40/held,").await;
    client.connect("40/kept,").await;
    names.expect("/held").await;
    names.expect("/kept").await;
    let held = io.of("/kept");
    drop(held);
    let socket = io.of("/kept").sockets().remove(0);
    client.send_together(&["41/held,", "41/kept,"]).await;
    eventually("the end of the sockets", || !socket.is_connected()).await;
    client.connect("40/kept,").await;
    names.expect_nothing();
    client.connect("40/held,").await;
    names.expect("/held").await;
}

/// A broadcast to a pattern looks at all namespaces while their last clients may be leaving them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s_038_a_pattern_can_be_reached_while_namespaces_come_and_go() {
    let io = Server::new();
    let pattern = io.of_matching(|name| name.starts_with("/a-"));
    io.of_matching(|name| name.starts_with("/b-"));
    let address = serve(&io).await;
    let over = Arc::new(AtomicBool::new(false));
    let (emitter, until) = (pattern.clone(), Arc::clone(&over));
    let emitting = tokio::task::spawn_blocking(move || {
        while !until.load(Ordering::SeqCst) {
            emitter.emit("tick", ()).unwrap();
        }
    });
    let visits = (0..4).map(|number| {
        tokio::spawn(async move {
            let mut client = Client::open(address).await;
            for round in 0..200 {
                let name = format!("/{}-{number}-{round}", ["a", "b"][round % 2]);
                client.send(&format!("40{name},")).await;
                client.send(&format!("41{name},")).await;
            }
            client.close().await;
        })
    });
    let visits: Vec<_> = visits.collect();
    for visit in visits {
        support::within("a client's visits", visit).await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    support::within("the emitter", emitting).await.unwrap();
    eventually("all sockets to be gone", || pattern.sockets().is_empty()).await;
}

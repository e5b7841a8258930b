//! Clients that come back: to whom they are the same, what they come back over, and when it is too
//! late in the last moment.

#![cfg(feature = "server")]

mod support;

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sockeye::{
    AcknowledgementError, ConnectionStateRecovery, EmitError, Server, Socket, TransportName,
};
use tokio::sync::Semaphore;

use support::{
    Client, Log, Lost, Polling, Returning, eventually, log, recovering, serve, serve_stream,
};

/// Comes back without having seen anything.
async fn come_back(lost: &Lost, address: SocketAddr) -> Client {
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
    client
}

/// Those who come back have to wait in a middleware: what was written down is whether they do, and
/// the permits let them go on.
fn hold_returning(io: &Server) -> (Log<bool>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let ((pen, asked), permits) = (log(), Arc::clone(&gate));
    io.of("/").middleware(move |socket: Socket| {
        let (pen, permits) = (pen.clone(), Arc::clone(&permits));
        async move {
            pen.write(socket.recovered());
            if socket.recovered() {
                permits.acquire().await.expect("it is never closed").forget();
            }
            Ok(())
        }
    });
    (asked, gate)
}

fn asking() -> ConnectionStateRecovery {
    ConnectionStateRecovery::new().skip_middlewares(false)
}

/// A handler goes on while its client is away and back: to it the client is the same.
#[tokio::test]
async fn s_053_a_sender_that_has_come_back_does_not_get_its_own_broadcast() {
    let io = recovering().build();
    let gate = Arc::new(Semaphore::new(0));
    let permits = Arc::clone(&gate);
    io.of("/").on("tell", move |socket: Socket| {
        let permits = Arc::clone(&permits);
        async move {
            permits.acquire().await.expect("it is never closed").forget();
            socket.to("room").emit("told", ()).unwrap();
            socket.broadcast().emit("told all", ()).unwrap();
            socket.emit("done", ()).unwrap();
        }
    });
    let address = serve(&io).await;
    let mut sender = Returning::join(address).await;
    io.of("/").sockets_join("room");
    sender.client.send(r#"42["tell"]"#).await;
    sender.client.expect_nothing().await;
    let lost = sender.vanish(&io).await;
    let mut other = Returning::join(address).await.client;
    io.of("/").socket(&other.id).unwrap().join("room");
    let mut client = come_back(&lost, address).await;
    lost.expect_recovered(&mut client).await;
    gate.add_permits(1);
    other.expect(r#"42["told","<text>"]"#).await;
    other.expect(r#"42["told all","<text>"]"#).await;
    client.expect(r#"42["done","<text>"]"#).await;
}

#[tokio::test]
async fn s_048_data_and_extensions_come_back_and_listeners_are_given_anew() {
    let io = recovering().build();
    let connections = AtomicUsize::new(0);
    io.of("/").on_connect(move |socket: Socket| {
        let number = connections.fetch_add(1, Ordering::SeqCst);
        if !socket.recovered() {
            socket.set_data(7).unwrap();
            socket.set_extension(String::from("extension"));
        }
        socket.on("which", move || ready(number));
        ready(())
    });
    let address = serve(&io).await;
    let mut returning = Returning::join(address).await;
    let first = io.sockets().remove(0);
    first.on("only before", async || ());
    returning.client.send(r#"420["which"]"#).await;
    returning.client.expect("430[0]").await;
    let lost = returning.vanish(&io).await;
    // Also what is changed while it is away.
    first.set_data(8).unwrap();
    let mut client = come_back(&lost, address).await;
    lost.expect_recovered(&mut client).await;
    let second = io.sockets().remove(0);
    assert_eq!(second.data::<u8>().unwrap(), 8);
    assert_eq!(*second.extension::<String>().unwrap(), "extension");
    assert_eq!([second.listeners("which"), second.listeners("only before")], [1, 0]);
    client.send(r#"421["which"]"#).await;
    client.expect("431[1]").await;
}

/// A handle that somebody kept still leads to the client, as its id does in the official server.
#[tokio::test]
async fn what_is_emitted_on_the_socket_before_reaches_the_client_that_is_back() {
    for takes_over in [false, true] {
        let io = recovering().build();
        let address = serve(&io).await;
        let returning = Returning::join(address).await;
        let before = io.sockets().remove(0);
        let lost = Lost { id: returning.client.id.clone(), pid: returning.pid.clone() };
        let dead = if takes_over {
            Some(returning)
        } else {
            returning.vanish(&io).await;
            None
        };
        before.emit("while away", 1).unwrap();
        let mut client = come_back(&lost, address).await;
        client.expect(r#"42["while away",1,"<text>"]"#).await;
        lost.expect_recovered(&mut client).await;
        before.emit("after", 2).unwrap();
        client.expect(r#"42["after",2,"<text>"]"#).await;
        drop(dead);
        eventually("the end of the first connection", || io.clients_count() == 1).await;
        before.emit("long after", 3).unwrap();
        client.expect(r#"42["long after",3,"<text>"]"#).await;
        let asked = before.emit_with_ack::<()>("ask", ()).await;
        let refused = AcknowledgementError::Emit(EmitError::Disconnected);
        assert_eq!(format!("{asked:?}"), format!("{:?}", Err::<(), _>(refused)));
        client.send("41").await;
        eventually("the end of the socket", || io.sockets().is_empty()).await;
        assert!(matches!(before.emit("too late", ()), Err(EmitError::Disconnected)));
    }
}

#[tokio::test]
async fn s_062_nobody_waits_for_the_answer_of_a_client_that_is_away() {
    let io = recovering().build();
    let address = serve(&io).await;
    let mut returning = Returning::join(address).await;
    let answer = io.sockets()[0].emit_with_ack::<i64>("ask", ());
    returning.client.expect(r#"420["ask"]"#).await;
    let lost = returning.vanish(&io).await;
    assert!(matches!(answer.await, Err(AcknowledgementError::Disconnected)));
    let mut client = come_back(&lost, address).await;
    lost.expect_recovered(&mut client).await;
    client.send("430[7]").await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_client_that_is_refused_may_still_come_back_while_it_has_time() {
    let io = Server::builder().connection_state_recovery(asking()).build();
    io.of("/").middleware(async |socket: Socket| {
        socket.join("from a middleware");
        match socket.auth::<serde_json::Value>().unwrap().get("refuse") {
            Some(_) => Err("no".into()),
            None => Ok(()),
        }
    });
    let address = serve(&io).await;
    let returning = Returning::join(address).await;
    io.sockets()[0].join("room");
    let lost = returning.vanish(&io).await;
    io.to("room").emit("missed", ()).unwrap();
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}","refuse":1}}"#, lost.pid)).await;
    client.expect(r#"44{"message":"no"}"#).await;
    io.to("from a middleware").emit("missed too", ()).unwrap();
    client.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
    client.expect(r#"42["missed","<text>"]"#).await;
    client.expect(r#"42["missed too","<text>"]"#).await;
    lost.expect_recovered(&mut client).await;
    let mut rooms = io.sockets()[0].rooms();
    rooms[1..].sort();
    assert_eq!(rooms, [lost.id.as_str(), "from a middleware", "room"]);
}

/// Rooms that a middleware chooses by who the client is now come on top of those that it had.
#[tokio::test]
async fn what_a_middleware_has_a_returning_client_join_is_added_to_its_rooms() {
    let io = Server::builder().connection_state_recovery(asking()).build();
    io.of("/").middleware(async |socket: Socket| {
        socket.join(if socket.recovered() { ["always", "second"] } else { ["always", "first"] });
        Ok(())
    });
    let address = serve(&io).await;
    let lost = Returning::join(address).await.vanish(&io).await;
    let mut client = come_back(&lost, address).await;
    lost.expect_recovered(&mut client).await;
    assert_eq!(io.sockets()[0].rooms(), [lost.id.as_str(), "always", "first", "second"]);
    for room in ["always", "first", "second"] {
        io.to(room).emit("to", room).unwrap();
        client.expect(&format!(r#"42["to","{room}","<text>"]"#)).await;
    }
}

/// Its time is over, or too much was sent, while a middleware still thinks about it: it is a new
/// client, and asked as such.
#[tokio::test]
async fn who_can_no_longer_go_on_when_the_middlewares_agree_is_asked_again_as_a_new_client() {
    let io = Server::builder().connection_state_recovery(asking().max_packets(2)).build();
    let (mut asked, gate) = hold_returning(&io);
    io.of("/").middleware(async |socket: Socket| {
        socket.join("from a middleware");
        Ok(())
    });
    let address = serve(&io).await;
    let lost = Returning::join(address).await.vanish(&io).await;
    asked.expect(false).await;
    io.to(lost.id.as_str()).emit("missed", ()).unwrap();
    let mut client = come_back(&lost, address).await;
    asked.expect(true).await;
    (0..3).for_each(|_| io.emit("missed", ()).unwrap());
    gate.add_permits(1);
    asked.expect(false).await;
    lost.expect_new(&mut client).await;
    let sockets = io.sockets();
    assert_eq!(sockets.len(), 1);
    assert!(!sockets[0].recovered());
    assert_eq!(sockets[0].rooms(), [sockets[0].id(), "from a middleware"]);
    assert_eq!(io.to("from a middleware").sockets(), sockets);
    assert_eq!(io.recovery_bytes(), 0);
    io.to("from a middleware").emit("live", ()).unwrap();
    client.expect(r#"42["live","<text>"]"#).await;
}

/// The application's word counts, though the connection has not heard it yet.
#[tokio::test]
async fn who_is_put_out_while_coming_back_over_another_connection_is_a_new_client() {
    let io = Server::builder().connection_state_recovery(asking()).build();
    let server = io.clone();
    io.of("/").middleware(move |socket: Socket| {
        if socket.recovered() {
            server.sockets()[0].disconnect(false);
        }
        ready(Ok(()))
    });
    let address = serve(&io).await;
    let Returning { client: mut before, pid } = Returning::join(address).await;
    io.sockets()[0].join("room");
    let lost = Lost { id: before.id.clone(), pid };
    let mut client = come_back(&lost, address).await;
    lost.expect_new(&mut client).await;
    before.expect("41").await;
    assert!(io.to("room").sockets().is_empty());
    assert_eq!(io.sockets().len(), 1);
}

/// The network came and went: of several connections that ask, the last one to be let in has it.
#[tokio::test]
async fn of_two_connections_that_come_back_at_once_the_last_one_stays_with_all_rooms() {
    let io = Server::builder().connection_state_recovery(asking()).build();
    let (mut asked, gate) = hold_returning(&io);
    let address = serve(&io).await;
    let returning = Returning::join(address).await;
    asked.expect(false).await;
    io.sockets()[0].join(["a", "b"]);
    let lost = returning.vanish(&io).await;
    io.to("a").emit("missed", ()).unwrap();
    let mut first = come_back(&lost, address).await;
    asked.expect(true).await;
    let mut second = come_back(&lost, address).await;
    asked.expect(true).await;
    gate.add_permits(2);
    for client in [&mut first, &mut second] {
        client.expect(r#"42["missed","<text>"]"#).await;
        lost.expect_recovered(client).await;
    }
    first.expect_close().await;
    eventually("the end of the first", || io.clients_count() == 1).await;
    let sockets = io.sockets();
    assert_eq!(sockets.len(), 1);
    assert_eq!(sockets[0].rooms().len(), 3);
    io.to(["a", "b"]).emit("live", ()).unwrap();
    second.expect(r#"42["live","<text>"]"#).await;
    second.expect_nothing().await;
}

/// The server still believes in its connection, and it shows what it cannot have: it has given that
/// connection up all the same, so it is not there twice.
#[tokio::test]
async fn who_comes_back_as_a_new_client_is_not_there_twice() {
    for takes_time in [false, true] {
        let recovery = asking().max_packets(1);
        let io = Server::builder().connection_state_recovery(recovery).build();
        let (mut asked, gate) = hold_returning(&io);
        let address = serve(&io).await;
        let Returning { client: mut before, pid } = Returning::join(address).await;
        asked.expect(false).await;
        let socket = io.sockets().remove(0);
        socket.join("room");
        let lost = Lost { id: before.id.clone(), pid };
        let mut client = Client::open(address).await;
        let offset = if takes_time { "" } else { r#","offset":"nonsense""# };
        client.send(&format!(r#"40{{"pid":"{}"{offset}}}"#, lost.pid)).await;
        asked.expect(takes_time).await;
        if takes_time {
            (0..2).for_each(|_| io.emit("forgotten", ()).unwrap());
            gate.add_permits(1);
            asked.expect(false).await;
            before.expect_all(&[r#"42["forgotten","<text>"]"#; 2]).await;
        }
        lost.expect_new(&mut client).await;
        before.expect_close().await;
        eventually("the end of the first", || io.clients_count() == 1).await;
        assert!(matches!(socket.emit("late", ()), Err(EmitError::Disconnected)));
        assert!(socket.rooms().is_empty() && io.to("room").sockets().is_empty());
        assert_eq!(io.sockets().len(), 1);
        assert_eq!(io.recovery_bytes(), 0);
    }
}

/// All at once would make a slow reader of it, and it would try again and again.
#[tokio::test]
async fn who_missed_more_than_half_of_what_may_be_queued_is_a_new_one() {
    for (events, recovers) in [(9, true), (11, false)] {
        let io = recovering().max_buffered_bytes(200_000).build();
        let address = serve(&io).await;
        let lost = Returning::join(address).await.vanish(&io).await;
        let text = "x".repeat(9_900);
        (0..events).for_each(|number| io.emit("missed", (number, &text)).unwrap());
        let mut client = come_back(&lost, address).await;
        if recovers {
            for number in 0..events {
                client.expect(&format!(r#"42["missed",{number},"{text}","<text>"]"#)).await;
            }
            lost.expect_recovered(&mut client).await;
        } else {
            lost.expect_new(&mut client).await;
            assert_eq!(io.recovery_bytes(), 0);
        }
    }
}

#[tokio::test]
async fn a_client_comes_back_over_polling() {
    let io = recovering().build();
    let address = serve(&io).await;
    let mut polling = Polling::open(address).await;
    polling.post("40").await;
    let connect = polling.poll().await;
    let texts: Vec<_> = connect.split('"').collect();
    let (id, pid) = (texts[3].to_owned(), texts[7].to_owned());
    io.sockets()[0].join("room");
    io.emit("seen", ()).unwrap();
    let seen = polling.poll().await;
    let offset = seen.split('"').nth(3).unwrap().to_owned();
    io.to("room").emit("queued", ()).unwrap();
    // Its goodbye is that of a closed page.
    polling.post("1").await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    io.to("room").emit("missed", bytes::Bytes::from_static(&[1, 2])).unwrap();

    let mut polling = Polling::open(address).await;
    polling.post(&format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#)).await;
    let answer = polling.poll().await;
    let packets: Vec<_> = answer.split('\u{1e}').collect();
    assert!(packets[0].starts_with(r#"42["queued","~"#), "{answer}");
    assert!(packets[1].starts_with(r#"451-["missed",{"_placeholder":true,"num":0},"~"#));
    assert_eq!(packets[2..], ["bAQI=", &format!(r#"40{{"sid":"{id}","pid":"{pid}"}}"#)]);
}

/// Over whatever transport it was, and whatever it is.
#[tokio::test]
async fn a_client_that_was_upgraded_comes_back_and_is_upgraded_again() {
    let io = recovering().build();
    let address = serve(&io).await;
    let mut lost = None::<(Lost, String)>;
    for round in 0..3 {
        let mut polling = Polling::open(address).await;
        let missed = match &lost {
            None => {
                polling.post("40").await;
                0
            }
            Some((Lost { pid, .. }, offset)) => {
                polling.post(&format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#)).await;
                1
            }
        };
        let answer = polling.poll().await;
        let packets: Vec<_> = answer.split('\u{1e}').collect();
        assert_eq!(packets.len(), missed + 1, "{answer}");
        let texts: Vec<_> = packets[missed].split('"').collect();
        let (id, pid) = (texts[3].to_owned(), texts[7].to_owned());
        if let Some((lost, _)) = &lost {
            assert_eq!((&lost.id, &lost.pid), (&id, &pid));
        }
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut client = Client::upgrading(stream, "/socket.io/", &polling.sid).await;
        client.send("2probe").await;
        client.expect("3probe").await;
        client.send("5").await;
        eventually("the upgrade", || io.sockets()[0].transport() == TransportName::WebSocket).await;
        io.emit("seen", round).unwrap();
        let offset = client.expect(&format!(r#"42["seen",{round},"<text>"]"#)).await.remove(0);
        drop(client);
        eventually("the end of the connection", || io.clients_count() == 0).await;
        io.emit("missed", round).unwrap();
        lost = Some((Lost { id, pid }, offset));
    }
}

/// Each namespace has its own place, secret and sequence.
#[tokio::test]
async fn s_029_a_client_comes_back_to_two_namespaces_on_one_connection() {
    let io = recovering().build();
    io.of("/a");
    io.of("/b");
    let address = serve(&io).await;
    let mut client = Client::open(address).await;
    let mut secrets = Vec::new();
    for name in ["/a", "/b"] {
        client.send(&format!("40{name},")).await;
        let answer = client.expect(&format!(r#"40{name},{{"sid":"<sid>","pid":"<sid>"}}"#)).await;
        io.of(name).emit("seen", ()).unwrap();
        let offset = client.expect(&format!(r#"42{name},["seen","<text>"]"#)).await.remove(0);
        secrets.push((answer[0].clone(), answer[1].clone(), offset));
    }
    client.close().await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    io.of("/b").emit("missed b", ()).unwrap();
    io.of("/a").emit("missed a", ()).unwrap();
    let mut client = Client::open(address).await;
    // One asks with the other's offset, and is a new one; that does not concern the other.
    let (_, pid, _) = &secrets[0];
    let (_, _, offset) = &secrets[1];
    client.send(&format!(r#"40/a,{{"pid":"{pid}","offset":"{offset}"}}"#)).await;
    let answer = client.expect(r#"40/a,{"sid":"<sid>","pid":"<sid>"}"#).await;
    assert_ne!(answer[0], secrets[0].0);
    let (id, pid, offset) = &secrets[1];
    client.send(&format!(r#"40/b,{{"pid":"{pid}","offset":"{offset}"}}"#)).await;
    client.expect(r#"42/b,["missed b","<text>"]"#).await;
    client.expect(&format!(r#"40/b,{{"sid":"{id}","pid":"{pid}"}}"#)).await;
    client.expect_nothing().await;
}

/// A namespace of a pattern is kept for those who may come back to it.
#[tokio::test]
async fn s_039_a_namespace_of_a_pattern_stays_while_its_last_client_is_away() {
    let io = recovering().build();
    let (pen, mut made) = log::<String>();
    io.on_new_namespace(move |namespace| pen.write(namespace.name()));
    io.of_matching(|_| true);
    let address = serve(&io).await;
    let mut client = Client::open(address).await;
    client.send("40/a,").await;
    let answer = client.expect(r#"40/a,{"sid":"<sid>","pid":"<sid>"}"#).await;
    made.expect("/a").await;
    client.close().await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40/a,{{"pid":"{}"}}"#, answer[1])).await;
    client.expect(&format!(r#"40/a,{{"sid":"{}","pid":"{}"}}"#, answer[0], answer[1])).await;
    client.send("41/a,").await;
    client.send("40/a,").await;
    client.expect(r#"40/a,{"sid":"<sid>","pid":"<sid>"}"#).await;
    made.expect("/a").await;
    made.expect_nothing();
}

/// What arrived before the ping before need not be kept.
#[tokio::test(start_paused = true)]
async fn two_answers_to_pings_free_what_was_sent_before_the_first() {
    let io = recovering().ping_interval(Duration::from_secs(1)).build();
    let address = serve(&io).await;
    let mut client = Returning::join(address).await.client;
    client.ignore_pings();
    io.emit("large", "x".repeat(10_000)).unwrap();
    client.expect(r#"42["large",<any>"#).await;
    assert!(io.recovery_bytes() > 10_000);
    client.expect("2").await;
    client.send("3").await;
    client.expect("2").await;
    assert!(io.recovery_bytes() > 10_000, "its ping may have been on its way before");
    io.emit("small", ()).unwrap();
    client.expect(r#"42["small",<any>"#).await;
    client.send("3").await;
    client.expect("2").await;
    assert!((1..1_000).contains(&io.recovery_bytes()), "the small one is kept");
    client.send("3").await;
    client.expect("2").await;
    assert_eq!(io.recovery_bytes(), 0);
}

struct WritesWhenDropped(support::Pen<String>);

impl Drop for WritesWhenDropped {
    fn drop(&mut self) {
        self.0.write("dropped");
    }
}

/// Nobody can come back to it.
#[tokio::test]
async fn when_the_server_is_dropped_nothing_is_kept_for_who_is_away() {
    let io = recovering().build();
    let (pen, mut log) = log::<String>();
    let extension = pen.clone();
    io.of("/").on_connect(move |socket: Socket| {
        socket.set_extension(WritesWhenDropped(extension.clone()));
        ready(())
    });
    io.of("/").on_disconnect(move || {
        pen.write("away");
        ready(())
    });
    let (stream, other_end) = tokio::io::duplex(1 << 16);
    let serving = serve_stream(&io, other_end);
    let mut client = Client::over(stream, "/socket.io/").await;
    client.expect_open().await;
    client.send("40").await;
    client.expect(r#"40{"sid":"<sid>","pid":"<sid>"}"#).await;
    drop(client);
    log.expect("away").await;
    support::within("the end of the connection", serving).await.unwrap();
    log.expect_nothing();
    drop(io);
    log.expect("dropped").await;
}

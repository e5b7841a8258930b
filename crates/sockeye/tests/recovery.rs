//! Clients that lose their connection and come back.

#![cfg(feature = "server")]

mod support;

use std::time::Duration;

use sockeye::{
    ConnectError, ConnectionStateRecovery, DisconnectReason, OwnedArguments, Server, Socket,
};

use support::{Client, Lost, Returning, eventually, log, recovering, serve};

#[tokio::test]
async fn s_085_a_client_gets_what_it_missed_and_then_that_it_is_back() {
    let io = recovering().build();
    let (pen, mut connections) = log::<(bool, usize, Option<u8>)>();
    io.of("/").on_connect(move |socket: Socket| {
        let pen = pen.clone();
        async move {
            pen.write((socket.recovered(), socket.rooms().len(), socket.data::<u8>().ok()));
            if !socket.recovered() {
                socket.join(["a", "b"]);
                socket.set_data(7).unwrap();
            }
        }
    });
    let address = serve(&io).await;
    let mut returning = Returning::join(address).await;
    connections.expect((false, 1, None)).await;
    io.emit("seen", ()).unwrap();
    let offset = returning.client.expect(r#"42["seen","<text>"]"#).await.remove(0);
    let lost = returning.vanish(&io).await;
    io.emit("to all", 1).unwrap();
    io.to("a").emit("to a", ()).unwrap();
    io.to(["a", "b"]).emit("to both", "é").unwrap();
    io.to("other").emit("not to it", ()).unwrap();
    io.except("b").emit("not to b", ()).unwrap();
    io.to(lost.id.as_str()).emit("to itself", bytes::Bytes::from_static(&[1, 2])).unwrap();
    io.of("/").volatile().emit("volatile", ()).unwrap();
    let mut client = lost.come_back(address, &offset).await;
    client.expect(r#"42["to all",1,"<text>"]"#).await;
    client.expect(r#"42["to a","<text>"]"#).await;
    client.expect(r#"42["to both","é","<text>"]"#).await;
    client.expect(r#"451-["to itself",{"_placeholder":true,"num":0},"<text>"]"#).await;
    client.expect_binary(&[1, 2]).await;
    lost.expect_recovered(&mut client).await;
    connections.expect((true, 3, Some(7))).await;
    io.to("b").emit("live", ()).unwrap();
    client.expect(r#"42["live","<text>"]"#).await;
    assert_eq!(io.sockets().len(), 1);
}

#[tokio::test]
async fn what_was_not_read_before_the_connection_broke_is_sent_again() {
    let io = recovering().build();
    let address = serve(&io).await;
    let mut returning = Returning::join(address).await;
    (0..3).for_each(|n| io.emit("n", n).unwrap());
    let offset = returning.client.expect(r#"42["n",0,"<text>"]"#).await.remove(0);
    let lost = returning.vanish(&io).await;
    let mut client = lost.come_back(address, &offset).await;
    client.expect(r#"42["n",1,"<text>"]"#).await;
    client.expect(r#"42["n",2,"<text>"]"#).await;
    lost.expect_recovered(&mut client).await;
}

#[tokio::test]
async fn a_client_may_be_told_first_and_get_what_it_missed_then() {
    let recovery = ConnectionStateRecovery::new().connect_first(true);
    let io = Server::builder().connection_state_recovery(recovery).build();
    let address = serve(&io).await;
    let lost = Returning::join(address).await.vanish(&io).await;
    io.emit("missed", ()).unwrap();
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
    lost.expect_recovered(&mut client).await;
    client.expect(r#"42["missed","<text>"]"#).await;
}

#[tokio::test]
async fn a_client_that_was_sent_nothing_recovers_without_an_offset() {
    let io = recovering().build();
    let address = serve(&io).await;
    let lost = Returning::join(address).await.vanish(&io).await;
    io.emit("missed", ()).unwrap();
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
    client.expect(r#"42["missed","<text>"]"#).await;
    lost.expect_recovered(&mut client).await;
}

/// The official client takes the last text of whatever event for the offset (S-089): so volatile
/// events carry one too.
#[tokio::test]
async fn a_volatile_event_in_between_does_not_spoil_recovery() {
    let io = recovering().build();
    let address = serve(&io).await;
    let mut returning = Returning::join(address).await;
    io.emit("reliable", ()).unwrap();
    returning.client.expect(r#"42["reliable","<text>"]"#).await;
    io.of("/").volatile().emit("tick", ()).unwrap();
    let offset = returning.client.expect(r#"42["tick","<text>"]"#).await.remove(0);
    let lost = returning.vanish(&io).await;
    io.emit("missed", ()).unwrap();
    let mut client = lost.come_back(address, &offset).await;
    client.expect(r#"42["missed","<text>"]"#).await;
    lost.expect_recovered(&mut client).await;
}

#[tokio::test]
async fn a_client_that_shows_something_else_than_its_offset_is_a_new_one() {
    for offset in ["tick", "", "~", "~zzzz", "1"] {
        let io = recovering().build();
        let address = serve(&io).await;
        let mut returning = Returning::join(address).await;
        io.emit("seen", ()).unwrap();
        returning.client.expect(r#"42["seen","<text>"]"#).await;
        let lost = returning.vanish(&io).await;
        let mut client = lost.come_back(address, offset).await;
        lost.expect_new(&mut client).await;
        assert_eq!(io.sockets().len(), 1);
        assert_eq!(io.recovery_bytes(), 0, "nothing is kept for who will not come back");
    }
}

#[tokio::test]
async fn another_clients_secret_or_namespace_recovers_nothing() {
    let io = recovering().build();
    io.of("/other");
    let address = serve(&io).await;
    let lost = Returning::join(address).await.vanish(&io).await;
    let mut client = Client::open(address).await;
    client.send(r#"40{"pid":"AAAAAAAAAAAAAAAAAAAA"}"#).await;
    lost.expect_new(&mut client).await;
    client.send(&format!(r#"40/other,{{"pid":"{}"}}"#, lost.pid)).await;
    let answer = client.expect(r#"40/other,{"sid":"<sid>","pid":"<sid>"}"#).await;
    assert_ne!(answer[1], lost.pid);
    client.send("41").await;
    client.send(r#"40{"pid":7,"offset":[]}"#).await;
    lost.expect_new(&mut client).await;
}

/// S-077. That it is off by default is what all other tests rely on.
#[test]
fn by_default_a_client_has_two_minutes_and_skips_middlewares() {
    let text = format!("{:?}", ConnectionStateRecovery::default());
    assert!(text.contains("max_disconnection_duration: 120s"), "{text}");
    assert!(text.contains("skip_middlewares: true"), "{text}");
}

/// S-082.
#[tokio::test]
async fn how_a_connection_ends_decides_whether_its_client_may_come_back() {
    let io = recovering()
        .ping_interval(Duration::from_millis(50))
        .ping_timeout(Duration::from_millis(50))
        .build();
    let (pen, mut ends) = log::<DisconnectReason>();
    io.of("/").on_disconnect(move |reason: DisconnectReason| {
        pen.write(reason);
        async {}
    });
    let address = serve(&io).await;
    for (said, reason, returns) in [
        (&b"\x81\x81\0\0\0\0x"[..], DisconnectReason::ParseError, false),
        (b"\x81\x82\0\0\0\x004x", DisconnectReason::ForcedClose, true),
        (b"\x81\x01x", DisconnectReason::TransportError, true),
        (b"\x88\x80\0\0\0\0", DisconnectReason::TransportClose, true),
        (b"", DisconnectReason::PingTimeout, true),
    ] {
        let Returning { mut client, pid } = Returning::join(address).await;
        let lost = Lost { id: client.id.clone(), pid };
        client.send_bytes(said).await;
        client.ignore_pings();
        ends.expect(reason).await;
        assert_eq!(reason.is_recoverable(), returns);
        drop(client);
        eventually("the end of the connection", || io.clients_count() == 0).await;
        let mut again = Client::open(address).await;
        again.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
        if returns {
            lost.expect_recovered(&mut again).await;
        } else {
            lost.expect_new(&mut again).await;
        }
        again.send("41").await;
        ends.expect(DisconnectReason::ClientNamespaceDisconnect).await;
    }
}

#[tokio::test]
async fn who_leaves_on_purpose_or_is_put_out_does_not_come_back() {
    let io = recovering().build();
    let address = serve(&io).await;
    for by_server in [false, true] {
        let mut returning = Returning::join(address).await;
        if by_server {
            io.sockets()[0].disconnect(false);
            returning.client.expect("41").await;
        } else {
            returning.client.send("41").await;
        }
        eventually("the socket to be gone", || io.sockets().is_empty()).await;
        let lost = returning.vanish(&io).await;
        let mut client = lost.come_back(address, "~0").await;
        lost.expect_new(&mut client).await;
        drop(client);
        eventually("the end of the connection", || io.clients_count() == 0).await;
    }
}

/// Mobile clients find a new network long before the server misses them on the old one.
#[tokio::test]
async fn a_client_takes_over_from_a_connection_that_the_server_still_believes_in() {
    let io = recovering().build();
    let (pen, mut ends) = log::<(String, DisconnectReason)>();
    io.of("/").on_disconnect(move |socket: Socket, reason: DisconnectReason| {
        pen.write((socket.id().to_owned(), reason));
        async {}
    });
    let address = serve(&io).await;
    let mut returning = Returning::join(address).await;
    io.sockets()[0].join("room");
    io.emit("seen", ()).unwrap();
    let offset = returning.client.expect(r#"42["seen","<text>"]"#).await.remove(0);
    io.to("room").emit("unread", ()).unwrap();
    let Returning { client: mut dead, pid } = returning;
    let lost = Lost { id: dead.id.clone(), pid };
    let mut client = lost.come_back(address, &offset).await;
    client.expect(r#"42["unread","<text>"]"#).await;
    lost.expect_recovered(&mut client).await;
    dead.expect(r#"42["unread","<text>"]"#).await;
    dead.expect_close().await;
    ends.expect((lost.id.clone(), DisconnectReason::ForcedClose)).await;
    io.to("room").emit("live", ()).unwrap();
    client.expect(r#"42["live","<text>"]"#).await;
    assert_eq!(io.to("room").sockets().len(), 1);
    assert_eq!(io.sockets().len(), 1);
}

#[tokio::test]
async fn middlewares_are_skipped_unless_they_are_wanted() {
    for skip in [true, false] {
        let recovery = ConnectionStateRecovery::new().skip_middlewares(skip);
        let io = Server::builder().connection_state_recovery(recovery).build();
        let (pen, mut asked) = log::<bool>();
        io.of("/").middleware(move |socket: Socket| {
            pen.write(socket.recovered());
            async move { if socket.recovered() { Err(ConnectError::new("no")) } else { Ok(()) } }
        });
        let address = serve(&io).await;
        let lost = Returning::join(address).await.vanish(&io).await;
        asked.expect(false).await;
        let mut client = Client::open(address).await;
        client.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
        if skip {
            lost.expect_recovered(&mut client).await;
            asked.expect_nothing();
        } else {
            asked.expect(true).await;
            client.expect(r#"44{"message":"no"}"#).await;
        }
        // Who only says that it was here is asked like anybody else.
        let mut stranger = Client::open(address).await;
        stranger.send(r#"40{"pid":"AAAAAAAAAAAAAAAAAAAA","offset":"~0"}"#).await;
        asked.expect(false).await;
        lost.expect_new(&mut stranger).await;
    }
}

#[tokio::test(start_paused = true)]
async fn s_088_after_its_time_a_client_is_forgotten_with_its_rooms_and_packets() {
    let time = Duration::from_secs(3);
    let recovery = ConnectionStateRecovery::new().max_disconnection_duration(time);
    let io = Server::builder().connection_state_recovery(recovery).build();
    let address = serve(&io).await;
    let returning = Returning::join(address).await;
    let socket = io.sockets().remove(0);
    socket.join("room");
    let lost = returning.vanish(&io).await;
    io.to("room").emit("missed", "x".repeat(1000)).unwrap();
    socket.emit("missed", ()).unwrap();
    assert!(io.recovery_bytes() > 1000);
    assert!(io.sockets().is_empty() && io.to("room").sockets().is_empty());
    tokio::time::sleep(time + Duration::from_millis(10)).await;
    assert_eq!(io.recovery_bytes(), 0);
    assert!(socket.emit("missed", ()).is_err());
    let mut client = lost.come_back(address, "~0").await;
    lost.expect_new(&mut client).await;
}

#[tokio::test]
async fn more_than_the_limits_is_refused_and_never_partial() {
    let tight = ConnectionStateRecovery::new();
    for recovery in [tight.clone().max_packets(2), tight.max_bytes(1_000)] {
        let io = Server::builder().connection_state_recovery(recovery).build();
        let address = serve(&io).await;
        let mut returning = Returning::join(address).await;
        io.emit("seen", ()).unwrap();
        let offset = returning.client.expect(r#"42["seen","<text>"]"#).await.remove(0);
        let lost = returning.vanish(&io).await;
        (0..4).for_each(|n| io.emit("missed", (n, "x".repeat(400))).unwrap());
        let mut client = lost.come_back(address, &offset).await;
        lost.expect_new(&mut client).await;
        assert_eq!(io.recovery_bytes(), 0);
        io.emit("live", ()).unwrap();
        client.expect(r#"42["live","<text>"]"#).await;
    }
}

/// It was on its way when the connection broke, and cannot be sent again.
#[tokio::test]
async fn who_missed_a_first_event_that_was_too_much_to_keep_is_a_new_client() {
    let recovery = ConnectionStateRecovery::new().max_bytes(1_000);
    let io = Server::builder().connection_state_recovery(recovery).build();
    let address = serve(&io).await;
    let returning = Returning::join(address).await;
    io.emit("large", "x".repeat(2_000)).unwrap();
    io.emit("small", ()).unwrap();
    let lost = returning.vanish(&io).await;
    let mut client = Client::open(address).await;
    client.send(&format!(r#"40{{"pid":"{}"}}"#, lost.pid)).await;
    lost.expect_new(&mut client).await;
}

#[tokio::test]
async fn handlers_see_no_offsets_and_events_with_acknowledgements_carry_none() {
    let io = recovering().build();
    let (pen, mut shown) = log::<String>();
    io.of("/").on_any_outgoing(move |_, name, arguments| {
        pen.write(format!("{name} {:?}", arguments.iter().collect::<Vec<_>>()));
    });
    io.of("/").on("echo", async |socket: Socket, arguments: OwnedArguments| {
        let answer = socket.emit_with_ack::<String>("ask", "now").await.unwrap();
        assert_eq!(answer, "text");
        socket.emit("echo", arguments).unwrap();
    });
    let address = serve(&io).await;
    let mut returning = Returning::join(address).await;
    returning.client.send(r#"42["echo","text"]"#).await;
    returning.client.expect(r#"420["ask","now"]"#).await;
    returning.client.send(r#"430["text"]"#).await;
    returning.client.expect(r#"42["echo","text","<text>"]"#).await;
    shown.expect(r#"ask ["\"now\""]"#.to_owned()).await;
    shown.expect(r#"echo ["\"text\""]"#.to_owned()).await;
}

/// Libraries that know nothing of recovery would show the offset to their users.
#[tokio::test]
async fn clients_that_cannot_use_an_offset_get_none() {
    let recovery = ConnectionStateRecovery::new()
        .offered_to(|handshake| handshake.query().any(|(key, _)| key == "recovers"));
    let io = Server::builder().connection_state_recovery(recovery).build();
    let address = serve(&io).await;
    let mut plain = Client::join(address).await;
    io.emit("to all", ()).unwrap();
    plain.expect(r#"42["to all"]"#).await;
}

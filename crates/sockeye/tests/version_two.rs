//! Clients of Socket.IO 2 (S-099 to S-102), and what such clients send over polling.

#![cfg(feature = "server")]

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sockeye::{
    Auth, ConnectError, ConnectionStateRecovery, Data, DisconnectReason, OwnedArguments, Server,
    Socket,
};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use support::{Client, Http, log, serve};

type Query = HashMap<String, String>;

fn server() -> Server {
    let io = Server::builder().allow_eio3(true).connect_timeout(Duration::from_millis(300)).build();
    io.of_matching(|name| name.starts_with("/chat"));
    for namespace in [io.of("/"), io.of("/other")] {
        namespace
            .on("echo", async |socket: Socket, arguments: OwnedArguments| {
                socket.emit("echo", arguments).expect("it is connected");
            })
            .on("sum", async |Data((a, b)): Data<(i64, i64)>| a + b)
            .on("rooms", async |socket: Socket| socket.rooms());
    }
    io
}

/// Opens a WebSocket as such a client does.
async fn open(address: SocketAddr, query: &str) -> Client {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client =
        Client::with_query(stream, &format!("/socket.io/?EIO=3&transport=websocket{query}")).await;
    client.expect_open().await;
    client
}

async fn join(address: SocketAddr) -> Client {
    let mut client = open(address, "").await;
    client.expect("40").await;
    client
}

async fn exchange(client: &mut Client, packet: &str, answer: &str) {
    client.send(packet).await;
    client.expect(answer).await;
}

/// S-099.
#[tokio::test]
async fn the_client_is_in_without_asking_under_the_id_of_its_session() {
    let io = server();
    let (pen, mut connections) = log::<String>();
    io.of("/").on_connect(move |socket: Socket, Auth(auth): Auth<Query>| {
        assert!(auth.is_empty());
        pen.write(socket.id());
        async {}
    });
    let mut client = join(serve(&io).await).await;
    connections.expect(client.session.clone()).await;
    client.send("420[\"rooms\"]").await;
    client.expect(&format!("430[[\"{}\"]]", client.session)).await;
    io.to(client.session.as_str()).emit("hello", ()).unwrap();
    client.expect("42[\"hello\"]").await;
    client.send("421[\"sum\",1,2]").await;
    client.expect("431[3]").await;
}

/// Some clients send a CONNECT for `/` all the same; the reference closes their connections.
#[tokio::test]
async fn a_connect_that_goes_without_saying_is_ignored() {
    let mut client = join(serve(&server()).await).await;
    client.send_together(&["40", "40/?token=x,", "42[\"echo\",1]"]).await;
    client.expect("42[\"echo\",1]").await;
    exchange(&mut client, "40/other,", "40/other,").await;
    client.send("40/other,").await;
    client.expect_close().await;
}

/// S-099, S-100.
#[tokio::test]
async fn other_namespaces_are_asked_for_with_a_query_that_becomes_auth() {
    let io = server();
    let (pen, mut connections) = log::<(String, Query)>();
    io.of("/other").on_connect(move |socket: Socket, Auth(auth): Auth<Query>| {
        pen.write((socket.id().to_owned(), auth));
        async {}
    });
    let mut client = join(serve(&io).await).await;
    exchange(&mut client, "40/other?token=x&name=J%C3%BCrgen+K,", "40/other,").await;
    let id = format!("/other#{}", client.session);
    let auth = [("token", "x"), ("name", "Jürgen K")];
    let auth = auth.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    connections.expect((id.clone(), auth)).await;
    client.send("42/other,0[\"rooms\"]").await;
    client.expect(&format!("43/other,0[[\"{id}\"]]")).await;
    client.send("42/other?token=x,[\"echo\",1]").await;
    client.expect("42/other,[\"echo\",1]").await;
    client.send("41/other").await;
    exchange(&mut client, "40/other", "40/other,").await;
    connections.expect((id.clone(), Query::new())).await;
    io.of("/other").to(id).emit("back", ()).unwrap();
    client.expect("42/other,[\"back\"]").await;
    exchange(&mut client, "40/chat-1?a=1,", "40/chat-1,").await;
    exchange(&mut client, "40/nowhere?a=1,", "44/nowhere,{\"message\":\"Invalid namespace\"}")
        .await;
}

/// S-101.
#[tokio::test]
async fn a_refusal_is_the_bare_data_or_the_bare_message() {
    let io = server();
    io.of("/").middleware(async |socket: Socket| {
        match socket.handshake().query().find(|(key, _)| key == "why") {
            Some((_, why)) if why == "data" => {
                Err(ConnectError::new("no").with_data(json!({"code": 7})))
            }
            Some(_) => Err(ConnectError::new("no")),
            None => Ok(()),
        }
    });
    io.of("/other").middleware(async |_: Socket| Err(ConnectError::new("neither")));
    let address = serve(&io).await;
    let mut joined = join(address).await;
    open(address, "&why=data").await.expect("44{\"code\":7}").await;
    let mut client = open(address, "&why=message").await;
    client.expect("44\"no\"").await;
    exchange(&mut client, "40/other,", "44/other,\"neither\"").await;
    // S-102: who is in nothing has no more time than others.
    client.expect_close().await;
    joined.send("42[\"echo\"]").await;
    joined.expect("42[\"echo\"]").await;
}

/// E-115; attachments come and go with a type byte, and as text if the client wants that.
#[tokio::test]
async fn attachments_have_a_type_byte() {
    let io = server();
    let address = serve(&io).await;
    let mut client = join(address).await;
    client.send("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]").await;
    client.send_binary(&[4, 1, 2]).await;
    client.expect("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]").await;
    client.expect_binary(&[4, 1, 2]).await;
    let mut textual = open(address, "&b64=1").await;
    textual.expect("40").await;
    let mut modern = Client::join(address).await;
    io.emit("all", Bytes::from_static(&[1, 2])).unwrap();
    let event = "451-[\"all\",{\"_placeholder\":true,\"num\":0}]";
    client.expect(event).await;
    client.expect_binary(&[4, 1, 2]).await;
    textual.expect_all(&[event, "b4AQI="]).await;
    modern.expect(event).await;
    modern.expect_binary(&[1, 2]).await;
}

/// E-081: the client pings; a silent one is ended.
#[tokio::test]
async fn the_client_pings() {
    let io = Server::builder()
        .allow_eio3(true)
        .ping_interval(Duration::from_millis(100))
        .ping_timeout(Duration::from_millis(100))
        .build();
    let (pen, mut reasons) = log::<DisconnectReason>();
    io.of("/").on_disconnect(move |reason: DisconnectReason| {
        pen.write(reason);
        async {}
    });
    let mut client = join(serve(&io).await).await;
    exchange(&mut client, "2", "3").await;
    // Nothing but the end: the server asks nobody.
    client.expect_close().await;
    reasons.expect(DisconnectReason::PingTimeout).await;
}

/// The trace of the reference in polling-eio3-csr.txt, with text, binary and base64 bodies.
#[tokio::test]
async fn polling_goes_as_with_the_reference() {
    let io = server();
    let (sender, mut sockets) = mpsc::unbounded_channel();
    io.of("/").on_connect(move |socket: Socket| {
        let _ = sender.send(socket);
        async {}
    });
    let mut http = Http::open(serve(&io).await).await;
    for (query, bin) in [
        ("?EIO=3&transport=polling", &b"\0\x04\x01\xff451-[\"bin\",{\"_placeholder\":true,\"num\":0}]\x01\x03\xff\x04\x01\x02"[..]),
        ("?transport=polling&b64=1", b"41:451-[\"bin\",{\"_placeholder\":true,\"num\":0}]6:b4AQI="),
        (
            "?EIO=3&transport=polling&j=0&b64=1",
            b"___eio[0](\"41:451-[\\\"bin\\\",{\\\"_placeholder\\\":true,\\\"num\\\":0}]6:b4AQI=\");",
        ),
    ] {
        let target = format!("/socket.io/{query}");
        let open = http.get(&target).await.body;
        let sid = open.split(['"', '\\']).find(|part| part.len() == 20).expect("a sid");
        let target = format!("{target}&sid={sid}");
        assert!(http.get(&target).await.body.contains("2:40"));
        let body = "25:42[\"echo\",\"é€😀\",\"Q7vye\"]";
        let is_form = query.contains("j=");
        let sent = if is_form { format!("d={}", body.replace('"', "%22")) } else { body.into() };
        assert_eq!(http.post(&target, &sent).await.body, "ok");
        let got = http.get(&target).await.body.replace('\\', "");
        assert!(got.contains(body), "{got}");
        let socket = sockets.recv().await.expect("a socket");
        socket.emit("bin", Bytes::from_static(&[1, 2])).unwrap();
        let got = http.get(&target).await.bytes;
        assert_eq!(got, bin, "{}", got.escape_ascii());
        let ping = if is_form { "d=1:2" } else { "1:2" };
        assert_eq!(http.post(&target, ping).await.body, "ok");
        assert!(http.get(&target).await.body.contains("1:3"));
        socket.close_connection();
        assert!(http.get(&target).await.body.contains("1:1"));
    }
}

/// A client that leaves `/` and comes back has its old id; nothing of the old socket is in its way.
#[tokio::test]
async fn an_id_can_be_used_again() {
    let io = server();
    let mut client = join(serve(&io).await).await;
    for _ in 0..3 {
        client.send("41").await;
        exchange(&mut client, "40", "40").await;
        client.send("420[\"rooms\"]").await;
        client.expect(&format!("430[[\"{}\"]]", client.session)).await;
        io.of("/").socket(&client.session).expect("it is in").disconnect(false);
        client.expect("41").await;
        exchange(&mut client, "40", "40").await;
        io.to(client.session.as_str()).emit("hello", ()).unwrap();
        client.expect("42[\"hello\"]").await;
    }
}

/// Unlike S-102: it could do nothing with offsets.
#[tokio::test]
async fn the_client_is_offered_no_recovery() {
    let recovery = ConnectionStateRecovery::new();
    let io = Server::builder().allow_eio3(true).connection_state_recovery(recovery).build();
    let mut client = join(serve(&io).await).await;
    io.emit("to all", ()).unwrap();
    client.expect("42[\"to all\"]").await;
    io.of("/").socket(&client.session).expect("it is in").emit("to one", 1).unwrap();
    client.expect("42[\"to one\",1]").await;
    assert_eq!(io.recovery_bytes(), 0);
}

//! Peers that begin something and do not go on with it.

#![cfg(feature = "server")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sockeye::engine::CloseDetail;
use sockeye::{Data, DisconnectReason, Server, Socket};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;

use support::{Client, Http, Log, Polling, eventually, log, serve, serve_stream, within};

/// How long a peer may do nothing here, where it matters.
const SOON: Duration = Duration::from_millis(200);

fn endings(io: &Server) -> Log<(DisconnectReason, CloseDetail)> {
    let (pen, endings) = log();
    io.of("/").on_disconnect(move |reason: DisconnectReason, detail: CloseDetail| {
        pen.write((reason, detail));
        async {}
    });
    endings
}

/// Emits until something is left in the outbox.
async fn fill(socket: &Socket) {
    let payload = "x".repeat(64 * 1024);
    while socket.buffered() == 0 {
        socket.emit("flood", &payload).expect("there is room");
        tokio::task::yield_now().await;
    }
}

/// A connection of a client that soon takes no more.
async fn small_buffer(address: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a receive buffer of that size");
    socket.connect(address).await.expect("the server listens")
}

/// Sends pongs until the server has closed the connection, and reads nothing.
async fn say_pong_for_ever<S: AsyncRead + AsyncWrite + Unpin>(mut client: Client<S>) {
    loop {
        client.send("3").await;
        tokio::time::sleep(SOON / 4).await;
    }
}

#[tokio::test]
async fn b_03_a_client_that_answers_pings_and_takes_nothing_is_disconnected() {
    let io = Server::builder().write_timeout(SOON).build();
    let mut endings = endings(&io);
    let address = serve(&io).await;
    let mut other = Client::join(address).await;
    let stalled = Client::join_with_small_buffer(address).await;
    fill(&io.of("/").socket(&stalled.id).unwrap()).await;
    let talking = tokio::spawn(say_pong_for_ever(stalled));
    let stalled = (DisconnectReason::TransportError, CloseDetail::WriteStalled);
    endings.expect(stalled).await;
    eventually("the end of the connection", || io.clients_count() == 1).await;
    assert_eq!(io.metrics().engine.slow_readers, 1);
    assert_eq!(io.metrics().engine.bytes_buffered, 0);
    io.emit("still", ()).unwrap();
    other.expect(r#"42["still"]"#).await;
    talking.abort();
}

#[tokio::test]
async fn b_03_over_a_stream_that_is_no_tcp_socket_too() {
    let io = Server::builder().write_timeout(SOON).build();
    let mut endings = endings(&io);
    let (here, there) = tokio::io::duplex(4096);
    let _server = serve_stream(&io, there);
    let mut client = Client::over(here, "/socket.io/").await;
    client.expect_open().await;
    client.connect("40").await;
    fill(&io.sockets().remove(0)).await;
    let talking = tokio::spawn(say_pong_for_ever(client));
    endings.expect((DisconnectReason::TransportError, CloseDetail::WriteStalled)).await;
    eventually("the end of the connection", || io.clients_count() == 0).await;
    talking.abort();
}

/// What it takes, it takes: the time begins anew.
#[tokio::test]
async fn a_client_that_reads_at_last_is_kept() {
    // On a busy machine it reads late.
    let patience = 5 * SOON;
    let io = Server::builder().write_timeout(patience).build();
    let mut slow = Client::join_with_small_buffer(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    fill(&socket).await;
    let flood = format!(r#"42["flood","{}"]"#, "x".repeat(64 * 1024));
    while socket.buffered() > 0 {
        slow.expect(&flood).await;
    }
    // Nothing can be awaited: nothing is to happen.
    tokio::time::sleep(2 * patience).await;
    assert!(socket.is_connected());
    socket.emit("after", ()).unwrap();
    let after = async {
        loop {
            match slow.next("the event after the flood").await {
                support::Incoming::Text(text) if text == r#"42["after"]"# => return,
                support::Incoming::Text(text) => assert_eq!(text, flood),
                other => panic!("{other:?}"),
            }
        }
    };
    within("the event after the flood", after).await;
}

const ANNOUNCED: &str = r#"451-["file",{"_placeholder":true,"num":0}]"#;

#[tokio::test]
async fn p_04_an_attachment_that_never_comes_ends_the_connection() {
    let io = Server::builder().attachment_timeout(SOON).build();
    let mut endings = endings(&io);
    let address = serve(&io).await;
    let mut other = Client::join(address).await;
    let mut client = Client::join(address).await;
    client.send(ANNOUNCED).await;
    endings.expect((DisconnectReason::ForcedClose, CloseDetail::None)).await;
    client.expect_close().await;
    let mut polling = Polling::join(address).await;
    polling.post(ANNOUNCED).await;
    endings.expect((DisconnectReason::ForcedClose, CloseDetail::None)).await;
    assert_eq!(io.metrics().violations.no_attachments, 2);
    io.emit("still", ()).unwrap();
    other.expect(r#"42["still"]"#).await;
}

#[tokio::test]
async fn p_04_before_any_connect_too() {
    let io = Server::builder().attachment_timeout(SOON).build();
    let mut client = Client::open(serve(&io).await).await;
    client.send(ANNOUNCED).await;
    client.expect_close().await;
}

/// Whoever sends something at least every now and then is not cut off.
#[tokio::test]
async fn p_04_a_large_attachment_may_come_slowly() {
    let io = Server::builder().attachment_timeout(SOON).build();
    io.of("/").on("file", async |Data(bytes): Data<bytes::Bytes>| bytes.len());
    let mut client = Client::join(serve(&io).await).await;
    client.send(&ANNOUNCED.replace("51-", "51-7")).await;
    let mask = [0; 4];
    client.send_bytes(&[&[0x82, 0x80 | 10][..], &mask].concat()).await;
    for _ in 0..10 {
        tokio::time::sleep(SOON / 4).await;
        client.send_bytes(&[1]).await;
    }
    client.expect("437[10]").await;
    // And then nothing is awaited any more: nothing is to happen.
    tokio::time::sleep(3 * SOON).await;
    assert_eq!(io.sockets().len(), 1);
}

/// What the server itself does not read has come in time.
#[tokio::test]
async fn p_04_an_attachment_that_is_not_read_because_handlers_are_busy_is_not_missing() {
    let io = Server::builder().attachment_timeout(SOON).max_running_handlers(1).build();
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    io.of("/").on("busy", move || {
        let gate = Arc::clone(&waiting);
        async move { gate.acquire().await.expect("it is never closed").forget() }
    });
    io.of("/").on("file", async |Data(bytes): Data<bytes::Bytes>| bytes.len());
    let mut client = Client::join(serve(&io).await).await;
    client.send_together(&[r#"42["busy"]"#, &ANNOUNCED.replace("51-", "51-7")]).await;
    client.send_binary(&[1, 2]).await;
    tokio::time::sleep(3 * SOON).await;
    gate.add_permits(1);
    client.expect("437[2]").await;
}

#[tokio::test]
async fn e_16_a_poll_whose_answer_is_not_read_ends_the_connection() {
    let io = Server::builder().write_timeout(SOON).max_buffered_bytes(64 << 20).build();
    let address = serve(&io).await;
    let mut other = Client::join(address).await;
    let polling = Polling::join(address).await;
    let mut lazy = Http::over(small_buffer(address).await);
    let socket = io.sockets().into_iter().find(|socket| socket.id() != other.id).unwrap();
    const BYTES: usize = 32 << 20;
    socket.emit("much", "x".repeat(BYTES)).unwrap();
    lazy.request("GET", &polling.target, &[]).await;
    eventually("the answer", || socket.buffered() == 0).await;
    // Nothing can be awaited: it reads nothing.
    tokio::time::sleep(4 * SOON).await;
    let mut received = Vec::new();
    let end = within("the end", lazy.into_stream().read_to_end(&mut received)).await;
    assert!(received.len() < BYTES, "all was read: {end:?}");
    io.emit("still", ()).unwrap();
    other.expect(r#"42["still"]"#).await;
}

/// The clock stands still unless all wait.
#[tokio::test(start_paused = true)]
async fn e_16_the_head_of_a_request_has_ten_seconds() {
    let address = serve(&Server::new()).await;
    let half = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost:";
    for (begun, answer) in [("", ""), (half, "HTTP/1.1 408 Request Timeout\r\n")] {
        let started = tokio::time::Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        let waited = started.elapsed();
        assert!((9..=11).contains(&waited.as_secs()), "{begun:?}: {waited:?}");
        let received = String::from_utf8(received).unwrap();
        assert!(received.starts_with(answer) && received.is_empty() == answer.is_empty());
    }
}

#[tokio::test]
async fn e_16_a_body_that_does_not_come_ends_the_session() {
    let io = Server::builder().body_timeout(SOON).build();
    let mut endings = endings(&io);
    let address = serve(&io).await;
    let polling = Polling::join(address).await;
    let mut http = Http::open(address).await;
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n", polling.target);
    http.send(&format!("{head}Content-Length: 10\r\n\r\n42[")).await;
    assert_eq!(http.receive("the refusal").await.status, 408);
    endings.expect((DisconnectReason::TransportError, CloseDetail::PostAborted)).await;
}

#[tokio::test]
async fn e_02_all_bodies_together_have_a_limit() {
    let io = Server::builder().max_body_bytes_in_flight(1_000).build();
    io.of("/").on("sum", async |Data(bytes): Data<String>| bytes.len());
    let address = serve(&io).await;
    let stalled = Polling::join(address).await;
    let mut other = Polling::join(address).await;
    let mut http = Http::open(address).await;
    let head = format!("POST {} HTTP/1.1\r\nHost: localhost\r\n", stalled.target);
    http.send(&format!("{head}Content-Length: 1000\r\n\r\n42[\"{}", "x".repeat(900))).await;
    let event = format!(r#"421["sum","{}"]"#, "y".repeat(200));
    loop {
        // Until the first body has arrived.
        let response = other.posts.post(&other.target.clone(), &event).await;
        if response.status == 503 {
            break;
        }
        assert_eq!((response.status, other.poll().await.as_str()), (200, "431[200]"));
    }
    assert_eq!(io.sockets().len(), 2, "the session goes on");
    drop(http);
    eventually("the end of the session", || io.sockets().len() == 1).await;
    other.post(&event).await;
    assert_eq!(other.poll().await, "431[200]", "there is room again");
}

#[tokio::test]
async fn e_14_the_head_of_a_request_has_a_limit() {
    let io = Server::new();
    let address = serve(&io).await;
    let target = "/socket.io/?EIO=4&transport=polling";
    let long = format!("X-Long: {}", "x".repeat(16 * 1024));
    let many = ["X-Many: 1"; 101];
    for lines in [&[long.as_str()][..], &many] {
        let mut http = Http::open(address).await;
        assert_eq!(http.get_with(target, lines).await.status, 431);
        http.expect_end().await;
    }
    let most = format!("Cookie: {}", "a=b; ".repeat(3_000));
    assert_eq!(Http::open(address).await.get_with(target, &[&most]).await.status, 200);
}

/// What a ping floods is nothing: one answer waits, and that is sent.
#[tokio::test]
async fn w_13_of_the_pings_of_a_client_that_does_not_read_the_last_is_answered() {
    let io = Server::new();
    let mut slow = Client::join_with_small_buffer(serve(&io).await).await;
    let socket = io.sockets().remove(0);
    fill(&socket).await;
    let before = socket.buffered();
    let ping = |last| [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[last; 125]].concat();
    for _ in 0..1_000 {
        slow.send_bytes(&ping(1)).await;
    }
    slow.send_bytes(&ping(2)).await;
    eventually("the pings", || io.metrics().engine.bytes_received > 125 * 1_001).await;
    assert!(socket.buffered() <= before, "pongs are queued");
    loop {
        match slow.next("the pong").await {
            support::Incoming::Text(_) => {}
            support::Incoming::Pong(data) => break assert_eq!(data, [2; 125]),
            other => panic!("{other:?}"),
        }
    }
}

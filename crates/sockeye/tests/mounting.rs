//! Where a server can be mounted: under axum, as a plain service, on streams that are not TCP.

#![cfg(feature = "server")]

mod support;

use axum::Router;
use axum::routing::get;
use http::Request;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use sockeye::{Data, EmitError, Server, Socket, TransportName, Value};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;

use support::{Client, Http, Polling, eventually, log, serve_stream, within};

/// A server that echoes.
fn echo() -> Server {
    echo_on(Server::new())
}

fn echo_on(io: Server) -> Server {
    io.of("/")
        .on("echo", async |socket: Socket, Data(value): Data<Value>| {
            let _ = socket.emit("echo", value);
        })
        .on("transport", async |socket: Socket| match socket.transport() {
            TransportName::WebSocket => "websocket",
            _ => "polling",
        });
    io
}

async fn mount(router: Router) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Both transports, and the way from one to the other.
async fn expect_socket_io(address: std::net::SocketAddr) {
    let mut client = Client::join(address).await;
    client.send(r#"42["echo","é"]"#).await;
    client.expect(r#"42["echo","é"]"#).await;
    let mut polling = Polling::join(address).await;
    polling.post(r#"42["echo",1]"#).await;
    assert_eq!(polling.poll().await, r#"42["echo",1]"#);
    let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
    upgrade(polling, stream).await;
}

/// Takes a polling session over to a WebSocket, and speaks over it.
async fn upgrade<S, T>(mut polling: Polling<S>, stream: T) -> Client<T>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut client = Client::upgrading(stream, "/socket.io/", &polling.sid).await;
    polling.start_poll().await;
    client.send("2probe").await;
    client.expect("3probe").await;
    assert_eq!(polling.finish_poll().await, "6", "the poll is let go");
    client.send("5").await;
    client.send(r#"420["transport"]"#).await;
    client.expect(r#"430["websocket"]"#).await;
    client
}

#[tokio::test]
async fn as_a_layer_it_leaves_other_paths_to_the_router() {
    let io = echo();
    let router = Router::new().route("/own", get(async || "own route")).layer(io.layer());
    let address = mount(router).await;
    expect_socket_io(address).await;
    let mut http = Http::open(address).await;
    let own = http.get("/own").await;
    assert_eq!((own.status, own.body.as_str()), (200, "own route"));
    assert_eq!(http.get("/other").await.status, 404);
    assert_eq!(http.get("/socket.iox/?EIO=4&transport=polling").await.status, 404);
    assert_eq!(http.get("/socket.iox?EIO=4&transport=polling").await.status, 404);
    assert_eq!(http.get("/socket.io?EIO=4&transport=polling").await.status, 200);
    assert_eq!(http.get("/socket.io/?EIO=4&transport=nothing").await.status, 400);
    assert_eq!(http.get("/socket.io/?EIO=4&transport=polling").await.status, 200);
}

#[tokio::test]
async fn as_a_service_it_answers_where_the_router_puts_it() {
    let io = echo();
    let router = Router::new()
        .route("/own", get(async || "own route"))
        .route_service("/socket.io/", io.service());
    let address = mount(router).await;
    expect_socket_io(address).await;
    assert_eq!(Http::open(address).await.get("/own").await.body, "own route");
    let fallback = Router::new().fallback_service(io.service());
    let address = mount(fallback).await;
    expect_socket_io(address).await;
    assert_eq!(Http::open(address).await.get("/other").await.status, 404);
}

/// S-091.
#[tokio::test]
async fn an_address_that_is_taken_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let error = echo().listen(address).await.expect_err("somebody listens there");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn two_servers_may_lie_over_each_other_under_their_own_paths() {
    let outer = echo_on(Server::builder().path("/outer").build());
    let inner = echo();
    let router = Router::new().layer(inner.layer()).layer(outer.layer());
    let address = mount(router).await;
    expect_socket_io(address).await;
    let polls = Http::open(address).await;
    let posts = Http::open(address).await;
    let mut polling = Polling::over(polls, posts, "/outer/").await;
    polling.post("40").await;
    polling.poll().await;
    assert_eq!((outer.sockets().len(), outer.clients_count()), (1, 1));
}

/// A stream to the server that is memory; each way holds so many bytes.
fn dial(io: &Server, capacity: usize) -> DuplexStream {
    let (client, server) = tokio::io::duplex(capacity);
    serve_stream(io, server);
    client
}

/// A client that has joined `/` over memory.
async fn join_over(io: &Server, capacity: usize) -> Client<DuplexStream> {
    let mut client = Client::over(dial(io, capacity), "/socket.io/").await;
    client.expect_open().await;
    client.id = client.connect("40").await;
    client
}

#[tokio::test]
async fn over_memory_polling_works_and_is_upgraded() {
    let io = echo();
    let (polls, posts) = (Http::over(dial(&io, 4096)), Http::over(dial(&io, 4096)));
    let mut polling = Polling::over(polls, posts, "/socket.io/").await;
    polling.post("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    polling.post(r#"42["echo",1]"#).await;
    assert_eq!(polling.poll().await, r#"42["echo",1]"#);
    // What is sent while the session changes over arrives once and in order.
    let mut client = upgrade(polling, dial(&io, 4096)).await;
    for number in 0..10 {
        io.emit("number", number).unwrap();
    }
    for number in 0..10 {
        client.expect(&format!(r#"42["number",{number}]"#)).await;
    }
    client.close().await;
    eventually("the end of the session", || io.clients_count() == 0).await;
}

#[tokio::test]
async fn over_memory_a_failed_probe_leaves_the_polling_session_alive() {
    let io = echo();
    let (polls, posts) = (Http::over(dial(&io, 4096)), Http::over(dial(&io, 4096)));
    let mut polling = Polling::over(polls, posts, "/socket.io/").await;
    polling.post("40").await;
    polling.poll().await;
    let mut probe = Client::upgrading(dial(&io, 4096), "/socket.io/", &polling.sid).await;
    probe.send("2probe").await;
    probe.expect("3probe").await;
    drop(probe);
    polling.post(r#"42["echo",1]"#).await;
    let mut answer = polling.poll().await;
    while answer == "6" {
        answer = polling.poll().await;
    }
    assert_eq!(answer, r#"42["echo",1]"#);
    upgrade(polling, dial(&io, 4096)).await;
}

#[tokio::test]
async fn over_memory_large_messages_pass_both_ways() {
    let io = echo_on(Server::builder().max_http_buffer_size(2_000_000).build());
    for capacity in [64, 4096, 1 << 20] {
        let mut client = join_over(&io, capacity).await;
        let large = "x".repeat(1_000_000);
        let event = format!(r#"42["echo","{large}"]"#);
        client.send(&event).await;
        client.expect(&event).await;
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| number as u8).collect();
        client.send(r#"451-["echo",{"_placeholder":true,"num":0}]"#).await;
        client.send_binary(&bytes).await;
        client.expect(r#"451-["echo",{"_placeholder":true,"num":0}]"#).await;
        client.expect_binary(&bytes).await;
    }
}

#[tokio::test]
async fn over_memory_a_close_by_either_side_is_seen_by_the_other() {
    let io = echo();
    let (pen, mut reasons) = log::<String>();
    io.of("/").on_disconnect(move |reason: sockeye::DisconnectReason| {
        pen.write(reason.as_str());
        async {}
    });
    let mut client = join_over(&io, 256).await;
    io.sockets()[0].emit("last", ()).unwrap();
    io.sockets()[0].disconnect(true);
    client.expect_all(&[r#"42["last"]"#, "41"]).await;
    client.expect_close().await;
    reasons.expect("server namespace disconnect").await;

    let mut client = join_over(&io, 256).await;
    client.close().await;
    reasons.expect("transport close").await;

    drop(join_over(&io, 256).await);
    reasons.expect("transport close").await;

    let mut client = join_over(&io, 256).await;
    io.close();
    client.expect_close().await;
    reasons.expect("server shutting down").await;
    eventually("the end of all sessions", || io.clients_count() == 0).await;
}

#[tokio::test]
async fn over_memory_a_client_that_reads_slowly_still_gets_everything() {
    let io = echo();
    let mut client = join_over(&io, 512).await;
    let payload = "x".repeat(1_000);
    for number in 0..500 {
        io.emit("number", (number, &payload)).unwrap();
    }
    // The driver has written what it could; only reading goes on now.
    tokio::task::yield_now().await;
    assert!(io.sockets()[0].buffered() > 400_000);
    for number in 0..500 {
        client.expect(&format!(r#"42["number",{number},"{payload}"]"#)).await;
    }
    client.expect_nothing().await;
    assert_eq!(io.sockets()[0].buffered(), 0);
}

#[tokio::test]
async fn over_memory_a_client_that_does_not_read_is_disconnected() {
    let io = echo_on(Server::builder().max_buffered_bytes(100_000).build());
    let (pen, mut reasons) = log::<String>();
    io.of("/").on_disconnect(move |reason: sockeye::DisconnectReason| {
        pen.write(reason.as_str());
        async {}
    });
    let client = join_over(&io, 512).await;
    let socket = io.sockets().remove(0);
    let payload = "x".repeat(1_000);
    let refused = (0..1_000).find_map(|_| socket.emit("flood", &payload).err());
    assert!(matches!(refused, Some(EmitError::SlowReader)), "{refused:?}");
    reasons.expect("transport error").await;
    drop(client);
    eventually("the end of the session", || io.clients_count() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_memory_what_another_thread_emits_arrives() {
    let io = echo();
    let mut client = join_over(&io, 256).await;
    let server = io.clone();
    let emitter = std::thread::spawn(move || {
        for number in 0..1_000 {
            server.emit("number", number).unwrap();
        }
    });
    for number in 0..1_000 {
        client.expect(&format!(r#"42["number",{number}]"#)).await;
    }
    let joined = tokio::task::spawn_blocking(move || emitter.join().is_ok());
    assert!(within("the thread", joined).await.unwrap());
}

/// S-092: where HTTP/2 is spoken, polling goes over it; a client upgrades over another connection.
#[tokio::test]
async fn over_http_2_polling_works() {
    let io = echo();
    let (client, server) = tokio::io::duplex(4096);
    let service = TowerToHyperService::new(io.service());
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(server), service);
    tokio::spawn(connection);
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(client));
    let (mut requests, connection) = within("HTTP/2", handshake).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut exchange = async |method: &str, target: &str, body: &'static str| {
        let request = Request::builder().method(method).uri(format!("http://localhost{target}"));
        let request = request.body(body.to_owned()).expect("a request");
        let response = within(target, requests.send_request(request)).await.expect("a response");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(axum::body::Body::new(body), 1_000).await.expect("a body");
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).expect("text"))
    };
    let target = "/socket.io/?EIO=4&transport=polling";
    let (status, open) = exchange("GET", target, "").await;
    assert_eq!(status, 200, "{open}");
    let target = format!("{target}&sid={}", open.split('"').nth(3).expect("a sid"));
    assert_eq!(exchange("POST", &target, "40").await, (200, "ok".into()));
    assert!(exchange("GET", &target, "").await.1.starts_with("40{"));
    assert_eq!(exchange("POST", &target, r#"42["echo","é"]"#).await, (200, "ok".into()));
    assert_eq!(exchange("GET", &target, "").await, (200, r#"42["echo","é"]"#.into()));
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    assert_eq!(exchange("GET", &format!("{target}x"), "").await, (400, unknown.into()));
    assert_eq!(exchange("GET", "/elsewhere", "").await.0, 404);
}

/// `bind` lets 128 wait. Who is turned away tries again after a second, and then after more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn many_clients_may_wait_to_be_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let io = Server::new();
    // It has begun, and accepts nobody while it is not polled.
    let mut serving = std::pin::pin!(io.serve(listener));
    assert!(futures_util::FutureExt::now_or_never(&mut serving).is_none());
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux");
    let most: usize = most.trim().parse().expect("a number");
    let soon = std::time::Duration::from_millis(900);
    let connect = |_| std::net::TcpStream::connect_timeout(&address, soon);
    let waiting: Result<Vec<_>, _> = (0..most.min(300)).map(connect).collect();
    assert!(waiting.is_ok(), "{waiting:?}");
}

//! What a program can have a say in: who may connect, which ids there are, which headers are sent,
//! and what it is told of refusals.

#![cfg(feature = "server")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use http::{HeaderValue, Method};
use sockeye::engine::{ConnectionErrorContext as Context, Revision};
use sockeye::{
    Cors, Handshake, IdGenerationError, RequestRefused, SameSite, Server, SessionCookie,
    TransportName,
};
use tokio::net::{TcpListener, TcpStream};

use support::{Client, Http, Log, Polling, Response, eventually, log, serve, within};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";
const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

fn sid_of(open: &Response) -> String {
    assert_eq!(open.status, 200, "{}", open.body);
    open.body.split('"').nth(3).expect("a sid in the OPEN packet").to_owned()
}

#[track_caller]
fn expect_error(response: &Response, status: u16, code: u8, message: &str) {
    assert_eq!(response.status, status);
    assert_eq!(response.body, format!("{{\"code\":{code},\"message\":\"{message}\"}}"));
    assert_eq!(response.header("content-type"), Some("application/json"));
}

/// A refused upgrade is text, and the connection ends (E-035).
async fn expect_refused_upgrade(mut http: Http, response: Response, message: &str) {
    assert_eq!((response.status, response.body.as_str()), (400, message));
    assert_eq!(response.header("content-type"), Some("text/html"));
    assert_eq!(response.header("connection"), Some("close"));
    http.expect_end().await;
}

/// Lets those in who have a key.
async fn by_key(handshake: Handshake) -> Result<(), RequestRefused> {
    // A decision may take its time.
    tokio::task::yield_now().await;
    match handshake.header("x-key") {
        Some("right") => Ok(()),
        Some("silent") => Err(RequestRefused::default()),
        Some("empty") => Err("".into()),
        Some("broken") => panic!("as asked"),
        _ => Err(RequestRefused::new("a \"key\", please")),
    }
}

#[tokio::test]
async fn allow_request_refuses_polls_with_403_and_its_message() {
    let io = Server::builder().allow_request(by_key).build();
    let mut http = Http::open(serve(&io).await).await;
    expect_error(&http.get(POLL).await, 403, 4, "a \\\"key\\\", please");
    for key in ["silent", "empty", "broken"] {
        let answer = http.get_with(POLL, &[&format!("X-Key: {key}")]).await;
        expect_error(&answer, 403, 4, "Forbidden");
    }
    assert_eq!(io.clients_count(), 0);
    // The same connection goes on, also after a panic.
    sid_of(&http.get_with(POLL, &["X-Key: right"]).await);
    assert_eq!(io.clients_count(), 1);
}

#[tokio::test]
async fn allow_request_refuses_upgrades_with_400_and_text() {
    let io = Server::builder().allow_request(by_key).build();
    let address = serve(&io).await;
    for (key, message) in
        [("", "a \"key\", please"), ("silent", "Forbidden"), ("broken", "Forbidden")]
    {
        let mut http = Http::open(address).await;
        let answer = http.upgrade_with(SOCKET, &[&format!("X-Key: {key}")]).await;
        expect_refused_upgrade(http, answer, message).await;
    }
    let mut http = Http::open(address).await;
    assert_eq!(http.upgrade_with(SOCKET, &["X-Key: right"]).await.status, 101);
    eventually("the session", || io.clients_count() == 1).await;
}

/// E-017: a session is asked about once.
#[tokio::test]
async fn allow_request_is_not_asked_about_polls_posts_or_upgrades_of_a_session() {
    let (pen, mut asked) = log::<String>();
    let io = Server::builder()
        .allow_request(move |handshake: Handshake| {
            pen.write(handshake.url());
            async { Ok(()) }
        })
        .build();
    let address = serve(&io).await;
    let mut polling = Polling::join(address).await;
    asked.expect(POLL).await;
    polling.post("40/unknown,").await;
    polling.poll().await;
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let mut client = Client::upgrading(stream, "/socket.io/", &polling.sid).await;
    client.send("2probe").await;
    client.expect("3probe").await;
    asked.expect_nothing();
    Client::open(address).await;
    asked.expect(SOCKET).await;
}

/// The order of section 1.3: what is cheap to find out comes before the question, the revision after
/// it.
#[tokio::test]
async fn allow_request_is_asked_in_the_references_order() {
    let (pen, mut asked) = log::<String>();
    let io = Server::builder()
        .allow_request(move |handshake: Handshake| {
            pen.write(handshake.url());
            async { Err(RequestRefused::default()) }
        })
        .build();
    let mut http = Http::open(serve(&io).await).await;
    expect_error(&http.get("/socket.io/?EIO=4").await, 400, 0, "Transport unknown");
    expect_error(&http.get(&format!("{POLL}&sid=x")).await, 400, 1, "Session ID unknown");
    expect_error(&http.post(POLL, "").await, 400, 2, "Bad handshake method");
    expect_error(&http.get(SOCKET).await, 400, 3, "Bad request");
    asked.expect_nothing();
    let old = "/socket.io/?EIO=2&transport=polling";
    expect_error(&http.get(old).await, 403, 4, "Forbidden");
    asked.expect(old).await;
}

#[tokio::test]
async fn a_client_that_gives_up_waiting_for_allow_request_leaves_nothing_behind() {
    struct Dropped(support::Pen<String>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.write("dropped");
        }
    }
    let (pen, mut entries) = log::<String>();
    let io = Server::builder()
        .allow_request(move |_| {
            let guard = Dropped(pen.clone());
            pen.write("asked");
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                Ok(())
            }
        })
        .build();
    let mut http = Http::open(serve(&io).await).await;
    http.request("GET", POLL, &[]).await;
    entries.expect("asked").await;
    drop(http);
    entries.expect("dropped").await;
    assert_eq!(io.clients_count(), 0);
}

/// A server whose ids are what the client asks for.
fn named() -> (Server, Log<String>) {
    let (pen, errors) = log();
    let io = Server::builder()
        .generate_id(async |handshake: Handshake| {
            tokio::task::yield_now().await;
            match handshake.header("x-id") {
                Some("fails") => Err(IdGenerationError::new("no database")),
                Some("panics") => panic!("as asked"),
                id => Ok(id.unwrap_or_default().to_owned()),
            }
        })
        .connection_error(move |error| match error.context() {
            Context::IdGeneration(reason) => pen.write(reason.as_str()),
            other => panic!("{other}"),
        })
        .build();
    (io, errors)
}

#[tokio::test]
async fn generate_id_makes_the_ids_of_sessions_over_both_transports() {
    let (io, _) = named();
    let address = serve(&io).await;
    let mut http = Http::open(address).await;
    let open = http.get_with(POLL, &["X-Id: node-1.short"]).await;
    assert_eq!(sid_of(&open), "node-1.short");
    let target = format!("{POLL}&sid=node-1.short");
    assert_eq!(http.post(&target, "40").await.body, "ok");
    assert!(http.get(&target).await.body.starts_with("40{\"sid\":\""));
    // One of exactly 20 characters, as our own are.
    let open = http.get_with(POLL, &["X-Id: abcdefghijklmnopqrst"]).await;
    assert_eq!(sid_of(&open), "abcdefghijklmnopqrst");
    let mut socket = Http::open(address).await;
    let answer = socket.upgrade_with(SOCKET, &["X-Id: of~the_websocket"]).await;
    assert_eq!(answer.status, 101);
    eventually("the third session", || io.clients_count() == 3).await;
    // It is found under its id.
    let target = format!("{POLL}&sid=of~the_websocket");
    expect_error(&http.get(&target).await, 400, 3, "Bad request");
}

#[tokio::test]
async fn without_a_usable_id_there_is_no_session() {
    let (io, mut errors) = named();
    let address = serve(&io).await;
    let mut http = Http::open(address).await;
    let long = "x".repeat(129);
    for (id, reason) in [
        ("fails", "no database"),
        ("panics", "it panicked"),
        ("", "the id is empty"),
        ("a b", "the id has a character that URLs do not take"),
        ("a\"b", "the id has a character that URLs do not take"),
        (&long, "the id is longer than 128 bytes"),
    ] {
        let line = format!("X-Id: {id}");
        expect_error(&http.get_with(POLL, &[&line]).await, 400, 3, "Bad request");
        errors.expect(reason).await;
        let mut socket = Http::open(address).await;
        let answer = socket.upgrade_with(SOCKET, &[&line]).await;
        expect_refused_upgrade(socket, answer, "Bad request").await;
        errors.expect(reason).await;
    }
    assert_eq!(io.clients_count(), 0);
}

#[tokio::test]
async fn no_two_sessions_have_one_id() {
    let (io, mut errors) = named();
    let address = serve(&io).await;
    let mut http = Http::open(address).await;
    let taken = "the id is that of another session";
    assert_eq!(sid_of(&http.get_with(POLL, &["X-Id: one"]).await), "one");
    expect_error(&http.get_with(POLL, &["X-Id: one"]).await, 400, 3, "Bad request");
    errors.expect(taken).await;
    let mut socket = Http::open(address).await;
    let answer = socket.upgrade_with(SOCKET, &["X-Id: one"]).await;
    expect_refused_upgrade(socket, answer, "Bad request").await;
    errors.expect(taken).await;
    assert_eq!(io.clients_count(), 1);
    // When the session is over, its id is free again.
    http.post(&format!("{POLL}&sid=one"), "1").await;
    eventually("the end of the session", || io.clients_count() == 0).await;
    assert_eq!(sid_of(&http.get_with(POLL, &["X-Id: one"]).await), "one");
    // It is taken from the moment on at which its upgrade is answered.
    let mut socket = Http::open(address).await;
    assert_eq!(socket.upgrade_with(SOCKET, &["X-Id: two"]).await.status, 101);
    expect_error(&http.get_with(POLL, &["X-Id: two"]).await, 400, 3, "Bad request");
}

/// E-022, E-023.
#[tokio::test]
async fn the_cookie_comes_with_the_first_answer_over_polling_only() {
    let cookie = SessionCookie::new("sid").same_site(SameSite::Strict).secure(true);
    for (cookie, expected) in [
        (SessionCookie::default(), "io=ID; Path=/; HttpOnly; SameSite=Lax"),
        (
            cookie.max_age(Duration::from_secs(60)),
            "sid=ID; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Strict",
        ),
    ] {
        let io = Server::builder().cookie(cookie).build();
        let address = serve(&io).await;
        let mut http = Http::open(address).await;
        let open = http.get(POLL).await;
        let sid = sid_of(&open);
        assert_eq!(open.header("set-cookie"), Some(expected.replace("ID", &sid).as_str()));
        let target = format!("{POLL}&sid={sid}");
        assert_eq!(http.post(&target, "40").await.header("set-cookie"), None);
        assert_eq!(http.get(&target).await.header("set-cookie"), None);
        assert_eq!(http.get("/socket.io/").await.header("set-cookie"), None);
        let answer = Http::open(address).await.upgrade_with(SOCKET, &[]).await;
        assert_eq!((answer.status, answer.header("set-cookie")), (101, None));
    }
    let io = Server::new();
    let open = Http::open(serve(&io).await).await.get(POLL).await;
    assert_eq!(open.header("set-cookie"), None);
}

/// A server that counts its responses in their headers.
fn counting() -> Server {
    let count = Arc::new(AtomicUsize::new(0));
    Server::builder()
        .cors(Cors::any())
        .cookie(SessionCookie::default())
        .initial_headers(|headers, request| {
            let has_cookie = headers.contains_key("set-cookie");
            headers.insert("x-cookie", HeaderValue::from(usize::from(has_cookie)));
            headers.insert("x-initial", request.headers["host"].clone());
            headers.insert("x-last", HeaderValue::from_static("initial"));
        })
        .headers(move |headers, request| {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            headers.insert("x-number", HeaderValue::from(number));
            headers
                .insert("x-last", HeaderValue::from_str(request.method.as_str()).expect("a token"));
            // What is there can be changed: CORS too.
            headers.insert("access-control-allow-origin", HeaderValue::from_static("http://a.b"));
        })
        .build()
}

/// E-046.
#[tokio::test]
async fn headers_of_all_responses_of_a_session_can_be_changed() {
    let io = counting();
    let address = serve(&io).await;
    let mut http = Http::open(address).await;
    let open = http.get(POLL).await;
    let target = format!("{POLL}&sid={}", sid_of(&open));
    let post = http.post(&target, "40").await;
    let poll = http.get(&target).await;
    let upgrade =
        Http::open(address).await.upgrade_with(&target.replace("polling", "websocket"), &[]).await;
    let socket = Http::open(address).await.upgrade_with(SOCKET, &[]).await;
    let responses = [
        (&open, 200, Some("localhost"), Some("1"), "GET"),
        (&post, 200, None, None, "POST"),
        (&poll, 200, None, None, "GET"),
        (&upgrade, 101, None, None, "GET"),
        (&socket, 101, Some("localhost"), Some("0"), "GET"),
    ];
    for (index, (response, status, initial, cookie, last)) in responses.into_iter().enumerate() {
        assert_eq!(response.status, status);
        assert_eq!(response.header("x-number"), Some((index + 1).to_string().as_str()));
        assert_eq!(response.header("x-initial"), initial);
        assert_eq!(response.header("x-cookie"), cookie);
        assert_eq!(response.header("x-last"), Some(last));
        assert_eq!(response.header("access-control-allow-origin"), Some("http://a.b"));
    }
    let refused = http.get("/socket.io/").await;
    assert_eq!((refused.status, refused.header("x-number")), (400, None));
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_panic_of_a_hook_for_headers_harms_nobody() {
    let io = Server::builder().headers(|_, _| panic!("as asked")).build();
    let address = serve(&io).await;
    let mut polling = Polling::join(address).await;
    polling.post("40/unknown,").await;
    assert_eq!(polling.poll().await, "44/unknown,{\"message\":\"Invalid namespace\"}");
    Client::join(address).await;
}

/// E-038: each refusal of section 1.3, over HTTP and on upgrades.
#[tokio::test]
async fn connection_error_is_told_of_each_refusal() {
    let (pen, mut errors) = log::<(String, u8, String, Context)>();
    let io = Server::builder()
        .max_http_buffer_size(100)
        .allow_request(async |handshake: Handshake| match handshake.header("x-deny") {
            Some("") => Err(RequestRefused::default()),
            Some(message) => Err(message.into()),
            None => Ok(()),
        })
        .connection_error(move |error| {
            let path = error.request().uri.path().to_owned();
            let message = error.message().to_owned();
            pen.write((path, error.code(), message, error.context().clone()));
        })
        .build();
    let address = serve(&io).await;
    let mut http = Http::open(address).await;
    let mut expect = async |code, message: &str, context| {
        let (path, was_code, was_message, was_context) = errors.next(message).await;
        assert_eq!(path, "/socket.io/");
        assert_eq!((was_code, was_message.as_str(), was_context), (code, message, context));
    };
    let upgrade = async |target: &str, lines: &[&str]| {
        Http::open(address).await.upgrade_with(target, lines).await.status
    };

    http.get("/socket.io/").await;
    expect(0, "Transport unknown", Context::Transport(None)).await;
    http.get("/socket.io/?EIO=4&transport=__proto__").await;
    expect(0, "Transport unknown", Context::Transport(Some("__proto__".into()))).await;
    assert_eq!(upgrade("/socket.io/?EIO=4&transport=x%20y", &[]).await, 400);
    expect(0, "Transport unknown", Context::Transport(Some("x y".into()))).await;

    http.get(&format!("{POLL}&sid=abc")).await;
    expect(1, "Session ID unknown", Context::Session("abc".into())).await;
    assert_eq!(upgrade(&format!("{SOCKET}&sid=abc"), &[]).await, 400);
    expect(1, "Session ID unknown", Context::Session("abc".into())).await;

    http.post(POLL, "4").await;
    expect(2, "Bad handshake method", Context::Method(Method::POST)).await;

    let target = format!("{POLL}&sid={}", sid_of(&http.get(POLL).await));
    http.get(&target.replace("polling", "websocket")).await;
    let (transport, previous) = (TransportName::WebSocket, TransportName::Polling);
    expect(3, "Bad request", Context::TransportMismatch { transport, previous }).await;
    let (protocol, previous) = (Revision::Three, Revision::Four);
    http.get(&target.replace("EIO=4", "EIO=3")).await;
    expect(3, "Bad request", Context::ProtocolMismatch { protocol, previous }).await;
    let other = target.replace("EIO=4", "EIO=3").replace("polling", "websocket");
    assert_eq!(upgrade(&other, &[]).await, 400);
    expect(3, "Bad request", Context::ProtocolMismatch { protocol, previous }).await;

    let handshake = |reason: &str| Context::TransportHandshake(reason.into());
    http.get(SOCKET).await;
    expect(3, "Bad request", handshake("a WebSocket without an upgrade")).await;
    assert_eq!(upgrade(POLL, &[]).await, 400);
    expect(3, "Bad request", handshake("an upgrade to polling")).await;
    let answer = Http::open(address)
        .await
        .get_with(SOCKET, &["Upgrade: websocket", "Connection: Upgrade"])
        .await;
    assert_eq!(answer.status, 400);
    expect(3, "Bad request", handshake(&answer.body)).await;

    assert_eq!(http.post(&target, &"x".repeat(101)).await.status, 413);
    expect(3, "Bad request", Context::PayloadTooLarge { size: 101, limit: 100 }).await;
    assert_eq!(http.post(&target, "40").await.body, "ok");

    assert_eq!(http.get_with(POLL, &["X-Deny: no"]).await.status, 403);
    expect(4, "Forbidden", Context::Forbidden(Some("no".into()))).await;
    assert_eq!(upgrade(SOCKET, &["X-Deny:"]).await, 400);
    expect(4, "Forbidden", Context::Forbidden(None)).await;

    http.get("/socket.io/?EIO=3&transport=polling").await;
    expect(5, "Unsupported protocol version", Context::Protocol(Revision::Three)).await;
    assert_eq!(upgrade("/socket.io/?transport=websocket", &[]).await, 400);
    expect(5, "Unsupported protocol version", Context::Protocol(Revision::Three)).await;

    io.close();
    // An open connection may still ask, and is told what is the case.
    expect_error(&http.get(POLL).await, 503, 4, "Server is shutting down");
    expect(4, "Server is shutting down", Context::ShuttingDown).await;
}

#[tokio::test]
async fn a_panic_of_connection_error_changes_no_answer() {
    let io = Server::builder().connection_error(|_| panic!("as asked")).build();
    let mut http = Http::open(serve(&io).await).await;
    expect_error(&http.get("/socket.io/").await, 400, 0, "Transport unknown");
    sid_of(&http.get(POLL).await);
}

/// E-047: what lies around the service can add headers to every response, the 101 included.
#[tokio::test]
async fn a_layer_around_the_server_sees_all_its_responses() {
    let io = Server::new();
    let add = axum::middleware::map_response(async |mut response: axum::response::Response| {
        response.headers_mut().insert("x-layer", HeaderValue::from_static("yes"));
        response
    });
    let router = Router::new().fallback_service(io.service()).layer(add);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut http = Http::open(address).await;
    for target in [POLL, "/socket.io/", "/other"] {
        assert_eq!(http.get(target).await.header("x-layer"), Some("yes"), "{target}");
    }
    let mut socket = Http::open(address).await;
    let answer = within("the 101", socket.upgrade_with(SOCKET, &[])).await;
    assert_eq!((answer.status, answer.header("x-layer")), (101, Some("yes")));
    Client::join(address).await;
}

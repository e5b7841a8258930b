//! What a client says over long-polling, request by request.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{AUTHORIZATION, COOKIE};
use sockeye::client::{
    ClientBuilder, ConnectOptions, DisconnectReason, ManagerEvent, Socket, TransportCause,
};
use sockeye::{Server, TransportName};
use support::{Log, OPEN, Request, Requests, eventually, log, serve, within};

const SOON: Duration = Duration::from_millis(10);

fn options() -> ConnectOptions {
    ConnectOptions::new().transports([TransportName::Polling])
}

fn connecting(server: &Requests, query: &str, options: ConnectOptions) -> Socket {
    let builder = ClientBuilder::new(&format!("{}/{query}", server.url())).options(options);
    let socket = builder.reconnection_delay(SOON).build().unwrap();
    socket.connect();
    socket
}

/// Opens a session, and lets the client into `/`: its next poll.
async fn join(server: &mut Requests, open: &str) -> Request {
    server.expect("GET").await.answer(open);
    let post = server.expect("POST").await;
    assert_eq!(post.body, "40");
    post.answer("ok");
    server.expect("GET").await.answer("40{\"sid\":\"a\"}");
    server.expect("GET").await
}

fn reasons(socket: &Socket) -> Log<(DisconnectReason, String)> {
    let (pen, reasons) = log();
    socket.on_disconnect(move |_, disconnect| {
        let error = disconnect.error().map(ToString::to_string).unwrap_or_default();
        pen.write((disconnect.reason(), error));
        async {}
    });
    reasons
}

#[tokio::test]
async fn c_019_each_request_is_the_references() {
    let mut server = Requests::new().await;
    let bearer = HeaderValue::from_static("Bearer x");
    let socket = connecting(&server, "?a=b", options().header(AUTHORIZATION, bearer));
    let first = server.expect("GET /socket.io/?a=b&EIO=4&transport=polling&t=").await;
    // C-010: five characters of the time and three of chance.
    let stamp = first.line().split_once("&t=").unwrap().1;
    assert_eq!(stamp.len(), "abcdefgh HTTP/1.1".len(), "{stamp}");
    assert!(!first.line().contains("&sid="), "C-018");
    assert_eq!(first.header("accept"), Some("*/*"));
    assert_eq!(first.header("authorization"), Some("Bearer x"), "C-013");
    assert_eq!((first.header("content-type"), first.body.as_str()), (None, ""));
    first.answer(OPEN);

    // C-018: the session's id is there once it is known.
    let target = "/socket.io/?a=b&EIO=4&transport=polling&sid=s1&t=";
    let poll = server.expect(&format!("GET {target}")).await;
    let post = server.expect(&format!("POST {target}")).await;
    assert_eq!(post.body, "40");
    for request in [&poll, &post] {
        assert_eq!(request.header("accept"), Some("*/*"));
        assert_eq!(request.header("authorization"), Some("Bearer x"));
        assert_eq!(request.header("cookie"), None, "C-012");
    }
    assert_eq!(post.header("content-type"), Some("text/plain;charset=UTF-8"));
    // While a POST is on its way, there is no other; so is it with polls.
    poll.answer("40{\"sid\":\"a\"}\u{1e}2");
    within("a connection", socket.connected()).await.unwrap();
    socket.emit("text", "é€😀").unwrap();
    socket.emit("binary", (Bytes::from_static(&[1, 2]), 3)).unwrap();
    let poll = server.expect("GET").await;
    server.expect_nothing();
    post.answer("ok");
    let post = server.expect("POST").await;
    let expected = [
        "3",
        "42[\"text\",\"é€😀\"]",
        "451-[\"binary\",{\"_placeholder\":true,\"num\":0},3]",
        "bAQI=",
    ];
    assert_eq!(post.body, expected.join("\u{1e}"));
    post.answer("ok");
    poll.answer("6");
    server.expect("GET").await;
}

#[tokio::test]
async fn c_020_no_post_is_longer_than_the_server_takes() {
    let mut server = Requests::new().await;
    let socket = connecting(&server, "", options());
    let _poll = join(&mut server, &OPEN.replace("1000000", "20")).await;
    within("a connection", socket.connected()).await.unwrap();
    for number in 1..=5 {
        socket.emit("n", number).unwrap();
    }
    socket.emit("n", "much too long for it").unwrap();
    socket.emit("n", 6).unwrap();
    // Nine bytes each, and one between two of them.
    for expected in [
        "42[\"n\",1]\u{1e}42[\"n\",2]",
        "42[\"n\",3]\u{1e}42[\"n\",4]",
        "42[\"n\",5]",
        "42[\"n\",\"much too long for it\"]",
        "42[\"n\",6]",
    ] {
        let post = server.expect("POST").await;
        assert_eq!(post.body, expected);
        post.answer("ok");
    }
}

#[tokio::test]
async fn c_029_how_a_session_ends_is_told() {
    let mut server = Requests::new().await;
    let socket = connecting(&server, "", options());
    let mut reasons = reasons(&socket);
    let said = |text: &str| text.to_owned();

    let poll = join(&mut server, OPEN).await;
    poll.answer("1");
    reasons.expect((DisconnectReason::TransportClose, said(""))).await;

    let poll = join(&mut server, OPEN).await;
    poll.answer("nonsense");
    let (reason, error) = reasons.next("an end").await;
    assert_eq!(reason, DisconnectReason::TransportError);
    assert!(error.starts_with("server error: "), "{error}");

    let poll = join(&mut server, OPEN).await;
    poll.answer_with("400 Bad Request", "", "{\"code\":1,\"message\":\"Session ID unknown\"}");
    let error = said("xhr poll error: the server answered 400: Session ID unknown (code 1)");
    reasons.expect((DisconnectReason::TransportError, error)).await;

    let _poll = join(&mut server, OPEN).await;
    within("a connection", socket.connected()).await.unwrap();
    socket.emit("event", ()).unwrap();
    server.expect("POST").await.answer_with("413 Payload Too Large", "", "");
    let error = said("xhr post error: the server answered 413");
    reasons.expect((DisconnectReason::TransportError, error)).await;
}

#[tokio::test]
async fn c_026_who_leaves_sends_everything_first() {
    let mut server = Requests::new().await;
    let socket = connecting(&server, "", options());
    let _poll = join(&mut server, OPEN).await;
    within("a connection", socket.connected()).await.unwrap();
    socket.emit("one", ()).unwrap();
    let post = server.expect("POST").await;
    socket.emit("two", ()).unwrap();
    socket.disconnect();
    post.answer("ok");
    let post = server.expect("POST").await;
    assert_eq!(post.body, "42[\"two\"]\u{1e}41");
    post.answer("ok");
    assert_eq!(server.expect("POST").await.body, "1");
}

#[tokio::test]
async fn c_012_the_servers_cookies_stand_beside_those_of_the_program() {
    for keeps in [false, true] {
        let mut server = Requests::new().await;
        let own = HeaderValue::from_static("mine=1; io=old");
        let _socket = connecting(&server, "", options().header(COOKIE, own).cookies(keeps));
        let first = server.expect("GET").await;
        assert_eq!(cookies(&first), ["io=old", "mine=1"]);
        first.answer_with("200 OK", "Set-Cookie: io=s1; Path=/; HttpOnly\r\n", OPEN);
        let expected = if keeps { ["io=s1", "mine=1"] } else { ["io=old", "mine=1"] };
        assert_eq!(cookies(&server.expect("POST").await), expected);
        assert_eq!(cookies(&server.expect("GET").await), expected);
    }
}

fn cookies(request: &Request) -> Vec<&str> {
    let mut cookies: Vec<_> = request.header("cookie").unwrap_or("").split("; ").collect();
    cookies.sort_unstable();
    cookies
}

#[tokio::test]
async fn c_013_a_request_that_takes_too_long_is_an_error() {
    let mut server = Requests::new().await;
    let (pen, mut errors) = log::<bool>();
    let timeout = Duration::from_millis(200);
    let socket = connecting(&server, "", options().request_timeout(timeout));
    socket.manager().on_event(move |event| {
        if let ManagerEvent::Close { error: Some(error), .. } = event {
            pen.write(matches!(error.cause(), Some(TransportCause::TimedOut)));
        }
    });
    server.expect("GET").await.answer(OPEN);
    eventually("a connection", || socket.manager().is_open()).await;
    errors.expect(true).await;
}

#[tokio::test]
async fn c_028_an_upgrade_is_told_whether_it_comes_about_or_not() {
    let mut server = Requests::new().await;
    let (pen, mut steps) = log::<String>();
    let builder = ClientBuilder::new(&server.url());
    let socket = builder.build().unwrap();
    socket.manager().on_event(move |event| match event {
        ManagerEvent::UpgradeError(error) => pen.write(error.to_string()),
        ManagerEvent::Upgrade { transport } => pen.write(transport.as_str()),
        _ => {}
    });
    socket.connect();
    server.expect("GET").await.answer(&OPEN.replace("[]", "[\"websocket\"]"));
    let probe = server.expect("GET /socket.io/?EIO=4&transport=websocket&sid=s1").await;
    assert_eq!(probe.header("upgrade"), Some("websocket"));
    probe.answer_with("400 Bad Request", "", "no");
    steps.expect("probe error: the server answered 400: no").await;
    // The connection goes on over polling (C-021).
    let post = server.expect("POST").await;
    assert_eq!(post.body, "40");
    post.answer("ok");
    server.expect("GET").await.answer("40{\"sid\":\"a\"}");
    within("a connection", socket.connected()).await.unwrap();
    assert_eq!(socket.transport(), Some(TransportName::Polling));

    let io = Server::new();
    io.of("/").on_connect(async |_: sockeye::Socket| {});
    let address = serve(&io).await;
    let (pen, mut steps) = log::<String>();
    let socket = ClientBuilder::new(&format!("http://{address}")).build().unwrap();
    socket.manager().on_event(move |event| match event {
        ManagerEvent::Open { transport } | ManagerEvent::Upgrade { transport } => {
            pen.write(transport.as_str());
        }
        other => pen.write(format!("{other:?}")),
    });
    socket.connect();
    steps.expect("polling").await;
    steps.expect("websocket").await;
}

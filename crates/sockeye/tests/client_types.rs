//! What the client's public types promise to every program: where they may go, and what they do not
//! show.

#![cfg(all(feature = "server", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod support;

use std::fmt::Debug;

use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use sockeye::TransportName;
use sockeye::client::{
    self, Acknowledgement, AwaitAcknowledgement, ClientBuilder, ConnectError, ConnectOptions,
    ConnectRefused, Disconnect, DisconnectReason, DropReason, Events, LostEvent, Manager,
    ManagerEvent, Overflow, Proxy, ProxyError, ReceivedEvent, ReconnectionOptions,
    ReconnectionState, Socket, SocketBuilder, SocketEvent, SocketOperator, TlsOptions,
    TlsOptionsError, TransportCause, TransportError, UrlError,
};
use support::{ByHand, log, within};

#[test]
fn they_go_from_thread_to_thread_and_can_be_shown() {
    const fn anywhere<T: Send + Sync + Unpin + Debug + 'static>() {}
    const fn error<T: std::error::Error + Send + Sync + 'static>() {}
    anywhere::<ClientBuilder>();
    anywhere::<SocketBuilder>();
    anywhere::<ConnectOptions>();
    anywhere::<TlsOptions>();
    anywhere::<Proxy>();
    anywhere::<ReconnectionOptions>();
    anywhere::<ReconnectionState>();
    anywhere::<Overflow>();
    anywhere::<Manager>();
    anywhere::<ManagerEvent>();
    anywhere::<Socket>();
    anywhere::<SocketOperator<'static>>();
    anywhere::<Events>();
    anywhere::<SocketEvent>();
    anywhere::<ReceivedEvent>();
    anywhere::<LostEvent>();
    anywhere::<DropReason>();
    anywhere::<Disconnect>();
    anywhere::<DisconnectReason>();
    anywhere::<Acknowledgement>();
    anywhere::<AwaitAcknowledgement<String>>();
    // What is waited for need not be able to go anywhere.
    anywhere::<AwaitAcknowledgement<std::rc::Rc<str>>>();
    anywhere::<TransportCause>();
    error::<ConnectError>();
    error::<ConnectRefused>();
    error::<TransportError>();
    error::<UrlError>();
    error::<ProxyError>();
    error::<TlsOptionsError>();
}

#[test]
fn futures_go_from_thread_to_thread() {
    const fn send<T: Send>(_: &T) {}
    let builder = || ClientBuilder::new("http://localhost");
    let socket = builder().build().unwrap();
    let mut events = socket.events();
    send(&client::connect("http://localhost"));
    send(&builder().connect());
    send(&builder().manager().unwrap().socket("/").connect());
    send(&socket.connected());
    send(&socket.drained());
    send(&events.next());
}

/// What a program has to keep to itself, and no other word of these tests.
const SECRET: &str = "hush";

fn options() -> ConnectOptions {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer hush"));
    headers.insert(COOKIE, HeaderValue::from_static("session=hush"));
    headers.insert(HeaderName::from_static("x-key"), HeaderValue::from_static("hush"));
    ConnectOptions::new()
        .transports([TransportName::WebSocket])
        .headers(headers)
        .query([("token", SECRET)])
        .proxy(Proxy::new("http://user:hush@127.0.0.1:9").unwrap().basic_auth("user", SECRET))
}

#[test]
fn what_a_program_configures_is_shown_without_its_secrets() {
    let auth = json!({ "token": SECRET });
    let builder = ClientBuilder::new("http://localhost:8080/chat?token=hush")
        .options(options())
        .auth(auth.clone());
    let manager = builder.clone().manager().unwrap();
    let socket_builder = manager.socket("/other").auth(auth.clone());
    let target = sockeye::engine::client::Target::parse("http://localhost/?token=hush").unwrap();
    let shown = [
        format!("{:?}", options()),
        format!("{builder:?}"),
        format!("{manager:?}"),
        format!("{socket_builder:?}"),
        format!("{:?}", socket_builder.build()),
        format!("{:?}", builder.build().unwrap()),
        format!("{target:?}"),
    ];
    for shown in &shown {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    assert!(shown[1].contains("localhost:8080/chat"), "{}", shown[1]);
}

#[tokio::test]
async fn what_a_server_gives_as_a_credential_is_not_shown() {
    let server = ByHand::new().await;
    let options = ConnectOptions::new().transports([TransportName::WebSocket]);
    let builder = ClientBuilder::new(&server.url("/")).options(options);
    let socket = builder.build().unwrap();
    let manager = socket.manager();
    let (pen, mut steps) = log::<String>();
    manager.on_event(move |event| pen.write(format!("{event:?}")));
    let mut events = socket.events();
    socket.connect();
    let open = "0{\"sid\":\"hush\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000}";
    let mut peer = server.open_with(open).await;
    peer.expect("40").await;
    peer.send("40{\"sid\":\"public\",\"pid\":\"hush\"}").await;
    let connected = within("an event", events.next()).await;
    drop(peer);
    let disconnected = within("an event", events.next()).await;
    for shown in [
        format!("{connected:?}"),
        format!("{disconnected:?}"),
        format!("{socket:?} {manager:?} {events:?}"),
        steps.next("open").await,
        steps.next("close").await,
    ] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

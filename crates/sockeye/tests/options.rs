//! Settings of the HTTP side: what they are if nobody says anything, and what they change.

#![cfg(feature = "server")]

mod support;

use std::time::Duration;

use sockeye::Server;
use sockeye::engine::EngineOptions;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use support::{Client, Http, Polling, Response, serve};

const POLL: &str = "/socket.io/?EIO=4&transport=polling";
const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

fn settings_of(open: &Response) -> &str {
    assert_eq!(open.status, 200, "{}", open.body);
    open.body.split_once(r#","upgrades""#).expect("an OPEN packet").1
}

/// E-013, E-014, E-015, E-016, E-018, E-019, E-025, E-027, S-093.
#[tokio::test]
async fn the_defaults_are_those_of_the_reference() {
    let EngineOptions { upgrade_timeout, allow_eio3, cors, cookie, .. } = EngineOptions::default();
    assert_eq!((upgrade_timeout, allow_eio3), (Duration::from_secs(10), false));
    assert!(cors.is_none() && cookie.is_none());
    assert_eq!(EngineOptions::default().path, "/engine.io");
    let mut http = Http::open(serve(&Server::new()).await).await;
    let open = http.get(POLL).await;
    let settings =
        r#":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    assert_eq!(settings_of(&open), settings);
    assert_eq!(http.upgrade_with(SOCKET, &[]).await.status, 101);
}

/// E-003, E-018.
#[tokio::test]
async fn a_transport_that_is_not_enabled_is_unknown_and_not_offered() {
    let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
    let io = Server::builder().polling(false).build();
    let address = serve(&io).await;
    assert_eq!(Http::open(address).await.get(POLL).await.body, unknown);
    Client::join(address).await;

    let io = Server::builder().websocket(false).build();
    let address = serve(&io).await;
    let open = Http::open(address).await.get(POLL).await;
    assert!(settings_of(&open).starts_with(":[],"), "{}", open.body);
    let sid = open.body.split('"').nth(3).expect("a sid");
    for target in [SOCKET.to_owned(), format!("{SOCKET}&sid={sid}")] {
        let refused = Http::open(address).await.upgrade_with(&target, &[]).await;
        assert_eq!((refused.status, refused.body.as_str()), (400, "Transport unknown"));
    }
}

/// E-019. The reference takes the upgrade of a client that asks for one all the same.
#[tokio::test]
async fn without_upgrades_none_is_offered_and_none_is_taken() {
    let io = Server::builder().allow_upgrades(false).build();
    let address = serve(&io).await;
    let open = Http::open(address).await.get(POLL).await;
    assert!(settings_of(&open).starts_with(":[],"), "{}", open.body);
    let mut polling = Polling::join(address).await;
    let stream = TcpStream::connect(address).await.expect("the server listens");
    Client::upgrading(stream, "/socket.io/", &polling.sid).await.expect_close().await;
    io.emit("still", ()).unwrap();
    assert_eq!(polling.poll().await, r#"42["still"]"#);
    // A session that begins as a WebSocket is none that is upgraded.
    Client::join(address).await;
}

/// E-015, E-089. The clock is tokio's, so no time passes.
#[tokio::test(start_paused = true)]
async fn an_upgrade_that_takes_longer_than_ten_seconds_is_given_up() {
    let io = Server::new();
    let address = serve(&io).await;
    let sid = Polling::join(address).await.sid;
    let stream = TcpStream::connect(address).await.expect("the server listens");
    let start = Instant::now();
    let mut candidate = Client::upgrading(stream, "/socket.io/", &sid).await;
    candidate.send("2probe").await;
    candidate.expect("3probe").await;
    sleep(Duration::from_secs(9)).await;
    candidate.expect_nothing().await;
    candidate.expect_close().await;
    let taken = start.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&taken), "{taken:?}");
    io.emit("still", ()).unwrap();
    let poll = Http::open(address).await.get(&format!("{POLL}&sid={sid}")).await;
    assert_eq!(poll.body, r#"42["still"]"#);
}

/// S-022, S-093.
#[tokio::test(start_paused = true)]
async fn a_client_has_45_seconds_to_join() {
    let io = Server::builder().ping_interval(Duration::from_secs(100)).build();
    let mut client = Client::open(serve(&io).await).await;
    sleep(Duration::from_millis(44_900)).await;
    client.expect_nothing().await;
    client.expect_close().await;
}

/// The reference takes it for the default (S-094).
#[tokio::test]
async fn no_time_to_join_is_no_time() {
    let io = Server::builder().connect_timeout(Duration::ZERO).build();
    Client::open(serve(&io).await).await.expect_close().await;
}

/// E-027, E-028, E-029.
#[tokio::test]
async fn however_a_path_was_given_it_is_taken_with_and_without_its_slash() {
    for path in ["/my/io", "/my/io/"] {
        let address = serve(&Server::builder().path(path).build()).await;
        let mut http = Http::open(address).await;
        let query = "?EIO=4&transport=polling";
        for own in ["/my/io/", "/my/io", "/my/io/whatever"] {
            assert_eq!(http.get(&format!("{own}{query}")).await.status, 200, "{path} {own}");
        }
        for other in ["/my/ioo/", "/my/", "/my/i", "/socket.io/"] {
            assert_eq!(http.get(&format!("{other}{query}")).await.status, 404, "{path} {other}");
        }
    }
}

/// E-031: an upgrade that nobody wants is answered like any other request; it need not time out.
#[tokio::test]
async fn an_upgrade_on_another_path_is_answered_at_once() {
    let address = serve(&Server::new()).await;
    let mut http = Http::open(address).await;
    let answer = http.upgrade_with("/elsewhere?EIO=4&transport=websocket", &[]).await;
    assert_eq!(answer.status, 404);
}

/// E-045.
#[tokio::test]
async fn old_internet_explorers_are_told_that_there_is_no_script() {
    let mut http = Http::open(serve(&Server::new()).await).await;
    for (agent, expected) in [
        ("Mozilla/4.0 (compatible;MSIE 8.0; Windows NT 6.1)", Some("0")),
        ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", Some("0")),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", None),
    ] {
        let agent = format!("User-Agent: {agent}");
        let open = http.get_with(POLL, &[&agent]).await;
        assert_eq!(open.header("x-xss-protection"), expected, "{agent}");
        let sid = open.body.split('"').nth(3).expect("a sid");
        let target = format!("{POLL}&sid={sid}");
        http.request("POST", &target, &[&agent, "Content-Length: 2"]).await;
        http.send("40").await;
        assert_eq!(http.receive("a POST").await.header("x-xss-protection"), expected, "{agent}");
        let poll = http.get_with(&target, &[&agent]).await;
        assert_eq!(poll.header("x-xss-protection"), expected, "{agent}");
    }
}

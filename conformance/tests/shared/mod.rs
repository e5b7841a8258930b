//! The 16 Engine.IO cases that both official suites have.

use std::sync::Arc;
use std::time::Duration;

use conformance::raw::{Connection, Polling, Request, WebSocket, upgrade_request};
use conformance::{Case, Failure, Outcome, Server, capture};
use tokio::time::{Instant, sleep};

/// After this long without an answer to a ping, a session is closed: interval and timeout of both
/// suites, and a margin.
const PING_TIMEOUT: Duration = Duration::from_millis(300 + 200 + 60);

/// A dialogue over WebSocket that shows that the session is alive.
pub(crate) type Alive = &'static [&'static str];

/// The cases, in the order of the suites.
pub(crate) fn engine_cases(alive: Alive) -> Vec<Case> {
    vec![
        Case::new("polling: opens a session", "E-001 E-002 E-003", polling_opens),
        Case::new("polling: refuses an invalid EIO", "E-007 E-008 E-033", polling_eio),
        Case::new("polling: refuses an invalid transport", "E-033", polling_transport),
        Case::new("polling: refuses an invalid method", "E-033", polling_method),
        Case::new("websocket: opens a session", "E-010 E-002 E-003", websocket_opens),
        Case::new("websocket: refuses an invalid EIO", "E-007 E-008", websocket_eio),
        Case::new("websocket: refuses an invalid transport", "E-035", websocket_transport),
        Case::new("polling: exchanges pings and pongs", "E-076", polling_heartbeat),
        Case::new("polling: closes after a ping without pong", "E-078", polling_ping_timeout),
        Case::new("websocket: exchanges pings and pongs", "E-076", websocket_heartbeat),
        Case::new("websocket: closes after a ping without pong", "E-078", websocket_ping_timeout),
        Case::new("polling: closes when told to", "E-060", polling_close),
        Case::new("websocket: closes some time after a close packet", "E-080", websocket_close),
        Case::new("upgrade: from polling to websocket", "E-085 E-087", move |server| {
            upgrade(server, alive)
        }),
        Case::new("upgrade: no HTTP requests afterwards", "E-064", move |server| {
            no_polling_after_upgrade(server, alive)
        }),
        Case::new("upgrade: no second websocket afterwards", "E-084", move |server| {
            no_websocket_after_upgrade(server, alive)
        }),
    ]
}

async fn polling_opens(server: Arc<Server>) -> Outcome {
    Polling::open(&server).await.map(drop)
}

async fn polling_eio(server: Arc<Server>) -> Outcome {
    for query in ["transport=polling", "EIO=abc&transport=polling"] {
        refused(&server, "GET", query, 5).await?;
    }
    Ok(())
}

async fn polling_transport(server: Arc<Server>) -> Outcome {
    for query in ["EIO=4", "EIO=4&transport=abc"] {
        refused(&server, "GET", query, 0).await?;
    }
    Ok(())
}

async fn polling_method(server: Arc<Server>) -> Outcome {
    for method in ["POST", "PUT"] {
        refused(&server, method, "EIO=4&transport=polling", 2).await?;
    }
    Ok(())
}

async fn websocket_opens(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.close(1000).await?;
    socket.expect_close(1000).await
}

async fn websocket_eio(server: Arc<Server>) -> Outcome {
    for query in ["transport=websocket", "EIO=abc&transport=websocket"] {
        no_session(&server, query).await?;
    }
    Ok(())
}

async fn websocket_transport(server: Arc<Server>) -> Outcome {
    for query in ["EIO=4", "EIO=4&transport=abc"] {
        no_session(&server, query).await?;
    }
    Ok(())
}

async fn polling_heartbeat(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    for _ in 0..3 {
        session.poll().await?.expect(200, "2")?;
        session.send("3").await?;
    }
    Ok(())
}

async fn polling_ping_timeout(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    // Nothing can be awaited: a poll would be answered by the ping.
    sleep(PING_TIMEOUT).await;
    session.expect_closed().await
}

async fn websocket_heartbeat(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.ignore_pings();
    socket.play(&["< 2", "> 3", "< 2", "> 3", "< 2", "> 3"]).await
}

async fn websocket_ping_timeout(server: Arc<Server>) -> Outcome {
    let opened = Instant::now();
    let mut socket = WebSocket::open(&server).await?;
    socket.ignore_pings();
    socket.expect("2").await?;
    socket.expect_close(1005).await?;
    let lived = opened.elapsed();
    if (Duration::from_millis(480)..Duration::from_millis(1500)).contains(&lived) {
        return Ok(());
    }
    Err(Failure::new("a close after 500 ms", format_args!("it came after {lived:?}")))
}

async fn polling_close(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.park().await?;
    session.send("1").await?;
    session.parked().await?.expect(200, "6")?;
    session.expect_closed().await
}

/// The packet itself is ignored; a client that sends it stops answering pings.
async fn websocket_close(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.ignore_pings();
    socket.send("1").await?;
    socket.expect_closing().await.map(drop)
}

async fn upgrade(server: Arc<Server>, alive: Alive) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(&["> 2probe", "< 3probe"]).await?;
    session.expect("6").await?;
    socket.send("5").await?;
    socket.play(alive).await
}

/// Without waiting for `3probe`, as the suites do it.
async fn no_polling_after_upgrade(server: Arc<Server>, alive: Alive) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(&["> 2probe", "> 5", "< 3probe"]).await?;
    socket.play(alive).await?;
    session.poll().await?.expect_error(3)
}

async fn no_websocket_after_upgrade(server: Arc<Server>, alive: Alive) -> Outcome {
    let session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(&["> 2probe", "> 5", "< 3probe"]).await?;
    let mut second = WebSocket::upgrade(&server, session.sid()).await?;
    second.expect_close(1005).await?;
    socket.play(alive).await
}

/// A handshake that is refused with this code.
async fn refused(server: &Server, method: &str, query: &str, code: u8) -> Outcome {
    let request = Request::new(method, &server.target(query));
    Connection::once(server, &request).await?.expect_error(code)
}

/// A WebSocket handshake that does not end in a session, in whichever way it is refused: the
/// official server notices a wrong `EIO` after the 101.
async fn no_session(server: &Server, query: &str) -> Outcome {
    let mut connection = Connection::open(server).await?;
    connection.send(&upgrade_request(&server.target(query)).bytes()).await?;
    let status = connection.receive().await?.status();
    let rest = String::from_utf8_lossy(&connection.end().await?).into_owned();
    let opened = rest
        .find('0')
        .is_some_and(|start| capture(&server.open_packet("websocket"), &rest[start..]).is_some());
    if matches!(status, 400 | 101) && !opened {
        return Ok(());
    }
    Err(Failure::new("a refusal", format_args!("status {status}, then {rest:?}")))
}

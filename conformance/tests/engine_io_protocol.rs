//! The 24 cases of the official Engine.IO protocol suite, as dialogues of our own.

mod shared;

use std::sync::Arc;

use conformance::raw::{Connection, Polling, Request, WebSocket};
use conformance::{Case, Failure, Mode, Outcome, Server, run};

/// What a live session does in this mode.
const ALIVE: shared::Alive = &["> 4hello", "< 4hello"];

#[tokio::test]
async fn the_24_cases_of_the_engine_io_protocol() {
    let server = Server::start(Mode::EngineSuite, env!("CARGO_BIN_EXE_contract-server"));
    let mut cases = shared::engine_cases(ALIVE);
    cases.extend(message_cases());
    assert_eq!(cases.len(), 24);
    run(server, cases, &[]).await;
}

fn message_cases() -> Vec<Case> {
    vec![
        Case::new("polling: echoes a text packet", "E-043 E-044 E-057", |server| {
            polling_echo(server, "4hello")
        }),
        Case::new("polling: echoes several text packets", "E-057 E-063", |server| {
            polling_echo(server, "4test1\u{1e}4test2\u{1e}4test3")
        }),
        Case::new("polling: echoes text and binary packets", "E-057 E-063", |server| {
            polling_echo(server, "4hello\u{1e}bAQIDBA==")
        }),
        Case::new("polling: closes on an invalid packet", "E-058", polling_invalid_packet),
        Case::new("polling: closes on a second poll", "E-051", polling_second_poll),
        Case::new("websocket: echoes a text packet", "E-067", |server| {
            websocket_dialogue(server, &["> 4hello", "< 4hello"])
        }),
        Case::new("websocket: echoes a binary packet", "E-067", |server| {
            websocket_dialogue(server, &[">> 01 02 03 04", "<< 01 02 03 04"])
        }),
        Case::new("websocket: closes on an invalid packet", "E-071", websocket_invalid_packet),
    ]
}

async fn polling_echo(server: Arc<Server>, payload: &'static str) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.send(payload).await?;
    session.expect(payload).await.map(drop)
}

/// The suite hopes for 400; the official server answers 200, and closes all the same.
async fn polling_invalid_packet(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let status = session.post("abc").await?.status();
    if !matches!(status, 200 | 400) {
        return Err(Failure::new("200 or 400", status));
    }
    session.expect_closed().await
}

/// The pending poll gets the close packet.
async fn polling_second_poll(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.park().await?;
    let target = format!("{}&t=burst", session.target());
    let request = Request::get(&target);
    let second = Connection::once(&server, &request).await?;
    let first = session.parked().await?;
    first.expect(200, "1")?;
    if !matches!(second.status(), 400 | 500) {
        return Err(Failure::new("400 or 500", second.status()));
    }
    session.expect_closed().await
}

async fn websocket_dialogue(server: Arc<Server>, lines: &'static [&'static str]) -> Outcome {
    WebSocket::open(&server).await?.play(lines).await
}

async fn websocket_invalid_packet(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.send("abc").await?;
    socket.expect_close(1005).await
}

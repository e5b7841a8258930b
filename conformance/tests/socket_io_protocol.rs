//! The 32 cases of the official Socket.IO protocol suite, as dialogues of our own.

mod shared;

use std::sync::Arc;

use conformance::raw::WebSocket;
use conformance::{Case, Mode, Outcome, Server, run};

/// What a live session does in this mode.
const ALIVE: shared::Alive = &["> 40", r#"< 40{"sid":"<sid>"}"#, r#"< 42["auth",{}]"#];

#[tokio::test]
async fn the_32_cases_of_the_socket_io_protocol() {
    let server = Server::start(Mode::SocketSuite, env!("CARGO_BIN_EXE_contract-server"));
    let mut cases = shared::engine_cases(ALIVE);
    cases.extend(connect_cases());
    cases.extend(disconnect_cases());
    cases.extend(message_cases());
    assert_eq!(cases.len(), 32);
    run(server, cases, &[]).await;
}

fn connect_cases() -> Vec<Case> {
    vec![
        Case::new("connects to the main namespace", "S-023", |server| opened(server, ALIVE)),
        Case::new("connects to the main namespace with a payload", "S-023", |server| {
            opened(
                server,
                &[
                    r#"> 40{"token":"123"}"#,
                    r#"< 40{"sid":"<sid>"}"#,
                    r#"< 42["auth",{"token":"123"}]"#,
                ],
            )
        }),
        Case::new("connects to another namespace", "S-002 S-023", |server| {
            opened(
                server,
                &["> 40/custom,", r#"< 40/custom,{"sid":"<sid>"}"#, r#"< 42/custom,["auth",{}]"#],
            )
        }),
        Case::new("connects to another namespace with a payload", "S-002 S-023", |server| {
            opened(
                server,
                &[
                    r#"> 40/custom,{"token":"abc"}"#,
                    r#"< 40/custom,{"sid":"<sid>"}"#,
                    r#"< 42/custom,["auth",{"token":"abc"}]"#,
                ],
            )
        }),
        Case::new("refuses an unknown namespace", "S-024", |server| {
            opened(server, &["> 40/random", r#"< 44/random,{"message":"Invalid namespace"}"#])
        }),
        Case::new("closes on an invalid packet instead of CONNECT", "S-007 S-027", |server| {
            closes_after(server, &[], "4abc")
        }),
        Case::new("closes without CONNECT", "S-022", never_connects),
    ]
}

fn disconnect_cases() -> Vec<Case> {
    vec![
        Case::new("stays open after DISCONNECT", "S-030", |server| async move {
            let mut socket = connected(&server).await?;
            socket.ignore_pings();
            socket.play(&["> 41", "< 2"]).await
        }),
        Case::new("disconnects from one namespace only", "S-029 S-030", |server| {
            dialogue(
                server,
                &[
                    "> 40/custom",
                    r#"< 40/custom,{"sid":"<sid>"}"#,
                    r#"< 42/custom,["auth",{}]"#,
                    "> 41/custom",
                    r#"> 42["message","message to main namespace"]"#,
                    r#"< 42["message-back","message to main namespace"]"#,
                ],
            )
        }),
    ]
}

fn message_cases() -> Vec<Case> {
    vec![
        Case::new("echoes an event", "S-002", |server| {
            dialogue(
                server,
                &[
                    r#"> 42["message",1,"2",{"3":[true]}]"#,
                    r#"< 42["message-back",1,"2",{"3":[true]}]"#,
                ],
            )
        }),
        Case::new("echoes an event with attachments", "S-003", |server| {
            dialogue(
                server,
                &[
                    r#"> 452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
                    ">> 01 02 03",
                    ">> 04 05 06",
                    r#"< 452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
                    "<< 01 02 03",
                    "<< 04 05 06",
                ],
            )
        }),
        Case::new("acknowledges an event", "S-002", |server| {
            dialogue(
                server,
                &[
                    r#"> 42456["message-with-ack",1,"2",{"3":[false]}]"#,
                    r#"< 43456[1,"2",{"3":[false]}]"#,
                ],
            )
        }),
        Case::new("acknowledges an event with attachments", "S-003", |server| {
            dialogue(
                server,
                &[
                    r#"> 452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
                    ">> 01 02 03",
                    ">> 04 05 06",
                    r#"< 462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
                    "<< 01 02 03",
                    "<< 04 05 06",
                ],
            )
        }),
        Case::new("closes on an unknown packet type", "S-007 S-027", |server| {
            closes_after(server, ALIVE, "4abc")
        }),
        Case::new("closes on an invalid payload", "S-012 S-027", |server| {
            closes_after(server, ALIVE, "42{}")
        }),
        Case::new("closes on an invalid ack id", "S-011 S-027", |server| {
            closes_after(server, ALIVE, r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#)
        }),
    ]
}

/// A connection to the main namespace.
async fn connected(server: &Server) -> Outcome<WebSocket> {
    let mut socket = WebSocket::open(server).await?;
    socket.play(ALIVE).await?;
    Ok(socket)
}

async fn opened(server: Arc<Server>, lines: &'static [&'static str]) -> Outcome {
    WebSocket::open(&server).await?.play(lines).await
}

async fn dialogue(server: Arc<Server>, lines: &'static [&'static str]) -> Outcome {
    connected(&server).await?.play(lines).await
}

async fn closes_after(
    server: Arc<Server>,
    before: &'static [&'static str],
    offence: &'static str,
) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.play(before).await?;
    socket.send(offence).await?;
    socket.expect_close(1005).await
}

async fn never_connects(server: Arc<Server>) -> Outcome {
    WebSocket::open(&server).await?.expect_close(1005).await
}

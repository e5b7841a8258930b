//! From polling to WebSocket: every step in and out of turn.

use std::sync::Arc;
use std::time::Duration;

use conformance::raw::{Connection, Polling, WebSocket, upgrade_request};
use conformance::{Case, Failure, Outcome, Server};
use tokio::time::sleep;

/// What the session says over WebSocket when the upgrade is complete.
const ALIVE: &[&str] = &["> 4alive?", "< 4alive?"];

/// Other packets than probe and upgrade on the new transport, before the upgrade.
const OUT_OF_TURN: &[(&str, &str)] = &[
    ("upgrade: a message instead of a probe", "4hello"),
    ("upgrade: a ping instead of a probe", "2"),
    ("upgrade: a pong instead of a probe", "3probe"),
    ("upgrade: a ping with other data", "2prob"),
    ("upgrade: an open packet instead of a probe", "0"),
    ("upgrade: a close packet instead of a probe", "1"),
    ("upgrade: a noop instead of a probe", "6"),
    ("upgrade: an undecodable packet instead of a probe", "abc"),
    ("upgrade: an empty packet instead of a probe", ""),
];

pub(crate) fn cases() -> Vec<Case> {
    let instead_of_probe = OUT_OF_TURN.iter().map(|&(name, packet)| {
        Case::new(name, "E-088 W19", move |server| out_of_turn(server, &[], packet))
    });
    let others = [
        Case::new("upgrade: a message after the probe", "E-088", |server| {
            out_of_turn(server, &["> 2probe", "< 3probe"], "4hello")
        }),
        Case::new("upgrade: a second probe is answered", "E-085 W19", second_probe),
        Case::new("upgrade: no probe is needed", "E-087 W19", no_probe),
        Case::new("upgrade: the probe ends a pending poll", "E-085", pending_poll),
        Case::new("upgrade: the probe ends the next poll too", "E-085", next_poll),
        Case::new("upgrade: polling goes on until it is complete", "E-086 E19", messages_meanwhile),
        Case::new("upgrade: what is queued moves", "E-087 E19", queued_messages_move),
        Case::new("upgrade: packets behind the upgrade packet count", "E-087", pipelined),
        Case::new("upgrade: a poll pending at the end is answered", "E-087", poll_at_the_end),
        Case::new("upgrade: neither polls nor POSTs afterwards", "E-064", no_requests_afterwards),
        Case::new("upgrade: no other transport while probing", "E-084 W03", two_at_once),
        Case::new("upgrade: no other transport afterwards", "E-084 W03", again),
        Case::new("upgrade: not of a websocket session", "E-084 W03", of_websocket),
        Case::new("upgrade: binary is no probe", "E-088", binary_probe),
        Case::new("upgrade: a close of the new transport is no harm", "E-089 E18", closed_new),
        Case::new("upgrade: a lost new transport is no harm", "E-089 E18", lost_new),
        Case::new(
            "upgrade: a broken frame on the new transport is no harm",
            "E-089 E18",
            broken_new,
        ),
        Case::new("upgrade: the session's end closes the new transport", "E-089", closed_session),
        Case::new("upgrade: after a failed attempt", "E-088 E-089", second_attempt),
        Case::new("upgrade: another EIO", "E-037 E05", other_revision),
        Case::new("upgrade: heartbeats move", "E-076 E-083", heartbeats_move),
        Case::new(
            "upgrade: a ping that polling delivered may stay without pong",
            "E-083",
            lost_pong,
        ),
    ];
    instead_of_probe.chain(others).collect()
}

/// A session and its probed new transport.
async fn probed(server: &Arc<Server>) -> Outcome<(Polling, WebSocket)> {
    let session = Polling::open(server).await?;
    let mut socket = WebSocket::upgrade(server, session.sid()).await?;
    socket.play(&["> 2probe", "< 3probe"]).await?;
    Ok((session, socket))
}

/// Only the new transport is closed.
async fn out_of_turn(
    server: Arc<Server>,
    before: &'static [&'static str],
    packet: &'static str,
) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(before).await?;
    socket.send(packet).await?;
    socket.expect_close(1005).await?;
    session.expect_echo().await
}

async fn second_probe(server: Arc<Server>) -> Outcome {
    let (_session, mut socket) = probed(&server).await?;
    socket.play(&["> 2probe", "< 3probe", "> 5"]).await?;
    socket.play(ALIVE).await
}

async fn no_probe(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.send("5").await?;
    socket.play(ALIVE).await?;
    session.poll().await?.expect_error(3)
}

async fn pending_poll(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.park().await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(&["> 2probe", "< 3probe"]).await?;
    session.parked().await?.expect(200, "6")?;
    socket.send("5").await?;
    socket.play(ALIVE).await
}

async fn next_poll(server: Arc<Server>) -> Outcome {
    let (mut session, mut socket) = probed(&server).await?;
    session.poll().await?.expect(200, "6")?;
    session.poll().await?.expect(200, "6")?;
    socket.send("5").await?;
    socket.play(ALIVE).await
}

async fn messages_meanwhile(server: Arc<Server>) -> Outcome {
    let (mut session, mut socket) = probed(&server).await?;
    for message in ["4first", "4second"] {
        session.send(message).await?;
        // A poll that waits for long is ended with `6`.
        while session.expect("<any>").await?.concat() != message {}
    }
    socket.send("5").await?;
    socket.play(ALIVE).await
}

async fn queued_messages_move(server: Arc<Server>) -> Outcome {
    let (mut session, mut socket) = probed(&server).await?;
    session.send("4first\u{1e}bAQI=\u{1e}4third").await?;
    socket.play(&["> 5", "< 4first", "<< 01 02", "< 4third"]).await?;
    socket.play(ALIVE).await
}

async fn pipelined(server: Arc<Server>) -> Outcome {
    let session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(&["> 2probe", "> 5", "> 4a", ">> 01", "> 4b"]).await?;
    socket.play(&["< 3probe", "< 4a", "<< 01", "< 4b"]).await
}

/// It would hang otherwise. Clients stop polling before they send the upgrade packet.
async fn poll_at_the_end(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    session.park().await?;
    socket.send("5").await?;
    let answer = session.parked().await?;
    if answer.status() != 200 || !matches!(answer.text().as_str(), "1" | "6") {
        return Err(Failure::new("`1` or `6`", answer.text()));
    }
    socket.play(ALIVE).await
}

async fn no_requests_afterwards(server: Arc<Server>) -> Outcome {
    let (mut session, mut socket) = probed(&server).await?;
    socket.send("5").await?;
    socket.play(ALIVE).await?;
    session.poll().await?.expect_error(3)?;
    session.post("4hello").await?.expect_error(3)?;
    socket.play(ALIVE).await
}

async fn two_at_once(server: Arc<Server>) -> Outcome {
    let (session, mut first) = probed(&server).await?;
    let mut second = WebSocket::upgrade(&server, session.sid()).await?;
    second.expect_close(1005).await?;
    first.send("5").await?;
    first.play(ALIVE).await
}

async fn again(server: Arc<Server>) -> Outcome {
    let (session, mut first) = probed(&server).await?;
    first.send("5").await?;
    first.play(ALIVE).await?;
    let mut second = WebSocket::upgrade(&server, session.sid()).await?;
    second.expect_close(1005).await?;
    first.play(ALIVE).await
}

async fn of_websocket(server: Arc<Server>) -> Outcome {
    let mut first = WebSocket::connect(&server, "EIO=4&transport=websocket").await?;
    let sid = first.expect(&server.open_packet("websocket")).await?.remove(0);
    let mut second = WebSocket::upgrade(&server, &sid).await?;
    second.expect_close(1005).await?;
    first.play(ALIVE).await
}

async fn binary_probe(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.send_binary(b"2probe").await?;
    socket.expect_close(1005).await?;
    session.expect_echo().await
}

async fn closed_new(server: Arc<Server>) -> Outcome {
    let (mut session, mut socket) = probed(&server).await?;
    socket.close(1000).await?;
    socket.expect_close(1000).await?;
    session.expect_echo().await
}

async fn lost_new(server: Arc<Server>) -> Outcome {
    let (mut session, socket) = probed(&server).await?;
    drop(socket);
    session.expect_echo().await?;
    session.expect_echo().await
}

async fn broken_new(server: Arc<Server>) -> Outcome {
    let (mut session, mut socket) = probed(&server).await?;
    socket.send_bytes(&[0xf3, 0x80, 1, 2, 3, 4]).await?;
    socket.expect_close(1002).await?;
    session.expect_echo().await
}

async fn closed_session(server: Arc<Server>) -> Outcome {
    let (mut session, mut socket) = probed(&server).await?;
    session.send("1").await?;
    socket.expect_close(1005).await?;
    session.expect_closed().await
}

async fn second_attempt(server: Arc<Server>) -> Outcome {
    let (session, mut first) = probed(&server).await?;
    first.send("abc").await?;
    first.expect_close(1005).await?;
    let mut second = WebSocket::upgrade(&server, session.sid()).await?;
    second.play(&["> 2probe", "< 3probe", "> 5"]).await?;
    second.play(ALIVE).await
}

/// The session lives on.
async fn other_revision(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let query = format!("EIO=3&transport=websocket&sid={}", session.sid());
    let request = upgrade_request(&server.target(&query));
    let response = Connection::once(&server, &request).await?;
    response.expect(400, "Bad request")?;
    session.expect_echo().await
}

async fn heartbeats_move(server: Arc<Server>) -> Outcome {
    let (_session, mut socket) = probed(&server).await?;
    socket.ignore_pings();
    socket.play(&["> 5", "< 2", "> 3", "< 2", "> 3", "< 2"]).await
}

/// After the upgrade the pong is no longer awaited.
async fn lost_pong(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.poll().await?.expect(200, "2")?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(&["> 2probe", "< 3probe", "> 5"]).await?;
    socket.ignore_pings();
    // It would be closed within 200 ms. Nothing can be awaited: it is silent.
    sleep(Duration::from_millis(250)).await;
    socket.play(ALIVE).await
}

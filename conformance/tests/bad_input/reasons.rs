//! Which reason the server gives for the end of a socket; E-093 and the table of reasons.

use std::sync::Arc;
use std::time::Duration;

use conformance::raw::{Connection, Frame, Opcode, Request, WebSocket};
use conformance::{Case, Failure, Outcome, Server};
use tokio::time::{Instant, sleep};

use crate::packets::connected_by_polling;

/// How a connection over WebSocket ends, and the reason.
type End = (&'static str, &'static str, fn() -> Vec<Frame>, &'static str);

const WEBSOCKET_ENDS: &[End] = &[
    ("reason: DISCONNECT", "S-030", || text("41"), "client namespace disconnect"),
    (
        "reason: disconnect by the server",
        "S-031",
        || text(r#"42["disconnect-me",false]"#),
        "server namespace disconnect",
    ),
    (
        "reason: disconnect of the connection",
        "S-031",
        || text(r#"42["disconnect-me",true]"#),
        "server namespace disconnect",
    ),
    ("reason: a bad Socket.IO packet", "S-027", || text("42{}"), "forced close"),
    ("reason: an empty Socket.IO packet", "S-028", || text("4"), "forced close"),
    ("reason: a bad Engine.IO packet", "E-071", || text("9"), "parse error"),
    ("reason: an empty Engine.IO packet", "E-071", || text(""), "parse error"),
    ("reason: a client's ping", "E-079", || text("2"), "transport error"),
    ("reason: close 1000", "E-093", || vec![Frame::close(1000, b"")], "transport close"),
    ("reason: close 4000", "E-093", || vec![Frame::close(4000, b"bye")], "transport close"),
    (
        "reason: close without a code",
        "E-093",
        || vec![Frame::new(Opcode::Close, "")],
        "transport close",
    ),
    (
        "reason: an unmasked frame",
        "W01",
        || vec![Frame::new(Opcode::Text, "4").unmasked()],
        "transport error",
    ),
    ("reason: a frame above the limit", "E-070", too_large, "transport error"),
    (
        "reason: text that is not UTF-8",
        "P13",
        || vec![Frame::new(Opcode::Text, *b"4\xff")],
        "transport error",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let ends = WEBSOCKET_ENDS.iter().map(|&(name, ids, frames, reason)| {
        Case::new(name, ids, move |server| websocket_end(server, frames, reason))
    });
    let others = [
        Case::new("reason: the connection is lost", "E-093", lost),
        Case::new("reason: a ping without pong", "E-078", no_pong),
        Case::new("reason: a second poll", "E-051", second_poll),
        Case::new("reason: a second POST", "E-052", second_post),
        Case::new("reason: octet-stream", "E-053", octet_stream),
        Case::new("reason: a close packet by POST", "E-060", close_packet),
        Case::new("reason: an aborted poll", "E-061", aborted_poll),
        Case::new("reason: an aborted POST", "E-061", aborted_post),
        Case::new("reason: a bad packet by POST", "E-058", |server| bad_post(server, "abc")),
        Case::new("reason: an empty POST", "E-059", |server| bad_post(server, "")),
        Case::new("reason: a ping without pong over polling", "E-078", no_pong_over_polling),
        Case::new("server: closes a pending poll", "E-062", closed_while_polling),
        Case::new("server: closes with the next poll", "E-062", closed_between_polls),
    ];
    ends.chain(others).collect()
}

/// A connection to the main namespace over WebSocket, and the id of its socket.
pub(crate) async fn connected(server: &Server) -> Outcome<(WebSocket, String)> {
    let mut socket = WebSocket::open(server).await?;
    socket.send("40").await?;
    let sid = socket.expect(r#"40{"sid":"<sid>"}"#).await?.remove(0);
    let welcome =
        format!(r#"42["welcome",{{"sid":"{sid}","nsp":"/","auth":{{}},"recovered":false}}]"#);
    socket.expect(&welcome).await?;
    Ok((socket, sid))
}

/// Asks the server, over another connection, why a socket was disconnected.
pub(crate) async fn expect_reason(server: &Server, sid: &str, reason: &str) -> Outcome {
    const SOON: Duration = Duration::from_millis(800);
    let (mut observer, _) = connected(server).await?;
    let started = Instant::now();
    loop {
        observer.send(format!(r#"421["last-reason","{sid}"]"#)).await?;
        let answer = observer.expect("431[<any>").await?.concat();
        if answer == format!("\"{reason}\"]") {
            return Ok(());
        }
        if answer != "null]" || started.elapsed() > SOON {
            return Err(Failure::new(format_args!("the reason {reason:?}"), answer));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn websocket_end(
    server: Arc<Server>,
    frames: fn() -> Vec<Frame>,
    reason: &'static str,
) -> Outcome {
    let (mut socket, sid) = connected(&server).await?;
    for frame in frames() {
        socket.send_frame(&frame).await?;
    }
    if reason == "transport close" {
        // The official server waits for the end of the closing handshake.
        socket.expect_closing().await?;
        drop(socket);
    }
    expect_reason(&server, &sid, reason).await
}

async fn lost(server: Arc<Server>) -> Outcome {
    let (socket, sid) = connected(&server).await?;
    drop(socket);
    expect_reason(&server, &sid, "transport close").await
}

async fn no_pong(server: Arc<Server>) -> Outcome {
    let (mut socket, sid) = connected(&server).await?;
    socket.ignore_pings();
    socket.expect("2").await?;
    socket.expect_close(1005).await?;
    expect_reason(&server, &sid, "ping timeout").await
}

async fn second_poll(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.park().await?;
    Connection::once(&server, &Request::get(&session.target())).await?.expect(400, "")?;
    expect_reason(&server, &sid, "transport error").await
}

async fn second_post(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.begin_post(10, "4hel").await?;
    Connection::once(&server, &Request::post(&session.target(), "4")).await?.expect(400, "")?;
    expect_reason(&server, &sid, "transport error").await
}

async fn octet_stream(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    let request =
        Request::post(&session.target(), "4a").header("Content-Type", "application/octet-stream");
    session.exchange(&request).await?.expect(400, "")?;
    expect_reason(&server, &sid, "transport error").await
}

async fn close_packet(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.send("1").await?;
    expect_reason(&server, &sid, "transport close").await
}

async fn aborted_poll(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.park().await?;
    session.abort_poll().await?;
    expect_reason(&server, &sid, "transport error").await
}

async fn aborted_post(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.begin_post(10, "4hel").await?;
    session.abort_post().await?;
    expect_reason(&server, &sid, "transport error").await
}

async fn bad_post(server: Arc<Server>, payload: &'static str) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.post(payload).await?;
    expect_reason(&server, &sid, "parse error").await
}

async fn no_pong_over_polling(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.poll().await?.expect(200, "2")?;
    session.poll().await?.expect(200, "1")?;
    expect_reason(&server, &sid, "ping timeout").await
}

async fn closed_while_polling(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.park().await?;
    session.send(r#"42["drop-me"]"#).await?;
    session.parked().await?.expect(200, "1")?;
    session.expect_closed().await?;
    expect_reason(&server, &sid, "forced close").await
}

/// A close that finds no poll waits for the next.
async fn closed_between_polls(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.send(r#"42["drop-me"]"#).await?;
    let last = session.poll().await?;
    if last.status() != 200 || !matches!(last.text().as_str(), "6\u{1e}1" | "1") {
        return Err(Failure::new("a close packet", last.text().escape_debug()));
    }
    session.expect_closed().await?;
    expect_reason(&server, &sid, "forced close").await
}

/// One text frame.
fn text(payload: &str) -> Vec<Frame> {
    vec![Frame::new(Opcode::Text, payload)]
}

/// One byte more than the handshake allows.
fn too_large() -> Vec<Frame> {
    vec![Frame::new(Opcode::Text, vec![b'4'; 1_000_001])]
}

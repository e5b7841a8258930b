//! Long-polling: requests that overlap, are aborted, or come with the wrong method or query.

use std::sync::Arc;

use conformance::raw::{Connection, Polling, Request, WebSocket};
use conformance::{Case, Failure, Outcome, Server};

pub(crate) fn cases() -> Vec<Case> {
    let methods = [
        ("polling: PUT is not allowed", "PUT"),
        ("polling: DELETE is not allowed", "DELETE"),
        ("polling: PATCH is not allowed", "PATCH"),
        ("polling: HEAD is not allowed", "HEAD"),
    ];
    let methods = methods.into_iter().map(|(name, method)| {
        Case::new(name, "E-056 E07", move |server| other_method(server, method))
    });
    let others = [
        Case::new("polling: responses have their headers", "E-043 E-044", headers),
        Case::new("polling: all that is queued comes in one payload", "E-063", one_payload),
        Case::new("polling: a second poll closes the session", "E-051 E08", second_poll),
        Case::new("polling: a second POST closes the session", "E-052 E08", second_post),
        Case::new("polling: a close packet ends the pending poll", "E-060", close_packet),
        Case::new("polling: a close packet needs no pending poll", "E-060", close_packet_alone),
        Case::new("polling: a ping timeout ends the pending poll", "E-078", ping_timeout),
        Case::new("polling: the next ping follows the pong", "E-076", one_ping),
        Case::new("polling: an aborted poll closes the session", "E-061 E09", aborted_poll),
        Case::new("polling: an aborted POST closes the session", "E-061", aborted_post),
        Case::new("polling: another transport without an upgrade", "E-064 E-036", mismatch),
        Case::new("polling: another EIO", "E-037 E05", other_revision),
        Case::new("polling: no EIO on a later request", "E-037 E05", no_revision),
        Case::new("polling: a websocket session takes no polls", "E-064", poll_of_websocket),
        Case::new("polling: requests may be pipelined", "E10", pipelined),
    ];
    methods.chain(others).collect()
}

/// The session lives on.
async fn other_method(server: Arc<Server>, method: &'static str) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let request = Request::new(method, &session.target());
    session.exchange(&request).await?.expect(405, "")?;
    session.expect_echo().await
}

async fn headers(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let posted = session.post("4é€😀").await?;
    posted.expect(200, "ok")?;
    posted.expect_header("content-type", "text/html")?;
    posted.expect_header("content-length", "2")?;
    posted.expect_header("cache-control", "no-store")?;
    let polled = session.poll().await?;
    polled.expect(200, "4é€😀")?;
    polled.expect_header("content-type", "text/plain; charset=UTF-8")?;
    polled.expect_header("content-length", "10")?;
    polled.expect_header("cache-control", "no-store")
}

async fn one_payload(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    for packet in ["4a", "bAQI=", "4", "4c"] {
        session.send(packet).await?;
    }
    session.expect("4a\u{1e}bAQI=\u{1e}4\u{1e}4c").await.map(drop)
}

async fn second_poll(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.park().await?;
    let second = Connection::once(&server, &Request::get(&session.target())).await?;
    second.expect(400, "")?;
    session.parked().await?.expect(200, "1")?;
    session.expect_closed().await
}

/// The first POST gets no answer from the official server: its connection just ends.
async fn second_post(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.begin_post(10, "4hel").await?;
    let second = Connection::once(&server, &Request::post(&session.target(), "4b")).await?;
    second.expect(400, "")?;
    let first = String::from_utf8_lossy(&session.posts().end().await?).into_owned();
    if !first.is_empty() && !first.starts_with("HTTP/1.1 400 ") {
        return Err(Failure::new("an end, or 400", first));
    }
    session.expect_closed().await
}

async fn close_packet(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.park().await?;
    session.send("1").await?;
    session.parked().await?.expect(200, "6")?;
    session.expect_closed().await
}

async fn close_packet_alone(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.send("1").await?;
    session.expect_closed().await
}

async fn ping_timeout(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.poll().await?.expect(200, "2")?;
    session.poll().await?.expect(200, "1")?;
    session.expect_closed().await
}

async fn one_ping(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.poll().await?.expect(200, "2")?;
    session.send("3\u{1e}4a").await?;
    session.poll().await?.expect(200, "4a")?;
    session.poll().await?.expect(200, "2")
}

async fn aborted_poll(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.park().await?;
    session.abort_poll().await?;
    session.expect_closing().await
}

async fn aborted_post(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.begin_post(10, "4hel").await?;
    session.abort_post().await?;
    session.expect_closing().await
}

/// The session lives on.
async fn mismatch(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let target = server.target(&format!("EIO=4&transport=websocket&sid={}", session.sid()));
    for request in [Request::get(&target), Request::post(&target, "4a")] {
        session.exchange(&request).await?.expect_error(3)?;
    }
    session.expect_echo().await
}

/// The session lives on.
async fn other_revision(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let target = server.target(&format!("EIO=3&transport=polling&sid={}", session.sid()));
    for request in [Request::get(&target), Request::post(&target, "2:4a")] {
        session.exchange(&request).await?.expect_error(3)?;
    }
    session.expect_echo().await
}

/// The session lives on.
async fn no_revision(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let target = server.target(&format!("transport=polling&sid={}", session.sid()));
    session.exchange(&Request::get(&target)).await?.expect_error(3)?;
    session.expect_echo().await
}

/// The session lives on.
async fn poll_of_websocket(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::connect(&server, "EIO=4&transport=websocket").await?;
    let sid = socket.expect(&server.open_packet("websocket")).await?.remove(0);
    let target = server.target(&format!("EIO=4&transport=polling&sid={sid}"));
    Connection::once(&server, &Request::get(&target)).await?.expect_error(3)?;
    Connection::once(&server, &Request::post(&target, "4a")).await?.expect_error(3)?;
    socket.play(&["> 4alive?", "< 4alive?"]).await
}

async fn pipelined(server: Arc<Server>) -> Outcome {
    let session = Polling::open(&server).await?;
    let mut connection = Connection::open(&server).await?;
    let post = Request::post(&session.target(), "4a").bytes();
    let poll = Request::get(&session.target()).bytes();
    connection.send(&[post, poll].concat()).await?;
    connection.receive().await?.expect(200, "ok")?;
    connection.receive().await?.expect(200, "4a")
}

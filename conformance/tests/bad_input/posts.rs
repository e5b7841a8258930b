//! Long-polling: bodies that are too large, come in pieces, or hold what is no packet.

use std::sync::Arc;

use conformance::raw::{Polling, Request};
use conformance::{Case, Outcome, Server};

/// The largest body: maxPayload of the handshake.
const LIMIT: usize = 1_000_000;

/// A payload that closes the session, although the POST is answered as if all were well.
type Undecodable = (&'static str, &'static str, &'static [u8]);

const UNDECODABLE: &[Undecodable] = &[
    ("post: letters", "E-058", b"abc"),
    ("post: nothing", "E-059", b""),
    ("post: an unknown packet type", "E-058 P02", b"7"),
    ("post: a multi-byte character instead of a type", "E-058 P02", "é2345".as_bytes()),
    ("post: an emoji instead of a type", "E-058 P02", "🦀".as_bytes()),
    ("post: only a separator", "E-058 P24", b"\x1e"),
    ("post: an empty packet between others", "E-058 P24", b"4a\x1e\x1e4b"),
    ("post: a trailing separator", "E-058 P24", b"4a\x1e"),
    ("post: a bad packet after a good one", "E-058", b"4a\x1e9"),
    ("post: invalid UTF-8", "P13", b"4a\xff\xfeb"),
    ("post: base64 with a bad alphabet", "P14", b"b!!!!"),
    ("post: base64 with white space", "P14", b"bAQ ID"),
    ("post: a client's ping", "E-079", b"2"),
];

pub(crate) fn cases() -> Vec<Case> {
    let undecodable = UNDECODABLE.iter().map(|&(name, ids, payload)| {
        Case::new(name, ids, move |server| closes_after(server, payload))
    });
    let kept = [
        ("post: an unsolicited pong is kept", "E-079", "3"),
        ("post: an open packet is ignored", "E-080", "0"),
        ("post: an upgrade packet is ignored", "E-080", "5"),
        ("post: a noop packet is ignored", "E-080", "6"),
    ];
    let kept = kept.into_iter().map(|(name, ids, payload)| {
        Case::new(name, ids, move |server| stays_after(server, payload))
    });
    let others = [
        Case::new("post: octet-stream", "E-053 E06", octet_stream),
        Case::new("post: any other content type", "E06", content_types),
        Case::new("post: no content type", "E06", no_content_type),
        Case::new("post: the largest body", "E-054", largest_body),
        Case::new("post: a body above the limit", "E-054 E01", too_large),
        Case::new("post: chunks above the limit", "E-054 E01", too_large_in_chunks),
        Case::new("post: an announced body above the limit", "E-054 E01", too_large_announced),
        Case::new("post: the limit counts bytes", "E-054", limit_in_bytes),
        Case::new("post: a body in chunks", "E-065", chunked),
        Case::new("post: a body of one-byte segments", "E-065", segmented),
        Case::new("post: a character split over chunks", "E-066", split_character),
        Case::new("post: a byte order mark is text", "E-058 E-066", byte_order_mark),
        Case::new("post: expects 100-continue", "E10", expect_continue),
        Case::new("post: an empty binary packet", "E-057", |server| echoes(server, "b")),
        Case::new("post: an empty message", "E-096", |server| echoes(server, "4")),
        Case::new("post: a null character", "E-057", |server| echoes(server, "4a\0b")),
    ];
    undecodable.chain(kept).chain(others).collect()
}

async fn closes_after(server: Arc<Server>, payload: &'static [u8]) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.post(payload).await?.expect(200, "ok")?;
    session.expect_closed().await
}

async fn stays_after(server: Arc<Server>, payload: &'static str) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.send(payload).await?;
    session.expect_echo().await
}

async fn echoes(server: Arc<Server>, payload: &'static str) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.send(payload).await?;
    session.expect(payload).await.map(drop)
}

async fn octet_stream(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let request =
        Request::post(&session.target(), "4a").header("Content-Type", "application/octet-stream");
    session.exchange(&request).await?.expect(400, "")?;
    session.expect_closed().await
}

async fn content_types(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    for content_type in ["application/json", "multipart/form-data; boundary=x", "nonsense"] {
        let request = Request::post(&session.target(), "4a").header("Content-Type", content_type);
        session.exchange(&request).await?.expect(200, "ok")?;
        session.expect("4a").await?;
    }
    Ok(())
}

async fn no_content_type(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let request = Request::post(&session.target(), "4a").without("Content-Type");
    session.exchange(&request).await?.expect(200, "ok")?;
    session.expect("4a").await.map(drop)
}

async fn largest_body(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let payload = message_of(LIMIT);
    session.send(payload.clone()).await?;
    session.expect(&payload).await.map(drop)
}

async fn too_large(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.post(message_of(LIMIT + 1)).await?.expect(413, "")?;
    session.expect_echo().await
}

async fn too_large_in_chunks(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let chunks = message_of(LIMIT + 1).into_bytes().chunks(10_000).map(<[u8]>::to_vec).collect();
    let request = Request::post_chunks(&session.target(), chunks);
    session.exchange(&request).await?.expect(413, "")?;
    session.expect_echo().await
}

/// One byte above the limit is enough; what was announced besides is never sent.
async fn too_large_announced(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    session.begin_post(2 * LIMIT, &message_of(LIMIT + 1)).await?;
    session.posts().receive().await?.expect(413, "")?;
    session.abort_post().await?;
    session.expect_echo().await
}

async fn limit_in_bytes(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let payload = format!("4{}", "€".repeat(LIMIT / 3));
    assert_eq!(payload.len(), LIMIT);
    session.send(payload.clone()).await?;
    session.expect(&payload).await?;
    session.post(format!("{payload}x")).await?.expect(413, "")
}

async fn chunked(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let chunks = vec![b"4hel".to_vec(), b"lo\x1e4wor".to_vec(), b"ld".to_vec()];
    session.exchange(&Request::post_chunks(&session.target(), chunks)).await?.expect(200, "ok")?;
    session.expect("4hello\u{1e}4world").await.map(drop)
}

async fn segmented(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    for byte in Request::post(&session.target(), "4é€😀").bytes() {
        session.posts().send(&[byte]).await?;
        tokio::task::yield_now().await;
    }
    session.posts().receive().await?.expect(200, "ok")?;
    session.expect("4é€😀").await.map(drop)
}

async fn split_character(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let chunks = "4é€😀".bytes().map(|byte| vec![byte]).collect();
    session.exchange(&Request::post_chunks(&session.target(), chunks)).await?.expect(200, "ok")?;
    session.expect("4é€😀").await.map(drop)
}

async fn byte_order_mark(server: Arc<Server>) -> Outcome {
    echoes(server, "4\u{feff}a").await
}

async fn expect_continue(server: Arc<Server>) -> Outcome {
    let mut session = Polling::open(&server).await?;
    let request = Request::post(&session.target(), "4a").header("Expect", "100-continue");
    session.exchange(&request).await?.expect(200, "ok")?;
    session.expect("4a").await.map(drop)
}

/// A message packet of this many bytes.
fn message_of(bytes: usize) -> String {
    format!("4{}", "x".repeat(bytes - 1))
}

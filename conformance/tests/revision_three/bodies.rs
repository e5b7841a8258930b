//! Request bodies that are no payloads, and those that just are.

use std::sync::Arc;

use conformance::{Case, Failure, Outcome, Server};

use crate::session::Session;

type Row = (&'static str, &'static str, &'static [u8]);

const BROKEN_TEXT: &[Row] = &[
    ("text body: nothing", "E-116", b""),
    ("text body: letters", "E-116", b"abc"),
    ("text body: a payload of revision 4", "E-116", b"2\x1e2"),
    ("text body: no length", "E-116", b":2"),
    ("text body: no colon", "E-116", b"12"),
    ("text body: a negative length", "E-116", b"-1:2"),
    ("text body: a length in scientific notation", "E-116", b"1e0:2"),
    ("text body: a length above the body's", "E-116", b"3:2"),
    ("text body: a length far above the body's", "E-116", b"99999999999999999999999999:2"),
    ("text body: digits behind the last packet", "E-116", b"1:21"),
    ("text body: an unknown packet type", "E-116", b"1:7"),
    ("text body: a length in bytes", "E-112", "7:4é😀".as_bytes()),
    ("text body: half a character", "E-112", "3:4é😀".as_bytes()),
    ("text body: base64 with a bad alphabet", "E-114", b"6:b4!!!!"),
    ("text body: base64 of no message", "E-114", b"6:b2AQI="),
];

const BROKEN_BINARY: &[Row] = &[
    ("binary body: a record that is cut short", "E-113", b"\0\x09\xff42[\"a\"]"),
    ("binary body: an unknown kind of record", "E-113", b"\x02\x01\xff2"),
    ("binary body: a binary packet without a type", "E-115", b"\x01\0\xff"),
    ("binary body: a binary packet of another type", "E-115", b"\x01\x02\xff\x09\x01"),
    ("binary body: a length of more than digits", "E-113", b"\0\x0c\xff42[\"aaaaaa\"]"),
    ("binary body: an empty text packet", "E-113", b"\0\0\xff"),
    ("binary body: an unknown packet type", "E-113", b"\0\x01\xff7"),
    ("binary body: invalid UTF-8", "E-113", b"\0\x02\xff4\xff"),
    ("binary body: a text payload", "E-113", b"1:2"),
];

const SOUND: &[(&str, &str, &[u8], bool)] = &[
    ("text body: an empty record", "E-116", b"0:1:20:", false),
    ("text body: leading zeros", "E-112", b"01:2", false),
    ("text body: any content type", "E-053", b"1:2", false),
    ("binary body: leading zeros", "E-113", b"\0\0\x01\xff2", true),
    ("binary body: a ping", "E-113", b"\0\x01\xff2", true),
];

pub(crate) fn cases() -> Vec<Case> {
    let closes = |rows: &'static [Row], octets| {
        rows.iter().map(move |&(name, ids, body)| {
            Case::new(name, ids, move |server| closes_after(server, body, octets))
        })
    };
    let sound = SOUND.iter().map(|&(name, ids, body, octets)| {
        Case::new(name, ids, move |server| answers_ping(server, body, octets))
    });
    let nothing = Case::new("binary body: nothing", "E-116", empty_binary);
    let late = Case::new("text body: a bad packet after a good one", "E-116", good_and_bad);
    let wrong = Case::new("text body: digits without end", "E-116", endless_digits);
    closes(BROKEN_TEXT, false)
        .chain(closes(BROKEN_BINARY, true))
        .chain(sound)
        .chain([nothing, late, wrong])
        .collect()
}

async fn post(session: &mut Session, body: &[u8], octets: bool) -> Outcome {
    let content_type = if octets { "application/octet-stream" } else { "text/plain" };
    let status = session.post(body, content_type).await?.status();
    Failure::unless_equal("status", &status, &200)
}

async fn closes_after(server: Arc<Server>, body: &'static [u8], octets: bool) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    post(&mut session, body, octets).await?;
    session.expect_closed().await
}

async fn answers_ping(server: Arc<Server>, body: &'static [u8], octets: bool) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    post(&mut session, body, octets).await?;
    session.expect("3").await.map(drop)
}

async fn empty_binary(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    post(&mut session, b"", true).await?;
    session.send("1:2").await?;
    session.expect("3").await.map(drop)
}

/// The first packet has its effect: a room of this case's own hears it, since other cases share the server.
async fn good_and_bad(server: Arc<Server>) -> Outcome {
    let mut watcher = Session::join(&server, "EIO=3").await?;
    watcher.send("29:420[\"join\",\"bad-behind-good\"]").await?;
    watcher.expect("430[[\"bad-behind-good\"]]").await?;
    let mut session = Session::join(&server, "EIO=3").await?;
    session.send("53:42[\"to-room\",\"bad-behind-good\",\"seen\",\"the good one\"]1:7").await?;
    session.expect_closed().await?;
    watcher.expect("42[\"seen\",\"the good one\"]").await.map(drop)
}

async fn endless_digits(server: Arc<Server>) -> Outcome {
    let mut session = Session::join(&server, "EIO=3").await?;
    post(&mut session, &[b'1'; 900_000], false).await?;
    session.expect_closed().await
}

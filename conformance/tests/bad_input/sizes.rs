//! Socket.IO packets that are large, deep, many, or at the edge of a number.

use std::sync::Arc;
use std::time::Instant;

use conformance::raw::WebSocket;
use conformance::{Case, Failure, Outcome, Server};

use super::reasons::connected;
use crate::figure;

/// The largest message: maxPayload of the handshake.
const LIMIT: usize = 1_000_000;
/// How deep JSON may be nested, the list of arguments counted.
const DEPTH: usize = 127;

/// A packet, made when it is needed, that closes the connection.
type Offence = (&'static str, &'static str, fn() -> String);

const OFFENCES: &[Offence] = &[
    ("size: a megabyte of digits", "P01 P07", || filled("42", '2', "")),
    ("size: a megabyte of attachments, in digits", "P01 P03", || filled("45", '1', "")),
    ("size: a megabyte of a namespace", "P01 P19", || filled("40/", 'n', "")),
    ("size: a megabyte of a namespace, and an event", "P01 P19", || filled("42/", 'n', ",[\"a\"]")),
    ("size: a megabyte of open brackets", "P01 P10 F5", || filled("42", '[', "")),
    ("size: a megabyte of open objects", "P10 F5", || filled("42[\"a\",", '{', "")),
    ("size: a megabyte of an open string", "P01", || filled("42[\"", 'x', "")),
    ("size: a megabyte of spaces", "P01", || filled("42[", ' ', "")),
    ("depth: one level more than may be", "P10 F5", || event_of_depth(DEPTH + 1)),
    ("depth: 5000 levels", "P10 F5", || event_of_depth(5_000)),
    ("depth: an acknowledgement", "P10", || format!("431{}", nested(DEPTH + 1))),
    ("depth: what comes with CONNECT", "P10 P22", || {
        format!("40/dyn-1,{{\"a\":{}}}", nested(DEPTH))
    }),
    ("number: an ack id of 2^53", "P07 F6", || r#"429007199254740992["a"]"#.into()),
    ("number: an ack id of 2^64 - 1", "P07 F6", || r#"4218446744073709551615["a"]"#.into()),
    ("number: an ack id of 2^64", "P07 F6", || r#"4218446744073709551616["a"]"#.into()),
    ("number: an ack id of 200 digits", "P07 F6", || format!("42{}[\"a\"]", "9".repeat(200))),
    ("number: an ack id behind a space", "P07", || r#"42 1["a"]"#.into()),
    ("number: attachments counted with a space", "P09", || r#"455 1-["a"]"#.into()),
    ("number: 10^9 attachments", "P03 F4", || r#"45999999999-["a"]"#.into()),
    ("number: attachments and a namespace without a slash", "P09", || r#"451-a,["a"]"#.into()),
    ("json: an exponent without digits", "P15", || r#"42["a",1e]"#.into()),
    ("json: a plus", "P15", || r#"42["a",+1]"#.into()),
    ("json: infinity", "P15", || r#"42["a",Infinity]"#.into()),
    ("connect: true for auth", "P22", || "40/dyn-1,true".into()),
    ("packet: unknown type 8", "P23", || "48".into()),
];

/// A packet that is taken, made when it is needed, and the answer.
type Taken = (&'static str, &'static str, fn() -> (String, String));

const TAKEN: &[Taken] = &[
    ("depth: as deep as may be, read and written again", "P10 F5", || {
        // The handler reads it, and writes it again.
        let value = nested(DEPTH - 1);
        (format!("421[\"reverse\",{value}]"), format!("431[{value}]"))
    }),
    ("number: an exponent beyond what a double holds", "P15", || {
        (r#"421["echo-ack",1e400]"#.into(), "431[1e400]".into())
    }),
    ("number: minus zero", "P15", || (r#"421["echo-ack",-0]"#.into(), "431[-0]".into())),
    ("number: of a hundred thousand digits", "P15", || {
        let digits = "7".repeat(100_000);
        (format!(r#"421["echo-ack",{digits}]"#), format!("431[{digits}]"))
    }),
    ("json: a lone surrogate is replaced where it is read", "P13", || {
        (r#"421["reverse","\ud800"]"#.into(), "431[\"\u{fffd}\"]".into())
    }),
    ("json: of two keys that are the same the last counts", "P16", || {
        (r#"421["reverse",{"a":1,"a":2}]"#.into(), r#"431[{"a":2}]"#.into())
    }),
    ("json: constructor and __proto__ are keys", "P06 P16", || {
        let object = r#"{"__proto__":{"admin":true},"constructor":1}"#;
        (format!(r#"421["reverse",{object}]"#), format!("431[{object}]"))
    }),
    ("placeholder: in quotes it is data", "P06", || {
        let object = r#"{"_placeholder":"true","num":0}"#;
        (format!(r#"421["echo-ack",{object}]"#), format!("431[{object}]"))
    }),
    ("placeholder: without attachments it is data", "P06", || {
        let object = r#"{"_placeholder":true,"num":"splice"}"#;
        (format!(r#"421["echo-ack",{object}]"#), format!("431[{object}]"))
    }),
    ("namespace: a name of a thousand bytes", "P19", || {
        let name = format!("/{}", "n".repeat(1_000));
        (format!("40{name},"), format!("44{name},{{\"message\":\"Invalid namespace\"}}"))
    }),
    ("namespace: characters that mean something to others", "P19", || {
        let name = "/a*[#?\u{202e}\u{0}\r\nb";
        (format!("40{name},"), format!("44{name},{{\"message\":\"Invalid namespace\"}}"))
    }),
];

pub(crate) fn offence_cases() -> Vec<Case> {
    let offences = OFFENCES.iter().map(|&(name, ids, packet)| {
        Case::new(name, ids, move |server| async move {
            let (mut socket, _) = connected(&server).await?;
            let packet = packet();
            let (bytes, started) = (packet.len(), Instant::now());
            socket.send(packet).await?;
            socket.expect_close(1005).await?;
            if bytes >= LIMIT {
                figure(first(ids), format_args!("{name}: {} ms", started.elapsed().as_millis()));
            }
            Ok(())
        })
    });
    offences.collect()
}

pub(crate) fn taken_cases() -> Vec<Case> {
    let taken = TAKEN.iter().map(|&(name, ids, packet)| {
        Case::new(name, ids, move |server| async move {
            let (mut socket, _) = connected(&server).await?;
            let (packet, answer) = packet();
            socket.send(packet).await?;
            socket.expect(&answer).await.map(drop)
        })
    });
    let others = [
        Case::new("size: a megabyte of empty lists", "P17 F7", empty_lists),
        Case::new("size: 50 000 keys of one object", "P16", many_keys),
        Case::new("attachment: one that is named ten thousand times", "P08", repeated_attachment),
        Case::new("connect: fifty at once", "S02 M5", connect_burst),
        Case::new("connect: more namespaces than one may be in", "S05 M3", many_namespaces),
        Case::new("connect: two thousand unknown namespaces", "S03", unknown_namespaces),
        Case::new("packet: each kind, after DISCONNECT", "Z04 Z3", after_disconnect),
        Case::new("socket: its id is no session", "Z01 Z1", id_is_no_session),
    ];
    taken.chain(others).collect()
}

/// The event is read, without a tree of a hundred times its size, and thrown away.
async fn empty_lists(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = connected(&server).await?;
    let event = format!(r#"421["reverse",[{}[]]]"#, "[],".repeat((LIMIT - 100) / 3));
    let answer = event.replace(r#"421["reverse",[["#, "431[[[");
    let (before, started) = (server.resident_bytes(), Instant::now());
    socket.send(event).await?;
    socket.expect(&answer).await?;
    let took = started.elapsed().as_millis();
    let growth = server.most_resident_bytes().saturating_sub(before) / 1_000_000;
    figure(
        "F7",
        format_args!(
            "a million bytes of empty lists, read and written again: {took} ms, growth {growth} MB"
        ),
    );
    Ok(())
}

async fn many_keys(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = connected(&server).await?;
    let keys: Vec<String> = (0..50_000).map(|key| format!("\"{key:06}\":0")).collect();
    let object = format!("{{{}}}", keys.join(","));
    socket.send(format!(r#"421["reverse",{object}]"#)).await?;
    socket.expect(&format!("431[{object}]")).await.map(drop)
}

/// Each is the same bytes; what is sent again has one attachment, or is refused as too many.
async fn repeated_attachment(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = connected(&server).await?;
    let one = r#"{"_placeholder":true,"num":0}"#;
    let all = vec![one; 10_000].join(",");
    socket.send(format!(r#"451-["no such event",{all}]"#)).await?;
    socket.send_binary(&[7; 100_000]).await?;
    socket.play(&[r#"> 421["echo-ack",1]"#, "< 431[1]"]).await
}

async fn connect_burst(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    for _ in 0..50 {
        socket.send("40/dyn-77,").await?;
    }
    // The second is an offence once the first is in: how many are decided before does not matter.
    socket.expect_closing().await.map(drop)
}

async fn many_namespaces(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = connected(&server).await?;
    let mut refused = 0;
    for number in 0..100 {
        let name = format!("/dyn-{number}");
        socket.send(format!("40{name},")).await?;
        let answer = loop {
            let answer = socket.expect("<any>").await?.concat();
            if !answer.starts_with("42") {
                break answer;
            }
        };
        if answer.starts_with("44") {
            refused += 1;
            let message = "Too many namespaces (max_namespaces)";
            let refusal = format!(r#"44{name},{{"message":"{message}"}}"#);
            Failure::unless_equal("the refusal", &answer, &refusal)?;
        }
    }
    Failure::unless_equal("refusals", &refused, &(1 + 100 - 64))
}

async fn unknown_namespaces(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = connected(&server).await?;
    let before = server.resident_bytes();
    for number in 0..2_000 {
        socket.send(format!("40/unknown-{number},")).await?;
        let refusal = format!(r#"44/unknown-{number},{{"message":"Invalid namespace"}}"#);
        socket.expect(&refusal).await?;
    }
    let growth = server.resident_bytes().saturating_sub(before) / 1_000;
    figure("S03", format_args!("2000 unknown namespaces, growth {growth} kB"));
    Ok(())
}

async fn after_disconnect(server: Arc<Server>) -> Outcome {
    for packet in [r#"42["echo",1]"#, "431[]", "41", r#"421["echo-ack"]"#] {
        let (mut socket, _) = connected(&server).await?;
        socket.play(&["> 41", &format!("> {packet}")]).await?;
        socket.expect_close(1005).await?;
    }
    Ok(())
}

/// In each way in which a session may be named.
async fn id_is_no_session(server: Arc<Server>) -> Outcome {
    use conformance::raw::{Connection, Request, upgrade_request};
    let (_socket, id) = connected(&server).await?;
    let query = |transport| format!("EIO=4&transport={transport}&sid={id}");
    let polling = server.target(&query("polling"));
    for request in [Request::get(&polling), Request::post(&polling, "4a")] {
        Connection::once(&server, &request).await?.expect_error(1)?;
    }
    let request = upgrade_request(&server.target(&query("websocket")));
    Connection::once(&server, &request).await?.expect(400, "Session ID unknown")
}

/// As many bytes as a message may have: a beginning, one character over and over, an end.
fn filled(begin: &str, fill: char, end: &str) -> String {
    let count = LIMIT - begin.len() - end.len();
    [begin, &fill.to_string().repeat(count), end].concat()
}

fn nested(depth: usize) -> String {
    ["[".repeat(depth), "]".repeat(depth)].concat()
}

/// The list of arguments is one level.
fn event_of_depth(depth: usize) -> String {
    format!(r#"421["reverse",{}]"#, nested(depth - 1))
}

fn first(ids: &str) -> &str {
    ids.split(' ').next().unwrap_or_default()
}

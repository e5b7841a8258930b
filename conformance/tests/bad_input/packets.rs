//! Socket.IO packets: those that close the connection, those that only look as if they should.

use std::sync::Arc;

use conformance::raw::{Polling, WebSocket};
use conformance::{Case, Failure, Outcome, Server};

use crate::reasons::{connected, expect_reason};

/// What is sent over a connection to the main namespace: the connection is closed without a code,
/// and the server saw the reason `forced close` (S-025, S-027).
type Offence = (&'static str, &'static str, &'static [&'static str]);

const OFFENCES: &[Offence] = &[
    ("packet: unknown type 7", "S-007 P23", &["> 47"]),
    ("packet: unknown type 9", "S-007 P23", &["> 49"]),
    ("packet: a letter for a type", "S-007 P23", &["> 4a"]),
    ("packet: nothing", "S-028 P23", &["> 4"]),
    ("packet: attachments without a count", "S-007 P09", &[r#"> 45-["a"]"#]),
    ("packet: attachments without a dash", "S-007 P09", &[r#"> 451["a"]"#]),
    ("packet: attachments counted with a letter", "S-007 P09", &[r#"> 451x-["a"]"#]),
    ("packet: attachments counted with a sign", "S-007 P09", &[r#"> 45-1-["a"]"#]),
    (
        "packet: attachments counted as 1e0",
        "P09",
        &[r#"> 451e0-["echo",{"_placeholder":true,"num":0}]"#, ">> 01"],
    ),
    ("packet: no attachments, announced", "S-009 P04", &[r#"> 450-["a"]"#]),
    ("packet: eleven attachments", "S-008 P05", &[r#"> 4511-["a"]"#]),
    ("packet: very many attachments", "S-008 P03", &[r#"> 45999999999999999999999-["a"]"#]),
    ("packet: a header that never ends", "S-008 P03", &["> 4599999999999999999999999999999999999"]),
    (
        "packet: an attachment too few",
        "S-007 P06",
        &[r#"> 451-["a",{"_placeholder":true,"num":1}]"#, ">> 01"],
    ),
    (
        "packet: a negative placeholder",
        "S-007 P06",
        &[r#"> 451-["a",{"_placeholder":true,"num":-1}]"#, ">> 01"],
    ),
    (
        "packet: a placeholder in quotes",
        "S-007 P06",
        &[r#"> 451-["a",{"_placeholder":true,"num":"0"}]"#, ">> 01"],
    ),
    (
        "packet: a placeholder without a number",
        "S-007 P06",
        &[r#"> 451-["a",{"_placeholder":true}]"#, ">> 01"],
    ),
    (
        "packet: a fractional placeholder",
        "P06",
        &[r#"> 451-["a",{"_placeholder":true,"num":0.5}]"#, ">> 01"],
    ),
    (
        "packet: text instead of an attachment",
        "S-007 W20",
        &[r#"> 451-["a",{"_placeholder":true,"num":0}]"#, r#"> 42["x"]"#],
    ),
    ("packet: an attachment of nothing", "S-007 W20", &[">> 01"]),
    (
        "packet: an attachment too many",
        "S-007",
        &[r#"> 451-["a",{"_placeholder":true,"num":0}]"#, ">> 01", ">> 02"],
    ),
    ("packet: an event with an object", "S-012 P21", &["> 42{}"]),
    ("packet: an event with a string", "S-012 P21", &[r#"> 42"x""#]),
    ("packet: an event with null", "S-012 P21", &["> 42null"]),
    ("packet: an event that is no JSON", "S-012 P15", &["> 42kick"]),
    ("packet: an event that is cut off", "S-012 P15", &[r#"> 42["a""#]),
    ("packet: an event with more behind it", "S-012 P15", &[r#"> 42["a"]x"#]),
    ("packet: an event with a bad number", "S-012 P15", &[r#"> 42["a",01]"#]),
    ("packet: an event with NaN", "S-012 P15", &[r#"> 42["a",NaN]"#]),
    ("packet: an event without a name", "S-012 P20", &["> 42[]"]),
    ("packet: an event named null", "S-012 P20", &["> 42[null]"]),
    ("packet: an event named true", "S-012 P21", &["> 42[true]"]),
    ("packet: an event named by an object", "S-012 P21", &[r#"> 42[{"toString":"foo"}]"#]),
    ("packet: an event named by an array", "S-012 P21", &[r#"> 42[["a"]]"#]),
    ("packet: the event connect", "S-014 P20", &[r#"> 42["connect"]"#]),
    ("packet: the event connect_error", "S-014 P20", &[r#"> 42["connect_error"]"#]),
    ("packet: the event disconnect", "S-014 P20", &[r#"> 42["disconnect"]"#]),
    ("packet: the event disconnecting", "S-014 P20", &[r#"> 42["disconnecting"]"#]),
    ("packet: the event newListener", "S-014 P20", &[r#"> 42["newListener"]"#]),
    ("packet: the event removeListener", "S-014 P20", &[r#"> 42["removeListener"]"#]),
    (
        "packet: a reserved event with attachments",
        "S-014",
        &[r#"> 451-["disconnect",{"_placeholder":true,"num":0}]"#, ">> 01"],
    ),
    ("packet: a fractional ack id", "S-011 P07", &[r#"> 421.5["echo-ack"]"#]),
    ("packet: a negative ack id", "S-011 P07", &[r#"> 42-1["echo-ack"]"#]),
    ("packet: an ack id with a plus", "S-011 P07", &[r#"> 42+1["echo-ack"]"#]),
    ("packet: an ack id with an exponent", "S-011 P07", &[r#"> 421e3["echo-ack"]"#]),
    ("packet: an ack id in other digits", "S-011 P07", &[r#"> 42١["echo-ack"]"#]),
    ("packet: an ack id above 2^53 - 1", "P07", &[r#"> 429007199254740993["echo-ack"]"#]),
    ("packet: an ack with an object", "S-012 P21", &["> 431{}"]),
    ("packet: an ack that is no JSON", "S-012", &["> 43abc"]),
    ("packet: DISCONNECT with a payload", "S-012", &["> 41[]"]),
    ("packet: CONNECT_ERROR from a client", "S-025 P23", &[r#"> 44{"message":"x"}"#]),
    ("packet: CONNECT with an array", "S-012 P22", &["> 40/dyn-1,[]"]),
    ("packet: CONNECT with null", "S-012 P22", &["> 40/dyn-1,null"]),
    ("packet: CONNECT with a string", "S-012 P22", &[r#"> 40/dyn-1,"x""#]),
    ("packet: CONNECT with more behind it", "S-012 P22", &["> 40/dyn-1,{}1"]),
    ("packet: CONNECT to a namespace without a slash", "S-010 S-012", &["> 40admin"]),
    ("packet: a second CONNECT", "S-025", &["> 40"]),
    ("packet: a second CONNECT with a payload", "S-025", &["> 40{}"]),
    ("packet: an event for a namespace not joined", "S-025", &[r#"> 42/dyn-1,["echo"]"#]),
    ("packet: an ack for a namespace not joined", "S-025", &["> 43/dyn-1,1[]"]),
    ("packet: DISCONNECT from a namespace not joined", "S-025", &["> 41/dyn-1,"]),
    ("packet: an event for a namespace that does not exist", "S-025", &[r#"> 42/nope,["echo"]"#]),
];

pub(crate) fn offence_cases() -> Vec<Case> {
    let offences = OFFENCES.iter().map(|&(name, ids, lines)| {
        Case::new(name, ids, move |server| async move {
            let (mut socket, sid) = connected(&server).await?;
            socket.play(lines).await?;
            socket.expect_close(1005).await?;
            expect_reason(&server, &sid, "forced close").await
        })
    });
    offences.collect()
}

/// Lines over a connection to the main namespace that stays open.
const ACCEPTED: &[(&str, &str, &[&str])] = &[
    ("packet: an ack id of 0", "S-011 P07", &[r#"> 420["echo-ack",1]"#, "< 430[1]"]),
    (
        "packet: an ack id of 2^53 - 1",
        "S-011 P07",
        &[r#"> 429007199254740991["echo-ack",1]"#, "< 439007199254740991[1]"],
    ),
    ("packet: an ack without arguments", "S-012", &[r#"> 421["echo-ack"]"#, "< 431[]"]),
    ("packet: a numeric event", "S-015 P20", &["> 42[1,2]"]),
    ("packet: an unknown event with an ack id", "S-011", &[r#"> 425["no such event"]"#]),
    ("packet: the event error", "P20", &[r#"> 42["error no","x"]"#]),
    (
        "packet: the event __proto__",
        "P20",
        &[r#"> 42["__proto__"]"#, r#"> 42["toString"]"#, r#"> 42["hasOwnProperty"]"#],
    ),
    ("packet: an unknown ack id", "S-013 S09", &[r#"> 431["a"]"#, "> 43999[]"]),
    ("packet: an ack without payload", "S-013", &["> 431"]),
    ("packet: an ack without arguments for no event", "S-012", &["> 431[]"]),
    ("packet: an event without payload", "S-013", &["> 42", r#"> 421["echo-ack"]"#, "< 431[]"]),
    ("packet: white space in JSON", "S-012", &["> 42[ \"echo\" , 1 ] ", r#"< 42["echo", 1 ]"#]),
    (
        "packet: characters of all planes",
        "S-002",
        &[r#"> 42["echo","é€😀\u20ac"]"#, r#"< 42["echo","é€😀\u20ac"]"#],
    ),
    (
        "packet: __proto__ as a key",
        "P06 P16",
        &[r#"> 421["echo-ack",{"a":1,"toString":2}]"#, r#"< 431[{"a":1,"toString":2}]"#],
    ),
    ("packet: the main namespace by name", "S-010", &[r#"> 42/,["echo",1]"#, r#"< 42["echo",1]"#]),
    (
        "packet: ten attachments",
        "S-008 P05",
        &[
            r#"> 4510-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2},{"_placeholder":true,"num":3},{"_placeholder":true,"num":4},{"_placeholder":true,"num":5},{"_placeholder":true,"num":6},{"_placeholder":true,"num":7},{"_placeholder":true,"num":8},{"_placeholder":true,"num":9}]"#,
            ">> 00",
            ">> 01",
            ">> 02",
            ">> 03",
            ">> 04",
            ">> 05",
            ">> 06",
            ">> 07",
            ">> 08",
            ">> 09",
            r#"< 4510-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2},{"_placeholder":true,"num":3},{"_placeholder":true,"num":4},{"_placeholder":true,"num":5},{"_placeholder":true,"num":6},{"_placeholder":true,"num":7},{"_placeholder":true,"num":8},{"_placeholder":true,"num":9}]"#,
            "<< 00",
            "<< 01",
            "<< 02",
            "<< 03",
            "<< 04",
            "<< 05",
            "<< 06",
            "<< 07",
            "<< 08",
            "<< 09",
        ],
    ),
    (
        "packet: attachments out of order",
        "S-003 P06",
        &[
            r#"> 452-["echo",{"b":{"_placeholder":true,"num":1},"a":[{"num":0,"_placeholder":true}]}]"#,
            ">> 0a",
            ">> 0b",
            r#"< 452-["echo",{"b":{"_placeholder":true,"num":1},"a":[{"num":0,"_placeholder":true}]}]"#,
            "<< 0a",
            "<< 0b",
        ],
    ),
    (
        "packet: an attachment as base64 text",
        "E-068",
        &[
            r#"> 451-["echo",{"_placeholder":true,"num":0}]"#,
            "> bAQI=",
            r#"< 451-["echo",{"_placeholder":true,"num":0}]"#,
            "<< 01 02",
        ],
    ),
    (
        "packet: an ack with an attachment",
        "S-003",
        &[
            r#"> 451-7["echo-ack",{"_placeholder":true,"num":0}]"#,
            ">> 01",
            r#"< 461-7[{"_placeholder":true,"num":0}]"#,
            "<< 01",
        ],
    ),
    (
        "connect: an unknown namespace",
        "S-024",
        &["> 40/nope,", r#"< 44/nope,{"message":"Invalid namespace"}"#],
    ),
    (
        "connect: an unknown namespace without comma",
        "S-010 P19",
        &["> 40/nope", r#"< 44/nope,{"message":"Invalid namespace"}"#],
    ),
    (
        "connect: a query is part of the name",
        "S-010 P19",
        &["> 40/?a=b,", r#"< 44/?a=b,{"message":"Invalid namespace"}"#],
    ),
    (
        "connect: a pattern does not match a part",
        "S-034",
        &["> 40/dyn-1x,", r#"< 44/dyn-1x,{"message":"Invalid namespace"}"#],
    ),
    (
        "connect: a name with odd characters",
        "P19",
        &["> 40/*[?#%2f\u{202e}", "< 44/*[?#%2f\u{202e},{\"message\":\"Invalid namespace\"}"],
    ),
    (
        "connect: refused by a middleware",
        "S-024",
        &["> 40/auth,", r#"< 44/auth,{"message":"unauthorized","data":{"code":401}}"#],
    ),
    (
        "connect: refused for a wrong token",
        "S-024",
        &[
            r#"> 40/auth,{"token":"x"}"#,
            r#"< 44/auth,{"message":"unauthorized","data":{"code":401}}"#,
        ],
    ),
    (
        "connect: again after a refusal",
        "S-024",
        &[
            "> 40/auth,",
            r#"< 44/auth,{"message":"unauthorized","data":{"code":401}}"#,
            r#"> 40/auth,{"token":"secret"}"#,
            r#"< 40/auth,{"sid":"<sid>"}"#,
            r#"< 42/auth,["welcome",{"sid":"<sid>","nsp":"/auth","auth":{"token":"secret"},"recovered":false}]"#,
        ],
    ),
    (
        "connect: a namespace that a pattern matches",
        "S-029 S-034",
        &[
            "> 40/dyn-12,",
            r#"< 40/dyn-12,{"sid":"<sid>"}"#,
            r#"< 42/dyn-12,["welcome",{"sid":"<sid>","nsp":"/dyn-12","auth":{},"recovered":false}]"#,
            r#"> 42/dyn-12,3["echo-ack",1]"#,
            "< 43/dyn-12,3[1]",
            "> 41/dyn-12,",
        ],
    ),
    (
        "disconnect: by the server, and connect again",
        "S-031",
        &[
            r#"> 42["disconnect-me",false]"#,
            "< 41",
            "> 40",
            r#"< 40{"sid":"<sid>"}"#,
            r#"< 42["welcome",{"sid":"<sid>","nsp":"/","auth":{},"recovered":false}]"#,
        ],
    ),
];

pub(crate) fn accepted_cases() -> Vec<Case> {
    let accepted = ACCEPTED.iter().map(|&(name, ids, lines)| {
        Case::new(name, ids, move |server| async move {
            let (mut socket, _) = connected(&server).await?;
            socket.play(lines).await?;
            socket.play(&[r#"> 4277["echo-ack","alive?"]"#, r#"< 4377["alive?"]"#]).await
        })
    });
    accepted.collect()
}

pub(crate) fn dialogue_cases() -> Vec<Case> {
    vec![
        Case::new("socket: its id is not the session's", "S-023", ids_differ),
        Case::new("socket: an event instead of CONNECT", "S-025 S01", |server| {
            never_connected(server, r#"> 42["echo"]"#)
        }),
        Case::new("socket: binary instead of CONNECT", "S-007 S01", |server| {
            never_connected(server, ">> 01")
        }),
        Case::new("socket: CONNECT with an array instead of an object", "S-012", |server| {
            never_connected(server, "> 40[]")
        }),
        Case::new("socket: CONNECT with null instead of an object", "S-012", |server| {
            never_connected(server, "> 40null")
        }),
        Case::new("socket: CONNECT that never comes", "S-022 S01", |server| async move {
            WebSocket::open(&server).await?.expect_close(1005).await
        }),
        Case::new("socket: only refused CONNECTs", "S-022 S-024", only_refused),
        Case::new("socket: an event right behind CONNECT", "S-026", event_behind_connect),
        Case::new("socket: two CONNECTs at once", "S-026 S02", two_connects),
        Case::new("socket: two namespaces have two ids", "S-029", two_namespaces),
        Case::new("socket: an offence in one namespace ends all", "S-025 S-027", offence_ends_all),
        Case::new("socket: DISCONNECT in one namespace ends only that", "S-030", leaves_one),
        Case::new("socket: DISCONNECT, and CONNECT again", "S-030", connects_again),
        Case::new("socket: over polling", "S-001 S-002", over_polling),
        Case::new("socket: an offence over polling", "S-027", offence_over_polling),
        Case::new("socket: attachments over polling", "S-003 E-057", attachments_over_polling),
        Case::new("socket: attachments across an upgrade", "E19 S-003", attachments_across_upgrade),
    ]
}

async fn ids_differ(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::connect(&server, "EIO=4&transport=websocket").await?;
    let session = socket.expect(&server.open_packet("websocket")).await?;
    socket.send("40").await?;
    let id = socket.expect(r#"40{"sid":"<sid>"}"#).await?;
    Failure::unless_equal("equal ids:", &(session == id), &false)
}

async fn never_connected(server: Arc<Server>, line: &'static str) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.play(&[line]).await?;
    socket.expect_close(1005).await
}

async fn only_refused(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.play(&["> 40/nope,", r#"< 44/nope,{"message":"Invalid namespace"}"#]).await?;
    socket.expect_close(1005).await
}

/// The official server closes; a server that waits until the socket is connected may answer.
async fn event_behind_connect(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.play(&["> 40", r#"> 421["echo-ack",1]"#]).await?;
    if socket.expect(r#"40{"sid":"<sid>"}"#).await.is_err() {
        return Ok(());
    }
    socket.expect(r#"42["welcome",{"sid":"<sid>","nsp":"/","auth":{},"recovered":false}]"#).await?;
    socket.expect("431[1]").await.map(drop)
}

/// The second is an offence or nothing, but never another socket.
async fn two_connects(server: Arc<Server>) -> Outcome {
    let mut socket = WebSocket::open(&server).await?;
    socket.play(&["> 40", "> 40"]).await?;
    let welcome = r#"42["welcome",{"sid":"<sid>","nsp":"/","auth":{},"recovered":false}]"#;
    if socket.expect(r#"40{"sid":"<sid>"}"#).await.is_err() || socket.expect(welcome).await.is_err()
    {
        return Ok(());
    }
    socket.send(r#"421["echo-ack",1]"#).await?;
    let next = socket.expect("<any>").await;
    match next.as_deref() {
        Ok([text]) if text.starts_with("40") => Err(Failure::new("one socket", "there are two")),
        _ => Ok(()),
    }
}

async fn two_namespaces(server: Arc<Server>) -> Outcome {
    let (mut socket, first) = connected(&server).await?;
    socket.send("40/dyn-1,").await?;
    let second = socket.expect(r#"40/dyn-1,{"sid":"<sid>"}"#).await?.remove(0);
    Failure::unless_equal("equal ids:", &(first == second), &false)
}

async fn offence_ends_all(server: Arc<Server>) -> Outcome {
    let (mut socket, first) = connected(&server).await?;
    socket.send("40/dyn-1,").await?;
    let second = socket.expect(r#"40/dyn-1,{"sid":"<sid>"}"#).await?.remove(0);
    socket.send("42/dyn-1,{}").await?;
    socket.expect_closing().await?;
    expect_reason(&server, &first, "forced close").await?;
    expect_reason(&server, &second, "forced close").await
}

async fn leaves_one(server: Arc<Server>) -> Outcome {
    let (mut socket, _) = connected(&server).await?;
    socket.send("40/dyn-1,").await?;
    let second = socket.expect(r#"40/dyn-1,{"sid":"<sid>"}"#).await?.remove(0);
    socket
        .expect(
            r#"42/dyn-1,["welcome",{"sid":"<sid>","nsp":"/dyn-1","auth":{},"recovered":false}]"#,
        )
        .await?;
    socket.play(&["> 41/dyn-1,", r#"> 421["echo-ack",1]"#, "< 431[1]"]).await?;
    expect_reason(&server, &second, "client namespace disconnect").await
}

/// The official server takes leave a tick later: a CONNECT in the same segment comes too early.
async fn connects_again(server: Arc<Server>) -> Outcome {
    let (mut socket, first) = connected(&server).await?;
    socket.send("41").await?;
    expect_reason(&server, &first, "client namespace disconnect").await?;
    socket.send("40").await?;
    let second = socket.expect(r#"40{"sid":"<sid>"}"#).await?.remove(0);
    Failure::unless_equal("equal ids:", &(first == second), &false)
}

/// What the payload of a poll looks like after a CONNECT.
const CONNECTED: &str = "40{\"sid\":\"<sid>\"}\u{1e}42[\"welcome\",{\"sid\":\"<sid>\",\"nsp\":\"/\",\"auth\":{},\"recovered\":false}]";

/// A polling session in the main namespace. CONNECT and welcome may come in one payload or in two.
pub(crate) async fn connected_by_polling(server: &Arc<Server>) -> Outcome<(Polling, String)> {
    let mut session = Polling::open(server).await?;
    session.send("40").await?;
    let mut payload = session.poll().await?.text();
    if !payload.contains('\u{1e}') {
        payload = format!("{payload}\u{1e}{}", session.poll().await?.text());
    }
    let captured = conformance::capture(CONNECTED, &payload)
        .ok_or_else(|| Failure::new(CONNECTED.escape_debug(), payload.escape_debug()))?;
    let sid = captured.into_iter().next().expect("the pattern captures the sid");
    Ok((session, sid))
}

async fn over_polling(server: Arc<Server>) -> Outcome {
    let (mut session, _) = connected_by_polling(&server).await?;
    session.send(r#"421["echo-ack","é"]"#).await?;
    session.expect(r#"431["é"]"#).await.map(drop)
}

/// The POST is answered as if all were well.
async fn offence_over_polling(server: Arc<Server>) -> Outcome {
    let (mut session, sid) = connected_by_polling(&server).await?;
    session.park().await?;
    session.send("42{}").await?;
    session.parked().await?.expect(200, "1")?;
    session.expect_closed().await?;
    expect_reason(&server, &sid, "forced close").await
}

/// A poll that waits already may take the header alone.
async fn attachments_over_polling(server: Arc<Server>) -> Outcome {
    let (mut session, _) = connected_by_polling(&server).await?;
    let header = r#"451-["echo",{"_placeholder":true,"num":0}]"#;
    session.send(format!("{header}\u{1e}bAQI=")).await?;
    let first = session.expect("<any>").await?.concat();
    let echoed = if first == header {
        format!("{first}\u{1e}{}", session.expect("<any>").await?.concat())
    } else {
        first
    };
    Failure::unless_equal("the echo", &echoed, &format!("{header}\u{1e}bAQI="))
}

/// The header by POST, the attachment over the new transport.
async fn attachments_across_upgrade(server: Arc<Server>) -> Outcome {
    let (mut session, _) = connected_by_polling(&server).await?;
    let header = r#"451-["echo",{"_placeholder":true,"num":0}]"#;
    session.send(header).await?;
    let mut socket = WebSocket::upgrade(&server, session.sid()).await?;
    socket.play(&["> 2probe", "< 3probe", "> 5", ">> 01 02"]).await?;
    socket.expect(header).await?;
    socket.expect_binary(&[1, 2]).await
}

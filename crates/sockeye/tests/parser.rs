//! Other parsers than the default one (S-018): that of the example, and the official MessagePack
//! one (S-019).

#![cfg(feature = "server")]

#[path = "../examples/custom_parser/base64_json.rs"]
mod base64_json;
mod support;

use base64_json::Base64Json;
use bytes::Bytes;
use sockeye::engine::CloseDetail;
use sockeye::{
    AcknowledgementError, ConnectError, ConnectionStateRecovery, DisconnectReason, EmitError,
    OwnedArguments, PacketKind, Parser, ParserDecoder, ParserError, ParserInput, ParserMessage,
    ParserPacket, Server, Socket, Value,
};

use support::{Client, Log, Polling, eventually, log, serve, within};

/// A server that echoes, and a log of the reasons with which its sockets went.
fn echo(parser: impl Parser + 'static) -> (Server, Log<DisconnectReason>) {
    let io = Server::builder().parser(parser).build();
    let (pen, log) = log();
    io.of("/refused").middleware(async || Err(ConnectError::new("no").with_data(7)));
    io.of("/")
        .on("echo", async |socket: Socket, arguments: OwnedArguments| {
            let _ = socket.emit("echo", arguments);
        })
        .on("echo-ack", async |arguments: OwnedArguments| arguments)
        .on("put out", async |socket: Socket| socket.disconnect(false))
        .on_disconnect(move |reason: DisconnectReason, _: CloseDetail| {
            pen.write(reason);
            async {}
        });
    (io, log)
}

/// Opens a session, joins `/` and gives the socket's id.
async fn join(io: &Server, client: &mut Client) -> Socket {
    client.send("4{\"type\":0,\"nsp\":\"/\"}").await;
    let granted = client.expect("4{\"data\":{\"sid\":\"<sid>\"},\"nsp\":\"/\",\"type\":0}").await;
    io.of("/").socket(&granted[0]).expect("the client is in")
}

#[tokio::test]
async fn s_018_a_custom_parser_carries_everything() {
    let (io, mut reasons) = echo(Base64Json);
    let mut client = Client::open(serve(&io).await).await;
    let socket = join(&io, &mut client).await;
    client
        .send(r#"4{"type":2,"nsp":"/","data":["echo",{"b":[{"$bytes":"AQID"}]},"é",null,1.5]}"#)
        .await;
    client
        .expect(r#"4{"data":["echo",{"b":[{"$bytes":"AQID"}]},"é",null,1.5],"nsp":"/","type":2}"#)
        .await;
    client.send(r#"4{"type":2,"nsp":"/","id":7,"data":["echo-ack",{"$bytes":""}]}"#).await;
    client.expect(r#"4{"data":[{"$bytes":""}],"id":7,"nsp":"/","type":3}"#).await;

    let answer = socket.emit_with_ack::<(String, Bytes)>("question", Bytes::from_static(&[255]));
    client.expect(r#"4{"data":["question",{"$bytes":"/w=="}],"id":0,"nsp":"/","type":2}"#).await;
    client.send(r#"4{"type":3,"nsp":"/","id":0,"data":["yes",{"$bytes":"/w=="}]}"#).await;
    let answer = within("the answer", answer).await.expect("an answer");
    assert_eq!(answer, ("yes".to_owned(), Bytes::from_static(&[255])));

    client.send(r#"4{"type":0,"nsp":"/refused"}"#).await;
    client.expect(r#"4{"data":{"data":7,"message":"no"},"nsp":"/refused","type":4}"#).await;
    client.send(r#"4{"type":0,"nsp":"a,b"}"#).await;
    client.expect(r#"4{"data":{"message":"Invalid namespace"},"nsp":"a,b","type":4}"#).await;
    client.send(r#"4{"type":2,"nsp":"/","data":["put out"]}"#).await;
    client.expect(r#"4{"nsp":"/","type":1}"#).await;
    reasons.expect(DisconnectReason::ServerNamespaceDisconnect).await;
}

#[tokio::test]
async fn s_018_a_custom_parser_works_over_polling() {
    let (io, _reasons) = echo(Base64Json);
    let mut client = Polling::open(serve(&io).await).await;
    client.post("4{\"type\":0,\"nsp\":\"/\"}").await;
    assert!(client.poll().await.starts_with("4{\"data\":{\"sid\":"));
    client.post("4{\"type\":2,\"nsp\":\"/\",\"data\":[\"echo\",1]}").await;
    assert_eq!(client.poll().await, "4{\"data\":[\"echo\",1],\"nsp\":\"/\",\"type\":2}");
}

#[tokio::test]
async fn s_017_what_a_custom_parser_reads_is_checked() {
    for packet in [
        r#"4{"type":2,"nsp":"/","data":["connect"]}"#,
        r#"4{"type":2,"nsp":"/"}"#,
        r#"4{"type":2,"nsp":"/","data":[null]}"#,
        r#"4{"type":2,"nsp":"/","data":["a"],"id":9007199254740992}"#,
        r#"4{"type":3,"nsp":"/","data":{}}"#,
        r#"4{"type":4,"nsp":"/","data":"no"}"#,
        r#"4{"type":5,"nsp":"/","data":["a"]}"#,
        "4no JSON",
        "4",
    ] {
        let (io, mut reasons) = echo(Base64Json);
        let mut client = Client::open(serve(&io).await).await;
        join(&io, &mut client).await;
        client.send(packet).await;
        client.expect_close().await;
        reasons.expect(DisconnectReason::ForcedClose).await;
    }
}

#[tokio::test]
async fn a_message_of_the_wrong_kind_closes_the_connection() {
    let (io, mut reasons) = echo(Base64Json);
    let mut client = Client::open(serve(&io).await).await;
    join(&io, &mut client).await;
    client.send_binary(&[1]).await;
    client.expect_close().await;
    reasons.expect(DisconnectReason::ForcedClose).await;
}

/// Each packet is as many messages as it has data, behind one that says how many follow.
struct InPieces;

/// What is still to come of a packet.
#[derive(Default)]
struct Pieces(Option<(ParserPacket, usize)>);

impl Parser for InPieces {
    fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
        let data = packet.data.as_ref();
        let items: &[Value] = match data {
            Some(Value::Array(items)) => items,
            _ => &[],
        };
        let head = format!("{} {} {}", packet.kind.number(), packet.namespace, items.len());
        let items = items.iter().map(|item| serde_json::to_vec(item).map(ParserMessage::Binary));
        let head = std::iter::once(Ok(ParserMessage::Text(head)));
        head.chain(items).collect::<Result<_, _>>().map_err(ParserError::new)
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(Pieces::default())
    }
}

impl ParserDecoder for Pieces {
    fn add(&mut self, message: ParserInput<'_>) -> Result<Option<ParserPacket>, ParserError> {
        let (mut packet, mut missing) = match (self.0.take(), message) {
            (None, ParserInput::Text(head)) => head_of(head)?,
            (Some((mut packet, missing)), ParserInput::Binary(item)) => {
                if let Some(Value::Array(items)) = &mut packet.data {
                    items.push(serde_json::from_slice(item).map_err(ParserError::new)?);
                }
                (packet, missing - 1)
            }
            _ => return Err(ParserError::new("not in turn")),
        };
        if packet.kind == PacketKind::Connect {
            (packet.data, missing) = (None, 0);
        }
        if missing == 0 {
            return Ok(Some(packet));
        }
        self.0 = Some((packet, missing));
        Ok(None)
    }
}

fn head_of(head: &str) -> Result<(ParserPacket, usize), ParserError> {
    let mut words = head.split(' ');
    let mut word = || words.next().ok_or_else(|| ParserError::new("a word is missing"));
    let kind = PacketKind::from_number(word()?.parse().map_err(ParserError::new)?);
    let kind = kind.ok_or_else(|| ParserError::new("no kind"))?;
    let namespace = word()?.to_owned();
    let missing = word()?.parse().map_err(ParserError::new)?;
    let data = Some(Value::Array(Vec::new()));
    Ok((ParserPacket { kind, namespace, id: None, data }, missing))
}

#[tokio::test]
async fn a_packet_may_be_several_messages_both_ways_with_nothing_between_them() {
    let (io, mut reasons) = echo(InPieces);
    let address = serve(&io).await;
    let mut clients = [Client::open(address).await, Client::open(address).await];
    for client in &mut clients {
        client.send("40 / 0").await;
        client.expect("40 / 0").await;
    }
    io.emit("news", (1, "two")).expect("it can be written");
    io.emit("more", ()).expect("it can be written");
    for client in &mut clients {
        client.expect("42 / 3").await;
        client.expect_binary(b"\"news\"").await;
        client.expect_binary(b"1").await;
        client.expect_binary(b"\"two\"").await;
        client.expect("42 / 1").await;
        client.expect_binary(b"\"more\"").await;
    }
    let [client, _] = &mut clients;
    client.send("42 / 2").await;
    client.send_binary(b"\"echo\"").await;
    client.expect_nothing().await;
    client.send_binary(b"[3]").await;
    client.expect("42 / 2").await;
    client.expect_binary(b"\"echo\"").await;
    client.expect_binary(b"[3]").await;
    client.send("42 / 2").await;
    client.send("42 / 2").await;
    client.expect_close().await;
    reasons.expect(DisconnectReason::ForcedClose).await;
}

/// Speaks as `Base64Json`, with faults.
struct Faulty;

impl Parser for Faulty {
    fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
        match (&packet.data, &*packet.namespace) {
            (Some(Value::Array(items)), _) if items.len() > 1 => Err(ParserError::new("too much")),
            (Some(Value::Array(items)), _) if items[0] == Value::String("panic".into()) => {
                panic!("on purpose")
            }
            (Some(Value::Object(_)), "/mute") => Ok(Vec::new()),
            _ => Base64Json.encode(packet),
        }
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Box::new(Self)
    }
}

impl ParserDecoder for Faulty {
    fn add(&mut self, message: ParserInput<'_>) -> Result<Option<ParserPacket>, ParserError> {
        assert!(message != ParserInput::Text("panic"), "on purpose");
        Base64Json.add(message)
    }
}

#[tokio::test]
async fn a_parser_that_fails_or_panics_harms_nobody_else() {
    let (io, mut reasons) = echo(Faulty);
    io.of("/mute");
    let address = serve(&io).await;
    let (mut client, mut other) = (Client::open(address).await, Client::open(address).await);
    let socket = join(&io, &mut client).await;
    join(&io, &mut other).await;

    let refused = socket.emit("a", 1).expect_err("it cannot be written");
    assert!(matches!(refused, EmitError::Encode(_)), "{refused:?}");
    assert_eq!(refused.to_string(), "too much");
    let refused = socket.emit("panic", ()).expect_err("it cannot be written");
    assert_eq!(refused.to_string(), "the parser panicked: on purpose");
    assert!(matches!(io.emit("a", 1), Err(EmitError::Encode(_))));
    let answer = socket.emit_with_ack::<()>("panic", ()).await;
    assert!(matches!(answer, Err(AcknowledgementError::Emit(EmitError::Encode(_)))), "{answer:?}");

    client.send("4panic").await;
    client.expect_close().await;
    reasons.expect(DisconnectReason::ForcedClose).await;
    // Who cannot be let in is not left waiting.
    other.send("4{\"type\":0,\"nsp\":\"/mute\"}").await;
    other.expect_close().await;
    reasons.expect(DisconnectReason::ForcedClose).await;
    assert!(io.of("/mute").sockets().is_empty());
    let mut third = Client::open(address).await;
    join(&io, &mut third).await;
    eventually("the end of the others", || io.clients_count() == 1).await;
}

/// Speaks as `Base64Json`, but has nothing against which somebody could come back.
struct WithoutOffsets;

impl Parser for WithoutOffsets {
    fn encode(&self, packet: &ParserPacket) -> Result<Vec<ParserMessage>, ParserError> {
        let last = match &packet.data {
            Some(Value::Array(items)) => items.last(),
            _ => None,
        };
        match last {
            Some(Value::String(text)) if text.starts_with('~') => {
                Err(ParserError::new("no offsets here"))
            }
            _ => Base64Json.encode(packet),
        }
    }

    fn decoder(&self) -> Box<dyn ParserDecoder> {
        Base64Json.decoder()
    }
}

/// A client's connection breaks after an event, and it comes back, having missed another.
async fn come_back(parser: impl Parser + 'static) -> (Client, [String; 2], Option<String>) {
    let recovery = ConnectionStateRecovery::new();
    let io = Server::builder().parser(parser).connection_state_recovery(recovery).build();
    let address = serve(&io).await;
    let mut client = Client::open(address).await;
    client.send("4{\"type\":0,\"nsp\":\"/\"}").await;
    let ids = r#"4{"data":{"pid":"<sid>","sid":"<sid>"},"nsp":"/","type":0}"#;
    let ids = client.expect(ids).await;
    io.emit("seen", 1).expect("it can be written");
    let seen = client.expect(r#"4{"data":["seen",1<any>"#).await.remove(0);
    let offset = seen.strip_prefix(",\"").and_then(|rest| Some(rest.split_once('"')?.0.to_owned()));
    drop(client);
    eventually("the end of the connection", || io.clients_count() == 0).await;
    io.emit("missed", Bytes::from_static(&[1])).expect("it can be written");
    let mut client = Client::open(address).await;
    let pid = &ids[0];
    let claim = match &offset {
        Some(offset) => format!(r#"{{"pid":"{pid}","offset":"{offset}"}}"#),
        None => format!(r#"{{"pid":"{pid}"}}"#),
    };
    client.send(&format!(r#"4{{"type":0,"nsp":"/","data":{claim}}}"#)).await;
    let ids = ids.try_into().expect("two ids");
    (client, ids, offset)
}

#[tokio::test]
async fn s_085_a_client_with_a_custom_parser_gets_what_it_missed() {
    let (mut client, [pid, sid], offset) = come_back(Base64Json).await;
    assert!(offset.is_some_and(|offset| offset.starts_with('~')));
    client.expect(r#"4{"data":["missed",{"$bytes":"AQ=="},"~<text>"],"nsp":"/","type":2}"#).await;
    let back = format!(r#"4{{"data":{{"pid":"{pid}","sid":"{sid}"}},"nsp":"/","type":0}}"#);
    client.expect(&back).await;
}

#[tokio::test]
async fn where_a_parser_cannot_write_offsets_nobody_comes_back_to_a_gap() {
    let (mut client, [pid, sid], offset) = come_back(WithoutOffsets).await;
    assert_eq!(offset, None);
    let anew = client.expect(r#"4{"data":{"pid":"<sid>","sid":"<sid>"},"nsp":"/","type":0}"#).await;
    assert!(anew[0] != pid && anew[1] != sid);
}

#[cfg(feature = "msgpack")]
mod message_pack {
    use sockeye::{Data, MessagePack};

    use super::support::Incoming;
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.split_whitespace().collect::<String>();
        let pairs = digits.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("digits"));
        pairs.map(|pair| u8::from_str_radix(pair, 16).expect("digits")).collect()
    }

    /// Joins `/`, as the official client does.
    async fn join(io: &Server) -> (Client, Socket) {
        let mut client = Client::open(serve(io).await).await;
        client.send_binary(&bytes("83 a474797065 00 a464617461 d40000 a36e7370 a12f")).await;
        let Incoming::Binary(granted) = client.next("the answer to CONNECT").await else {
            panic!("it is no binary message");
        };
        let id = str::from_utf8(&granted[18..38]).expect("an id").to_owned();
        let expected = bytes(&format!(
            "83 a474797065 00 a464617461 82 a3736964 b4{} a3706964 d40000 a36e7370 a12f",
            id.bytes().map(|byte| format!("{byte:02x}")).collect::<String>()
        ));
        assert_eq!(granted, expected);
        let socket = io.of("/").socket(&id).expect("the client is in");
        (client, socket)
    }

    #[tokio::test]
    async fn s_019_the_bytes_are_those_of_the_reference() {
        let (io, mut reasons) = echo(MessagePack);
        io.of("/").on("x", async |Data(value): Data<Value>| {
            let Value::Object(entries) = value else { panic!("no object") };
            assert_eq!(entries.get("d"), Some(&Value::String("1970-01-01T00:00:00.000Z".into())));
            assert_eq!(entries.get("n"), Some(&Value::Null));
            assert_eq!(entries.get("b"), Some(&Value::Binary(Bytes::from_static(&[1]))));
            assert_eq!(entries.len(), 3, "`undefined` is left out");
            "r"
        });
        io.of("/auth").middleware(async || Err(ConnectError::new("no")));
        let (mut client, socket) = join(&io).await;
        client
            .send_binary(&bytes(
                "85a47479706502a46461746192a17884a164d7000000000000000000a175d40000a16ec0a162c40101
                 a76f7074696f6e7381a8636f6d7072657373c3a2696400a36e7370a12f",
            ))
            .await;
        let answer = "84 a26964 00 a474797065 03 a464617461 91 a172 a36e7370 a12f";
        client.expect_binary(&bytes(answer)).await;
        socket.emit("y", 1).expect("it is connected");
        client.expect_binary(&bytes("83a47479706502a46461746192a17901a36e7370a12f")).await;
        io.emit("b", 2).expect("it can be written");
        client.expect_binary(&bytes("83a47479706502a46461746192a16202a36e7370a12f")).await;
        let answer = socket.emit_with_ack::<String>("z", ());
        client.expect_binary(&bytes("84a47479706502a46461746191a17aa2696400a36e7370a12f")).await;
        client.send_binary(&bytes("84a47479706503a2696400a46461746191a361636ba36e7370a12f")).await;
        assert_eq!(within("the answer", answer).await.expect("an answer"), "ack");
        client.send_binary(&bytes("83a47479706500a464617461d40000a36e7370a52f61757468")).await;
        client
            .expect_binary(&bytes(
                "83a47479706504a46461746182a76d657373616765a26e6fa464617461d40000
                 a36e7370a52f61757468",
            ))
            .await;
        client.send_binary(&bytes("82a47479706501a36e7370a12f")).await;
        reasons.expect(DisconnectReason::ClientNamespaceDisconnect).await;
    }

    #[tokio::test]
    async fn p_12_what_is_no_packet_closes_the_connection() {
        for packet in [
            "",
            "80",
            "dfffffffff",
            "83a474797065ffa46461746191a161a36e7370a12f",
            "83a47479706502a46461746191a161a36e737001",
            "82a47479706502a36e7370a12f",
            "83a47479706502a46461746191a161a36e7370a12f00",
            "83a47479706502a46461746191a1ffa36e7370a12f",
            "83a47479706502a46461746191a7636f6e6e656374a36e7370a12f",
        ] {
            let (io, mut reasons) = echo(MessagePack);
            let (mut client, _socket) = join(&io).await;
            client.send_binary(&bytes(packet)).await;
            client.expect_close().await;
            reasons.expect(DisconnectReason::ForcedClose).await;
        }
    }

    #[tokio::test]
    async fn over_polling_each_packet_is_base64() {
        let (io, _reasons) = echo(MessagePack);
        let mut client = Polling::open(serve(&io).await).await;
        client.post("bg6R0eXBlAKRkYXRh1AAAo25zcKEv").await;
        assert!(client.poll().await.starts_with("bg6R0eXBlAKRkYXRhgqNzaWS0"));
        client.post("bg6R0eXBlAqRkYXRhkqRlY2hvAaNuc3ChLw==").await;
        assert_eq!(client.poll().await, "bg6R0eXBlAqRkYXRhkqRlY2hvAaNuc3ChLw==");
    }
}

//! The interop contract: one server whose behaviour any client, in any language, can check.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use sockeye::{
    Acknowledgement, Arguments, ArgumentsError, Auth, BroadcastOperator, ConnectError,
    ConnectionStateRecovery, Cors, Data, DisconnectReason, FromArguments, MessagePack, Namespace,
    OwnedArguments, PerMessageDeflate, Server, Socket, Value,
};
use tokio::net::TcpListener;

use crate::arguments::Features;
use crate::http;

/// The reasons with which sockets were seen to disconnect.
type Reasons = Arc<Mutex<HashMap<String, &'static str>>>;

pub(crate) async fn serve(listeners: Vec<TcpListener>, features: Features) {
    let mut builder = Server::builder()
        .ping_interval(Duration::from_millis(1_000))
        .ping_timeout(Duration::from_millis(1_000))
        .connect_timeout(Duration::from_millis(1_000))
        .max_http_buffer_size(1_000_000)
        .allow_eio3(features.eio3)
        .cors(Cors::any());
    if features.recovery {
        builder = builder.connection_state_recovery(ConnectionStateRecovery::new());
    }
    if features.message_pack {
        builder = builder.parser(MessagePack);
    }
    if features.deflate || features.deflate_context {
        let deflate = PerMessageDeflate::new()
            .server_context_takeover(features.deflate_context)
            .client_context_takeover(features.deflate_context);
        builder = builder.per_message_deflate(deflate);
    }
    let io = builder.build();
    let reasons = Reasons::default();
    let dynamic = io.of_matching(|name| {
        name.strip_prefix("/dyn-")
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    });
    let auth = io.of("/auth");
    auth.middleware(require_token);
    for namespace in [io.of("/"), auth, dynamic] {
        add_events(&io, &namespace, &reasons);
    }
    http::serve(&io, listeners).await;
}

async fn require_token(Auth(auth): Auth<Json>) -> Result<(), ConnectError> {
    if auth["token"] == "secret" {
        return Ok(());
    }
    Err(ConnectError::new("unauthorized").with_data(json!({"code": 401})))
}

fn add_events(io: &Server, namespace: &Namespace, reasons: &Reasons) {
    namespace
        .on_connect(welcome)
        .on("echo", async |socket: Socket, arguments: OwnedArguments| {
            let _ = socket.emit("echo", arguments);
        })
        .on("echo-ack", async |arguments: OwnedArguments| arguments)
        .on("delay-ack", async |Data((ms, value)): Data<(u64, Value)>| {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            value
        })
        .on("reverse", async |Data(value): Data<Value>| reverse(value))
        .on("big", async |Data(n): Data<usize>| (text_of(n), bytes_of(n)))
        .on("burst", async |socket: Socket, Data(n): Data<usize>| {
            (0..n).for_each(|i| drop(socket.emit("burst", i)));
        })
        .on("volatile", async |socket: Socket, Data(n): Data<usize>| {
            (0..n).for_each(|i| drop(socket.volatile().emit("tick", i)));
            let _ = socket.emit("tick-end", ());
        });
    add_room_events(namespace);
    add_question_events(namespace);
    add_connection_events(io, namespace, reasons);
}

fn add_room_events(namespace: &Namespace) {
    namespace
        .on("join", async |socket: Socket, Data(room): Data<String>| {
            socket.join(room);
            own_rooms(&socket)
        })
        .on("leave", async |socket: Socket, Data(room): Data<String>| {
            socket.leave(room);
            own_rooms(&socket)
        })
        .on("sockets", async |socket: Socket, Data(room): Data<Option<String>>| {
            let sockets = match room {
                Some(room) => socket.namespace().to(room).sockets(),
                None => socket.namespace().sockets(),
            };
            let mut ids: Vec<_> = sockets.iter().map(|socket| socket.id().to_owned()).collect();
            ids.sort();
            ids
        })
        .on("to-room", async |socket: Socket, Data(send): Data<SendToRooms>| {
            send.emit(&socket.broadcast().to(send.rooms()));
        })
        .on("volatile-to-room", async |socket: Socket, Data(send): Data<SendToRooms>| {
            send.emit(&socket.broadcast().to(send.rooms()).volatile());
        })
        .on("in-room", async |socket: Socket, Data(send): Data<SendToRooms>| {
            send.emit(&socket.namespace().to(send.rooms()));
        })
        .on("except-room", async |socket: Socket, Data(send): Data<SendToRooms>| {
            send.emit(&socket.namespace().except(send.rooms()));
        })
        .on("broadcast", async |socket: Socket, Data(send): Data<SendToAll>| {
            send.emit(&socket.broadcast());
        });
}

fn add_question_events(namespace: &Namespace) {
    namespace
        .on("ask-me", async |socket: Socket, Data((ms, value)): Data<(u64, Value)>| {
            let answer = socket.emit_with_ack::<OwnedArguments>("question", value);
            let answer = answer.timeout(Duration::from_millis(ms)).await;
            let answer = answer.ok().and_then(|answer| answer.decode_all().ok());
            Answer { ok: answer.is_some(), answer, answers: None }
        })
        .on(
            "ask-room",
            async |socket: Socket, Data((ms, room, value)): Data<(u64, String, Value)>| {
                let question = socket.namespace().to(room).timeout(Duration::from_millis(ms));
                let (ok, answers) = match question.emit_with_ack("question", value).await {
                    Ok(answers) => (true, answers),
                    Err(error) => (false, error.into_answers()),
                };
                Answer { ok, answer: None, answers: Some(answers) }
            },
        );
}

fn add_connection_events(io: &Server, namespace: &Namespace, reasons: &Reasons) {
    let seen = Arc::clone(reasons);
    let known = Arc::clone(reasons);
    let io = io.clone();
    namespace
        .on_disconnect(move |socket: Socket, reason: DisconnectReason| {
            seen.lock().insert(socket.id().to_owned(), reason.as_str());
            async {}
        })
        .on("last-reason", move |Data(sid): Data<String>| {
            let reason = known.lock().get(&sid).copied();
            async move { reason }
        })
        .on("clients", move || {
            let clients = io.clients_count();
            async move { clients }
        })
        .on("disconnect-me", async |socket: Socket, Data(close): Data<Option<bool>>| {
            socket.disconnect(close.unwrap_or(false));
        })
        .on("drop-me", async |socket: Socket| socket.close_connection())
        .on("handshake", async |socket: Socket, answer: Option<Acknowledgement>| {
            if let Some(answer) = answer {
                let _ = answer.send(handshake(&socket));
            }
        });
}

/// What a client asked its peers, and what they said.
#[derive(serde::Serialize)]
struct Answer {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Vec<Value>>,
}

/// One room or several.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Rooms {
    One(String),
    Several(Vec<String>),
}

/// `rooms, event, ...arguments`.
struct SendToRooms {
    rooms: Rooms,
    send: SendToAll,
}

/// `event, ...arguments`.
struct SendToAll {
    event: String,
    arguments: OwnedArguments,
}

impl FromArguments for SendToRooms {
    fn from_arguments(arguments: Arguments<'_>) -> Result<Self, ArgumentsError> {
        let rooms = arguments.decode()?;
        Ok(Self { rooms, send: arguments.skip(1).decode()? })
    }
}

impl FromArguments for SendToAll {
    fn from_arguments(arguments: Arguments<'_>) -> Result<Self, ArgumentsError> {
        let event = arguments.decode()?;
        Ok(Self { event, arguments: arguments.skip(1).to_owned() })
    }
}

impl SendToRooms {
    fn rooms(&self) -> &[String] {
        match &self.rooms {
            Rooms::One(room) => std::slice::from_ref(room),
            Rooms::Several(rooms) => rooms,
        }
    }

    fn emit(&self, to: &BroadcastOperator) {
        self.send.emit(to);
    }
}

impl SendToAll {
    fn emit(&self, to: &BroadcastOperator) {
        // A reserved name is the caller's mistake, and is not sent.
        let _ = to.emit(&self.event, &self.arguments);
    }
}

async fn welcome(socket: Socket, Auth(auth): Auth<Json>) {
    #[derive(serde::Serialize)]
    struct Welcome<'a> {
        sid: &'a str,
        nsp: &'a str,
        auth: Json,
        recovered: bool,
    }
    let nsp = socket.namespace().name();
    let recovered = socket.recovered();
    let _ = socket.emit("welcome", Welcome { sid: socket.id(), nsp, auth, recovered });
}

fn handshake(socket: &Socket) -> Json {
    let handshake = socket.handshake();
    let query: HashMap<String, String> = handshake.query().collect();
    let headers: HashMap<String, String> = handshake
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let auth: Json = socket.auth().unwrap_or_default();
    let transport = socket.transport().as_str();
    json!({"query": query, "headers": headers, "auth": auth, "transport": transport})
}

fn own_rooms(socket: &Socket) -> Vec<String> {
    let mut rooms = socket.rooms();
    rooms.retain(|room| room != socket.id());
    rooms.sort();
    rooms
}

fn reverse(value: Value) -> Value {
    match value {
        Value::Binary(bytes) => Value::Binary(bytes.iter().rev().copied().collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(reverse).collect()),
        Value::Object(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, reverse(value))).collect())
        }
        other => other,
    }
}

fn text_of(n: usize) -> String {
    "x".repeat(n)
}

fn bytes_of(n: usize) -> Bytes {
    (0..n).map(|i| i.to_le_bytes()[0]).collect()
}

//! Socket.IO as the official client's own tests need it.

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Request;
use bytes::Bytes;
use hyper::body::Incoming;
use serde_json::{Value as Json, json};
use sockeye::{
    ConnectError, ConnectionStateRecovery, Cors, Data, Namespace, Server, Socket, Value,
};
use tokio::net::TcpListener;
use tower_service::Service;

use crate::http;

pub(crate) async fn serve(listeners: Vec<TcpListener>) {
    let io = Server::builder()
        .ping_interval(Duration::from_millis(2_000))
        .connection_state_recovery(ConnectionStateRecovery::new())
        .cors(Cors::any())
        .build();
    let main = io.of("/");
    main.middleware(refuse_on_demand);
    add_echoes(&main);
    add_texts(&main);
    add_binary(&main);
    add_blobs(&main);
    io.of("/foo").on("getId", async |socket: Socket| socket.id().to_owned());
    io.of("/abc").on_connect(async |socket: Socket| {
        let _ = socket.emit("handshake", handshake(&socket));
    });
    io.of("/no").middleware(async || Err(ConnectError::new("Auth failed (custom namespace)")));
    for name in ["/asd", "/valid", "/timeout_socket"] {
        io.of(name);
    }
    http::serve_service(Late { service: io.service() }, listeners).await;
}

async fn refuse_on_demand(socket: Socket) -> Result<(), ConnectError> {
    let mut query = socket.handshake().query();
    if query.any(|(key, value)| key == "fail" && !value.is_empty()) {
        return Err(ConnectError::new("Auth failed (main namespace)"));
    }
    Ok(())
}

fn add_echoes(namespace: &Namespace) {
    namespace
        .on("hi", async |socket: Socket| drop(socket.emit("hi", ())))
        .on("echo", async |Data(value): Data<Option<Value>>| value)
        .on("getId", async |socket: Socket| socket.id().to_owned())
        .on("getHandshake", async |socket: Socket| handshake(&socket))
        .on("ack", async |socket: Socket| {
            let answer = socket.emit_with_ack::<(i64, Json)>("ack", ()).await;
            if answer.is_ok_and(|(number, object)| number == 5 && object["test"] == true) {
                let _ = socket.emit("got it", ());
            }
        });
}

fn add_texts(namespace: &Namespace) {
    namespace
        .on("getAckDate", async || DATE)
        .on("getDate", async |socket: Socket| drop(socket.emit("takeDate", DATE)))
        .on("getDateObj", async |socket: Socket| {
            let _ = socket.emit("takeDateObj", json!({"date": DATE}));
        })
        .on("getUtf8", async |socket: Socket| {
            TEXTS.iter().for_each(|text| drop(socket.emit("takeUtf8", text)));
        })
        .on("false", async |socket: Socket| drop(socket.emit("false", false)));
}

fn add_binary(namespace: &Namespace) {
    namespace
        .on("doge", async |socket: Socket| drop(socket.emit("doge", BYTES)))
        .on("getbin", async |socket: Socket| drop(socket.emit("takebin", BYTES)))
        .on("buffa", async |socket: Socket, Data(value): Data<Value>| {
            answer_if(is_binary(&value), &socket, "buffack");
        })
        .on("jsonbuff", async |socket: Socket, Data(value): Data<Value>| {
            answer_if(is_greeting(&value), &socket, "jsonbuff-ack");
        })
        .on("abuff1", async |socket: Socket, Data(value): Data<Value>| {
            socket.set_extension(FirstBuffer(is_binary(&value)));
        })
        .on("abuff2", async |socket: Socket| {
            let came = socket.extension::<FirstBuffer>().is_some_and(|first| first.0);
            answer_if(came, &socket, "abuff2-ack");
        });
}

/// What browsers alone send.
fn add_blobs(namespace: &Namespace) {
    namespace
        .on("blob", async |socket: Socket, Data(value): Data<Value>| {
            answer_if(is_binary(&value), &socket, "back");
        })
        .on("jsonblob", async |socket: Socket, Data(value): Data<Value>| {
            answer_if(is_greeting(&value), &socket, "jsonblob-ack");
        })
        .on("blob1", async |socket: Socket, Data(value): Data<Value>| {
            socket.set_extension(Blobs(if is_binary(&value) { 1 } else { 0 }));
        })
        .on("blob2", async |socket: Socket, Data(value): Data<Value>| {
            let as_expected = blobs(&socket) == 1 && value == Value::String("second".into());
            socket.set_extension(Blobs(if as_expected { 2 } else { 0 }));
        })
        .on("blob3", async |socket: Socket, Data(value): Data<Value>| {
            answer_if(blobs(&socket) == 2 && is_binary(&value), &socket, "blob3-ack");
        });
}

/// Whether `abuff1` brought bytes.
struct FirstBuffer(bool);

/// How many of `blob1` and `blob2` came, in this order and as they should.
struct Blobs(u8);

fn blobs(socket: &Socket) -> u8 {
    socket.extension::<Blobs>().map_or(0, |blobs| blobs.0)
}

fn answer_if(is_right: bool, socket: &Socket, event: &str) {
    if is_right {
        let _ = socket.emit(event, ());
    }
}

const fn is_binary(value: &Value) -> bool {
    matches!(value, Value::Binary(_))
}

/// Whether it is `{hello: "lol", message: binary, goodbye: "gotcha"}`.
fn is_greeting(value: &Value) -> bool {
    let Value::Object(entries) = value else { return false };
    let is = |key, text: &str| entries.get(key) == Some(&Value::String(text.to_owned()));
    is("hello", "lol") && is("goodbye", "gotcha") && entries.get("message").is_some_and(is_binary)
}

fn handshake(socket: &Socket) -> Json {
    let query: HashMap<String, String> = socket.handshake().query().collect();
    let auth: Json = socket.auth().unwrap_or_default();
    json!({"query": query, "auth": auth})
}

/// A service that opens connections late: some cases want to be faster than their server.
///
/// Requests of an open session are not delayed, as they are not by the official server for these
/// cases: others give a connection, an upgrade and an answer 50 ms together.
#[derive(Clone)]
struct Late<S> {
    service: S,
}

impl<S> Service<Request<Incoming>> for Late<S>
where
    S: Service<Request<Incoming>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let is_handshake = !has_sid(&request);
        // The clone stays; the one that was found ready answers.
        let rest = self.service.clone();
        let mut ready = std::mem::replace(&mut self.service, rest);
        Box::pin(async move {
            if is_handshake {
                tokio::time::sleep(DELAY).await;
            }
            ready.call(request).await
        })
    }
}

fn has_sid(request: &Request<Incoming>) -> bool {
    let mut pairs = request.uri().query().unwrap_or_default().split('&');
    pairs.any(|pair| pair.starts_with("sid="))
}

/// Less would let the server answer before a time-out of no time at all.
const DELAY: Duration = Duration::from_millis(10);
/// Any will do: the cases look only at its type.
const DATE: &str = "2026-01-01T00:00:00.000Z";
const BYTES: Bytes = Bytes::from_static(b"asdfasdf");
const TEXTS: [&str; 5] = ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"];

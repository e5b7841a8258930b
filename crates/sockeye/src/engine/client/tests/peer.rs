//! Both ends of a connection: the client under test, driven by a task, and servers to talk with.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use sockeye_proto::engine::{Message, TransportName};
use sockeye_proto::websocket::Frame;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::connection::{ClientApplication, Connection, Ended, Outgoing};
use super::super::error::TransportError;
use super::*;
use crate::engine::{Application, CloseDetail, CloseReason, Engine, EngineOptions, Session};

/// Something to do with a connection.
type Command = Box<dyn FnOnce(&mut Outgoing) + Send>;

/// A connection that a task drives, and what happened to it.
pub(super) struct Client {
    commands: mpsc::UnboundedSender<Command>,
    events: mpsc::UnboundedReceiver<String>,
    takes_more: Arc<AtomicBool>,
    pub(super) task: JoinHandle<Ended>,
}

struct Recorder {
    events: mpsc::UnboundedSender<String>,
    takes_more: Arc<AtomicBool>,
}

impl Recorder {
    fn write(&self, event: impl Into<String>) {
        let _ = self.events.send(event.into());
    }
}

impl ClientApplication for Recorder {
    fn opened(&mut self, _: &mut Context<'_>, outgoing: &mut Outgoing) {
        assert!(outgoing.is_open() && outgoing.id().is_some());
        self.write(format!("opened {}", outgoing.transport()));
    }

    fn message(&mut self, _: &mut Context<'_>, outgoing: &mut Outgoing, message: Message<'_>) {
        match message {
            Message::Text("send one") => outgoing.send([Frame::text(b"4one")]),
            Message::Text(text) => self.write(text),
            Message::Binary(data) => self.write(format!("{:?}", digest(&data))),
        }
    }

    fn pinged(&mut self) {
        self.write("pinged");
    }

    fn upgraded(&mut self, transport: TransportName) {
        self.write(format!("upgraded {transport}"));
    }

    fn upgrade_failed(&mut self, error: TransportError) {
        self.write(format!("upgrade failed: {error}"));
    }

    fn takes_more(&self) -> bool {
        self.takes_more.load(Ordering::SeqCst)
    }
}

/// What tells long data apart.
pub(super) fn digest(data: &[u8]) -> (usize, u64) {
    let sum = data.iter().zip(1..).map(|(byte, place)| u64::from(*byte) * place).sum();
    (data.len(), sum)
}

impl Client {
    pub(super) fn open(url: &str, options: ConnectOptions) -> Self {
        Self::of(dialer(url, options))
    }

    pub(super) fn of(dialer: Dialer) -> Self {
        let (commands, mut waiting) = mpsc::unbounded_channel::<Command>();
        let (pen, events) = mpsc::unbounded_channel();
        let takes_more = Arc::new(AtomicBool::new(true));
        let mut recorder = Recorder { events: pen, takes_more: Arc::clone(&takes_more) };
        let mut connection = Connection::open(&dialer);
        let task = tokio::spawn(poll_fn(move |cx| {
            while let Poll::Ready(Some(command)) = waiting.poll_recv(cx) {
                command(connection.outgoing());
            }
            connection.poll(cx, &mut recorder)
        }));
        Self { commands, events, takes_more, task }
    }

    pub(super) fn tell(&self, command: impl FnOnce(&mut Outgoing) + Send + 'static) {
        let _ = self.commands.send(Box::new(command));
    }

    pub(super) fn send(&self, frames: impl IntoIterator<Item = Frame> + Send + 'static) {
        self.tell(move |outgoing| outgoing.send(frames));
    }

    pub(super) fn text(&self, message: &str) {
        self.send([Frame::text(format!("4{message}").as_bytes())]);
    }

    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Outgoing) -> T + Send + 'static,
    ) -> T {
        let (answer, awaited) = tokio::sync::oneshot::channel();
        self.tell(move |outgoing| drop(answer.send(question(outgoing))));
        within("an answer", awaited).await.expect("the connection lives")
    }

    /// Whether it takes messages.
    pub(super) fn take_more(&self, takes_more: bool) {
        self.takes_more.store(takes_more, Ordering::SeqCst);
        self.tell(|_| {});
    }

    /// Whether nothing has happened since the last event.
    pub(super) fn events_are_empty(&mut self) -> bool {
        self.events.is_empty()
    }

    /// The next event that is no ping.
    #[track_caller]
    pub(super) fn next(&mut self) -> impl Future<Output = String> {
        let place = Location::caller();
        async move {
            loop {
                let next = tokio::time::timeout(PATIENCE, self.events.recv()).await;
                match next.unwrap_or_else(|_| panic!("{place}: no event")) {
                    Some(event) if event == "pinged" => {}
                    Some(event) => return event,
                    None => panic!("{place}: it has ended"),
                }
            }
        }
    }

    #[track_caller]
    pub(super) fn expect(&mut self, event: &str) -> impl Future<Output = ()> {
        let place = Location::caller();
        let next = self.next();
        async move {
            let next = next.await;
            assert!(next == event, "{place}: {next:?} instead of {event:?}");
        }
    }

    pub(super) async fn pinged(&mut self) {
        while within("a ping", self.events.recv()).await.expect("it lives") != "pinged" {}
    }

    pub(super) async fn end(self) -> Ended {
        within("the end", self.task).await.expect("no panic")
    }
}

/// Sends back what comes, and tells of the end.
struct Echo(mpsc::UnboundedSender<String>);

impl Application for Echo {
    fn message(&mut self, session: &Arc<Session>, _: &mut Context<'_>, message: Message<'_>) {
        // What does not go out any more does not matter.
        let _ = match message {
            Message::Text("close") => return session.close(),
            Message::Text(text) => session.send_text(text),
            Message::Binary(data) => session.send_binary(&data),
        };
    }

    fn poll(&mut self, _: &Arc<Session>, _: &mut Context<'_>) {}

    fn ended(
        &mut self,
        _: &Arc<Session>,
        _: &mut Context<'_>,
        reason: CloseReason,
        detail: CloseDetail,
    ) {
        let _ = self.0.send(format!("{reason} {detail}").trim_end().to_owned());
    }
}

/// Our own server.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    ends: mpsc::UnboundedReceiver<String>,
    sessions: mpsc::UnboundedReceiver<Arc<Session>>,
}

impl Served {
    pub(super) async fn new(mut options: EngineOptions) -> Self {
        options.path = "/socket.io".into();
        let (pen, ends) = mpsc::unbounded_channel();
        let (opened, sessions) = mpsc::unbounded_channel();
        let engine = Engine::new(options, move |session: &Arc<Session>| {
            let _ = opened.send(Arc::clone(session));
            Echo(pen.clone())
        });
        let (listener, address) = listener().await;
        let router = axum::Router::new().fallback_service(engine.service());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, ends, sessions }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next session that was opened.
    pub(super) async fn session(&mut self) -> Arc<Session> {
        within("a session", self.sessions.recv()).await.expect("the server lives")
    }

    /// Why the next session ended, seen from there.
    pub(super) async fn end(&mut self) -> String {
        within("the end of a session", self.ends.recv()).await.expect("the server lives")
    }
}

/// A server of hand: it takes one WebSocket, with whatever headers the answer has beside those that
/// it needs, and gives the stream to the test.
pub(super) async fn raw_websocket(
    listener: &TcpListener,
    extra: &str,
) -> (tokio::net::TcpStream, String) {
    let (mut stream, _) = within("a connection", listener.accept()).await.expect("a client");
    let request = within("a request", read_request(&mut stream)).await.expect("one request");
    let key = header(&request, "sec-websocket-key").expect("a key");
    let accept = sockeye_proto::websocket::accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n{extra}\r\n",
        accept.as_str()
    );
    stream.write_all(answer.as_bytes()).await.expect("the client reads");
    (stream, request)
}

/// An OPEN packet.
pub(super) fn open_packet(upgrades: &str, interval: u64, timeout: u64) -> String {
    format!(
        "0{{\"sid\":\"s1\",\"upgrades\":[{upgrades}],\"pingInterval\":{interval},\
         \"pingTimeout\":{timeout},\"maxPayload\":1000000}}"
    )
}

/// The next frame of a client, unmasked: its first byte and its payload, which must be short.
pub(super) async fn read_frame(stream: &mut tokio::net::TcpStream) -> (u8, Vec<u8>) {
    let read = async {
        let first = stream.read_u8().await?;
        let length = stream.read_u8().await?;
        assert_eq!(length & 0x80, 0x80, "a client's frames are masked");
        let mut key = [0; 4];
        stream.read_exact(&mut key).await?;
        let mut payload = vec![0; usize::from(length & 0x7f)];
        assert!(payload.len() < 126, "the test expects no long frame");
        stream.read_exact(&mut payload).await?;
        sockeye_proto::websocket::mask(&mut payload, key, 0);
        std::io::Result::Ok((first, payload))
    };
    within("a frame", read).await.expect("the client is there")
}

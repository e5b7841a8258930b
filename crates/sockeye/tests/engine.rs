//! Bare Engine.IO: an application of one's own on sessions.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;

use axum::Router;
use sockeye::engine::{
    Application, CloseDetail, CloseReason, Engine, EngineOptions, Message, SendError, Session,
};
use tokio::net::{TcpListener, TcpStream};

use support::{Client, Http, Log, Pen, Polling, eventually, log};

/// Sends back what comes, and writes down what happens.
struct Echo {
    pen: Pen<String>,
    ready: Arc<AtomicBool>,
}

impl Application for Echo {
    fn message(&mut self, session: &Arc<Session>, _: &mut Context<'_>, message: Message<'_>) {
        let sent = match message {
            Message::Text("close") => return session.close(),
            Message::Text(text) => session.send_text(text),
            Message::Binary(data) => session.send_binary(&data),
        };
        sent.expect("the session is open");
    }

    fn poll(&mut self, _: &Arc<Session>, _: &mut Context<'_>) {
        self.pen.write("polled");
    }

    fn ended(
        &mut self,
        session: &Arc<Session>,
        _: &mut Context<'_>,
        reason: CloseReason,
        _: CloseDetail,
    ) {
        assert!(!session.is_open());
        self.pen.write(format!("ended: {reason}"));
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }
}

struct Served {
    engine: Arc<dyn Fn() -> usize + Send + Sync>,
    close: Box<dyn Fn() + Send + Sync>,
    address: std::net::SocketAddr,
    log: Log<String>,
    sessions: Log<Arc<Session>>,
    ready: Arc<AtomicBool>,
}

/// An echo server on a free port.
async fn serve(options: EngineOptions) -> Served {
    let (pen, log) = log();
    let (opened, sessions) = support::log();
    let ready = Arc::new(AtomicBool::new(true));
    let is_ready = Arc::clone(&ready);
    let engine = Engine::new(options, move |session: &Arc<Session>| {
        opened.write(Arc::clone(session));
        Echo { pen: pen.clone(), ready: Arc::clone(&is_ready) }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let router = Router::new().fallback_service(engine.service());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let closing = engine.clone();
    Served {
        engine: Arc::new(move || engine.clients_count()),
        close: Box::new(move || closing.close()),
        address,
        log,
        sessions,
        ready,
    }
}

impl Served {
    async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        let mut client = Client::over(stream, "/engine.io/").await;
        client.expect_open().await;
        client
    }

    async fn polling(&self) -> Polling {
        let (polls, posts) = (Http::open(self.address).await, Http::open(self.address).await);
        Polling::over(polls, posts, "/engine.io/").await
    }

    /// The end, after any number of polls.
    async fn expect_end(&mut self, reason: &str) {
        let end = format!("ended: {reason}");
        while self.log.next(&end).await != end {}
    }
}

#[tokio::test]
async fn messages_come_and_go_over_websocket() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    client.send("4héllo").await;
    client.expect("4héllo").await;
    client.send("4").await;
    client.expect("4").await;
    client.send_binary(&[1, 2, 3]).await;
    client.expect_binary(&[1, 2, 3]).await;
    let session = served.sessions.next("the session").await;
    assert_eq!(session.id(), client.session);
    assert_eq!((served.engine)(), 1);
    session.send_text("from outside").unwrap();
    client.expect("4from outside").await;
    client.send("4close").await;
    client.expect_close().await;
    served.expect_end("forced close").await;
    assert_eq!(session.send_text("late"), Err(SendError::Closed));
    eventually("the end of the session", || (served.engine)() == 0).await;
}

#[tokio::test]
async fn messages_come_and_go_over_polling_and_through_an_upgrade() {
    let mut served = serve(EngineOptions::default()).await;
    let mut polling = served.polling().await;
    polling.post("4one\u{1e}bAQID").await;
    assert_eq!(polling.poll().await, "4one\u{1e}bAQID");
    let stream = TcpStream::connect(served.address).await.expect("the server listens");
    let mut client = Client::upgrading(stream, "/engine.io/", &polling.sid).await;
    client.send("2probe").await;
    client.expect("3probe").await;
    client.send("5").await;
    client.send("4two").await;
    client.expect("4two").await;
    client.send_binary(&[1, 2, 3]).await;
    client.expect_binary(&[1, 2, 3]).await;
    client.close().await;
    served.expect_end("transport close").await;
}

#[tokio::test]
async fn an_application_is_polled_when_its_session_is_woken_or_its_moment_has_come() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    let session = served.sessions.next("the session").await;
    client.expect_nothing().await;
    while served.log.next("the first poll").await != "polled" {}
    session.wake();
    served.log.expect("polled").await;
    session.set_application_deadline(Some(session.now().after(Duration::from_millis(20))));
    served.log.expect("polled").await;
}

#[tokio::test]
async fn nothing_is_read_while_the_application_is_not_ready() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    let session = served.sessions.next("the session").await;
    client.send("4first").await;
    client.expect("4first").await;
    served.ready.store(false, Ordering::SeqCst);
    client.send("4second").await;
    session.send_text("still sent").unwrap();
    client.expect("4still sent").await;
    served.ready.store(true, Ordering::SeqCst);
    session.wake();
    client.expect("4second").await;
}

#[tokio::test]
async fn closing_the_engine_ends_all_sessions_and_refuses_new_ones() {
    let mut served = serve(EngineOptions::default()).await;
    let mut client = served.client().await;
    (served.close)();
    client.expect_close().await;
    served.expect_end("forced close").await;
    let mut http = Http::open(served.address).await;
    assert_eq!(http.get("/engine.io/?EIO=4&transport=polling").await.status, 400);
    assert_eq!(http.get("/other").await.status, 404);
}

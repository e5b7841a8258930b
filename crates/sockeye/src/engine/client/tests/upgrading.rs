use sockeye_proto::engine::{CloseReason, TransportName};
use sockeye_proto::websocket::Frame;

use tokio::net::TcpStream;
use tokio::sync::{Mutex as Shared, mpsc};

use super::peer::{Client, Served, open_packet, raw_websocket, read_frame};
use super::*;
use crate::engine::EngineOptions;

#[tokio::test]
async fn nothing_is_lost_or_overtaken_by_an_upgrade() {
    for round in 0..10 {
        let served = Served::new(EngineOptions::default()).await;
        let mut client = Client::open(&served.url(), ConnectOptions::new());
        let (mut sent, mut received, mut upgraded) = (0, 0, false);
        while !upgraded || received < 200 {
            client.text(&sent.to_string());
            sent += 1;
            if sent - received < 20 + round {
                tokio::task::yield_now().await;
                continue;
            }
            match client.next().await.as_str() {
                "opened polling" => {}
                "upgraded websocket" => upgraded = true,
                number => {
                    assert_eq!(number, received.to_string());
                    received += 1;
                }
            }
        }
        assert_eq!(client.ask(|outgoing| outgoing.transport()).await, TransportName::WebSocket);
    }
}

#[tokio::test]
async fn there_is_no_upgrade_that_nobody_wants() {
    let without = EngineOptions { allow_upgrades: false, ..EngineOptions::default() };
    for (limits, options) in [
        (EngineOptions::default(), ConnectOptions::new().upgrade(false)),
        (EngineOptions::default(), ConnectOptions::new().transports([TransportName::Polling])),
        (without, ConnectOptions::new()),
    ] {
        let served = Served::new(limits).await;
        let mut client = Client::open(&served.url(), options);
        client.expect("opened polling").await;
        for _ in 0..3 {
            client.text("a");
            client.expect("a").await;
        }
        assert_eq!(client.ask(|outgoing| outgoing.transport()).await, TransportName::Polling);
    }
}

/// A server whose polls are answered with what the test says, and whose WebSockets the test opens.
struct ByHand {
    address: SocketAddr,
    polls: mpsc::UnboundedSender<String>,
    websockets: TcpListener,
    requests: Requests,
}

impl ByHand {
    async fn new() -> Self {
        let (listener, address) = listener().await;
        let (websockets, elsewhere) = super::listener().await;
        let (polls, answers) = mpsc::unbounded_channel();
        let (requests, answers) = (Requests::default(), Arc::new(Shared::new(answers)));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answers) = (seen.clone(), Arc::clone(&answers));
                tokio::spawn(async move { serve(stream, elsewhere, seen, answers).await });
            }
        });
        Self { address, polls, websockets, requests }
    }

    /// The same, and a client of it for which the upgrade is on.
    async fn with_client() -> (Self, Client) {
        let served = Self::new().await;
        served.answer(&open_packet("\"webtransport\",\"websocket\"", 25_000, 20_000));
        let mut client =
            Client::open(&format!("http://{}?x=1", served.address), ConnectOptions::new());
        client.expect("opened polling").await;
        (served, client)
    }

    fn answer(&self, body: &str) {
        self.polls.send(answer("200 OK", "", body)).unwrap();
    }

    fn posts(&self) -> Vec<String> {
        let all = self.requests.all().into_iter().filter(|it| it.starts_with("POST"));
        all.map(|it| it.split_once("\r\n\r\n").unwrap().1.to_owned()).collect()
    }

    async fn expect_post(&self, body: &str) {
        within(format!("a POST of {body:?}"), async {
            while !self.posts().iter().any(|it| it == body) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
}

async fn serve(
    mut stream: TcpStream,
    elsewhere: SocketAddr,
    seen: Requests,
    answers: Arc<Shared<mpsc::UnboundedReceiver<String>>>,
) -> Option<()> {
    while let Some(request) = read_request(&mut stream).await {
        seen.0.lock().push(request.clone());
        if header(&request, "upgrade").is_some() {
            let mut other = TcpStream::connect(elsewhere).await.ok()?;
            other.write_all(request.as_bytes()).await.ok()?;
            splice(&mut stream, &mut other).await;
            return None;
        }
        let raw = match request.starts_with("POST") {
            true => answer("200 OK", "", "ok"),
            false => answers.lock().await.recv().await?,
        };
        stream.write_all(raw.as_bytes()).await.ok()?;
    }
    None
}

#[tokio::test]
async fn an_upgrade_is_done_in_the_references_order() {
    let (served, mut client) = ByHand::with_client().await;
    let (mut stream, request) = raw_websocket(&served.websockets, "").await;
    assert!(request.contains("x=1&EIO=4&transport=websocket&sid=s1 "), "{request}");
    assert_eq!(read_frame(&mut stream).await, (0x81, b"2probe".to_vec()));
    // Until the probe is answered, polling goes on as ever.
    served.answer("4a");
    client.expect("a").await;
    client.text("b");
    served.expect_post("4b").await;
    stream.write_all(Frame::text(b"3probe").as_bytes()).await.unwrap();
    while client.ask(|outgoing| outgoing.is_writable()).await {}
    // Now nothing is sent, and the poll that waits is the last (C-021, C-022).
    client.text("c");
    client.ask(|_| ()).await;
    let blocked = stream.try_read(&mut [0; 8]).unwrap_err();
    assert_eq!(blocked.kind(), std::io::ErrorKind::WouldBlock);
    served.answer("4d\u{1e}6");
    client.expect("d").await;
    client.expect("upgraded websocket").await;
    assert_eq!(read_frame(&mut stream).await, (0x81, b"5".to_vec()));
    assert_eq!(read_frame(&mut stream).await, (0x81, b"4c".to_vec()));
    stream.write_all(Frame::text(b"4e").as_bytes()).await.unwrap();
    client.expect("e").await;
    assert_eq!(served.posts(), ["4b"]);
}

#[tokio::test]
async fn a_candidate_is_heard_while_the_application_takes_nothing() {
    let (served, mut client) = ByHand::with_client().await;
    let (mut stream, _) = raw_websocket(&served.websockets, "").await;
    assert_eq!(read_frame(&mut stream).await, (0x81, b"2probe".to_vec()));
    client.take_more(false);
    stream.write_all(Frame::text(b"3probe").as_bytes()).await.unwrap();
    while client.ask(|outgoing| outgoing.is_writable()).await {}
    served.answer("4a");
    client.ask(|_| ()).await;
    client.take_more(true);
    client.expect("a").await;
    client.expect("upgraded websocket").await;
    assert_eq!(read_frame(&mut stream).await, (0x81, b"5".to_vec()));
}

#[tokio::test]
async fn who_closes_during_an_upgrade_completes_it() {
    let (served, client) = ByHand::with_client().await;
    let (mut stream, _) = raw_websocket(&served.websockets, "").await;
    assert_eq!(read_frame(&mut stream).await, (0x81, b"2probe".to_vec()));
    stream.write_all(Frame::text(b"3probe").as_bytes()).await.unwrap();
    while client.ask(|outgoing| outgoing.is_writable()).await {}
    client.text("last");
    client.tell(|outgoing| outgoing.close());
    served.answer("6");
    assert_eq!(read_frame(&mut stream).await, (0x81, b"5".to_vec()), "C-026");
    assert_eq!(read_frame(&mut stream).await, (0x81, b"4last".to_vec()));
    assert_eq!(read_frame(&mut stream).await, (0x88, vec![]));
    drop(stream);
    assert_eq!(client.end().await.reason, CloseReason::ForcedClose);
}

#[tokio::test]
async fn a_session_goes_on_over_polling_if_the_websocket_does_not_open() {
    let (served, mut client) = ByHand::with_client().await;
    let (mut stream, _) = within("a probe", served.websockets.accept()).await.unwrap();
    read_request(&mut stream).await.unwrap();
    let refusal = answer("400 Bad Request", "connection: close\r\n", "Session ID unknown");
    stream.write_all(refusal.as_bytes()).await.unwrap();
    let told = "upgrade failed: probe error: the server answered 400: Session ID unknown";
    client.expect(told).await;
    client.text("a");
    served.expect_post("4a").await;
    client.tell(|outgoing| outgoing.close());
    assert_eq!(client.end().await.reason, CloseReason::ForcedClose);
    assert_eq!(served.posts(), ["4a", "1"]);
}

#[tokio::test]
async fn a_session_goes_on_over_polling_if_the_probe_is_answered_wrongly() {
    for (answer, told) in [
        (
            Frame::text(b"3"),
            "no WebSocket was opened: the WebSocket did not answer as a server should",
        ),
        (Frame::text(b"x"), "the server does not speak Engine.IO: unknown packet type 'x'"),
        (Frame::close(None, ""), "the server closed"),
    ] {
        let (served, mut client) = ByHand::with_client().await;
        let (mut stream, _) = raw_websocket(&served.websockets, "").await;
        assert_eq!(read_frame(&mut stream).await, (0x81, b"2probe".to_vec()));
        stream.write_all(answer.as_bytes()).await.unwrap();
        let event = client.next().await;
        assert!(event.starts_with("upgrade failed: ") && event.ends_with(told), "{event}");
        assert_eq!(read_frame(&mut stream).await.0, 0x88);
        assert!(client.ask(|outgoing| outgoing.is_open() && outgoing.is_writable()).await);
        served.answer("4still here");
        client.expect("still here").await;
    }
}

#[tokio::test]
async fn an_upgrade_is_remembered_by_its_manager() {
    let mut served = Served::new(EngineOptions::default()).await;
    let options = ConnectOptions::new().remember_upgrade(true);
    let dialer = dialer(&served.url(), options);
    let mut client = Client::of(dialer.clone());
    client.expect("opened polling").await;
    client.expect("upgraded websocket").await;
    client.text("close");
    assert_eq!(served.end().await, "forced close");
    client.end().await;
    let mut client = Client::of(dialer.clone());
    client.expect("opened websocket").await;
    client.tell(|outgoing| outgoing.close());
    client.end().await;
    let mut client = Client::of(dialer);
    client.expect("opened websocket").await;
}

use sockeye_proto::engine::{CloseReason, TransportName};
use sockeye_proto::websocket::Frame;

use super::peer::{Client, Served, open_packet, raw_websocket, read_frame};
use super::*;
use crate::engine::EngineOptions;

const POLLING: [TransportName; 1] = [TransportName::Polling];
const WEBSOCKET: [TransportName; 1] = [TransportName::WebSocket];

#[tokio::test]
async fn who_closes_sends_what_is_queued_and_a_goodbye() {
    for transports in [POLLING, WEBSOCKET] {
        let mut served = Served::new(EngineOptions::default()).await;
        let options = ConnectOptions::new().transports(transports);
        let mut client = Client::open(&served.url(), options);
        client.expect(&format!("opened {}", transports[0])).await;
        let long = "x".repeat(500_000);
        let sent = long.clone();
        client.tell(move |outgoing| {
            outgoing.send([Frame::text(format!("4{sent}").as_bytes()), Frame::text(b"4last")]);
            outgoing.close();
            outgoing.send([Frame::text(b"4never")]);
            assert!(!outgoing.is_open() && !outgoing.is_writable());
        });
        assert_eq!(served.end().await, "transport close");
        let ended = client.end().await;
        assert_eq!((ended.reason, ended.opened), (CloseReason::ForcedClose, true), "C-026");
        assert!(ended.error.is_none());
    }
}

#[tokio::test]
async fn everything_that_was_queued_arrives_before_the_end() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let mut client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = raw_websocket(&listener, "").await;
    let open = open_packet("", 25_000, 20_000);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    client.expect("opened websocket").await;
    client.text("a");
    client.text("b");
    client.tell(|outgoing| outgoing.close());
    assert_eq!(read_frame(&mut stream).await, (0x81, b"4a".to_vec()));
    assert_eq!(read_frame(&mut stream).await, (0x81, b"4b".to_vec()));
    assert_eq!(read_frame(&mut stream).await, (0x88, vec![]), "no code, as the reference");
    assert!(!client.task.is_finished(), "it waits for the answer");
    stream.write_all(Frame::close(None, "").as_bytes()).await.unwrap();
    assert_eq!(client.end().await.reason, CloseReason::ForcedClose);
}

#[tokio::test]
async fn closing_in_the_middle_of_everything_ends_it() {
    for options in [
        ConnectOptions::new(),
        ConnectOptions::new().transports(POLLING),
        ConnectOptions::new().transports(WEBSOCKET),
    ] {
        for pause in [0, 1, 2, 3, 5, 8, 13, 21] {
            let served = Served::new(EngineOptions::default()).await;
            let client = Client::open(&served.url(), options.clone());
            for _ in 0..pause * 3 {
                tokio::task::yield_now().await;
            }
            client.tell(|outgoing| outgoing.close());
            let ended = client.end().await;
            assert_eq!(ended.reason, CloseReason::ForcedClose, "{pause}");
        }
    }
}

#[tokio::test]
async fn a_server_that_closes_is_told_of() {
    for transports in [POLLING, WEBSOCKET] {
        let mut served = Served::new(EngineOptions::default()).await;
        let options = ConnectOptions::new().transports(transports);
        let mut client = Client::open(&served.url(), options);
        client.expect(&format!("opened {}", transports[0])).await;
        client.text("close");
        let ended = client.end().await;
        assert_eq!((ended.reason, ended.opened), (CloseReason::TransportClose, true));
        assert_eq!(served.end().await, "forced close");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let open = open_packet("", 40, 40);
    let (address, _) = answering(&[answer("200 OK", "", &open), answer("200 OK", "", "4a")]).await;
    let (silent, quiet) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = raw_websocket(&silent, "").await;
        stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    });
    let client =
        Client::open(&format!("http://{quiet}"), ConnectOptions::new().transports(WEBSOCKET));
    let begin = std::time::Instant::now();
    let ended = client.end().await;
    assert_eq!(ended.reason, CloseReason::PingTimeout, "C-023");
    assert!(ended.error.is_none());
    assert!(begin.elapsed() >= Duration::from_millis(80));
    // Here the third GET is not answered; the server hangs up.
    let client =
        Client::open(&format!("http://{address}"), ConnectOptions::new().transports(POLLING));
    let ended = client.end().await;
    assert_eq!(ended.reason, CloseReason::TransportError);
    assert!(ended.error.unwrap().to_string().starts_with("xhr poll error: the connection broke"));
}

#[tokio::test]
async fn who_breaks_the_rules_of_websocket_is_told_so() {
    let masked = b"\x81\x81\x01\x02\x03\x04\x33".to_vec();
    let text_of_no_utf_8 = b"\x81\x02\xff\xff".to_vec();
    let too_long = b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00".to_vec();
    for (bytes, code, told) in [
        (masked, 1002, "frame of a server is masked"),
        (text_of_no_utf_8, 1007, "text is not utf-8"),
        (too_long, 1009, "message of 4294967296 bytes or more; the limit is 1000"),
    ] {
        let (listener, address) = listener().await;
        let options = ConnectOptions::new().transports(WEBSOCKET).max_message_bytes(1000);
        let client = Client::open(&format!("http://{address}"), options);
        let (mut stream, _) = raw_websocket(&listener, "").await;
        let open = open_packet("", 25_000, 20_000);
        stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let (first, payload) = read_frame(&mut stream).await;
        assert_eq!((first, payload), (0x88, u16::to_be_bytes(code).to_vec()));
        let ended = client.end().await;
        assert_eq!(ended.reason, CloseReason::TransportError);
        assert_eq!(ended.error.unwrap().to_string(), format!("websocket error: {told}"));
    }
}

#[tokio::test]
async fn what_is_no_packet_ends_the_connection() {
    let open = open_packet("", 25_000, 20_000);
    for bytes in ["x", "", "b!", "é"] {
        let (listener, address) = listener().await;
        let options = ConnectOptions::new().transports(WEBSOCKET);
        let client = Client::open(&format!("http://{address}"), options);
        let (mut stream, _) = raw_websocket(&listener, "").await;
        stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
        stream.write_all(Frame::text(bytes.as_bytes()).as_bytes()).await.unwrap();
        assert_eq!(read_frame(&mut stream).await, (0x88, vec![]));
        let ended = client.end().await;
        assert_eq!(ended.reason, CloseReason::TransportError, "C-029: {bytes:?}");
        assert_eq!(ended.error.unwrap().message(), "server error");

        let answers =
            [answer("200 OK", "", &open), answer("200 OK", "", &format!("4a\x1e{bytes}\x1e4b"))];
        let (address, _) = answering(&answers).await;
        let options = ConnectOptions::new().transports(POLLING);
        let mut client = Client::open(&format!("http://{address}"), options);
        client.expect("opened polling").await;
        client.expect("a").await;
        let ended = client.end().await;
        assert_eq!((ended.reason, ended.opened), (CloseReason::TransportError, true));
        assert_eq!(ended.error.unwrap().message(), "server error");
    }
}

#[tokio::test]
async fn a_post_that_fails_ends_the_connection() {
    let open = open_packet("", 25_000, 20_000);
    let (polls, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = polls.accept().await {
            let open = open.clone();
            tokio::spawn(async move {
                while let Some(request) = read_request(&mut stream).await {
                    let raw = if request.starts_with("POST") {
                        answer("413 Payload Too Large", "", "")
                    } else if request.contains("sid=") {
                        std::future::pending().await
                    } else {
                        answer("200 OK", "", &open)
                    };
                    stream.write_all(raw.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let client =
        Client::open(&format!("http://{address}"), ConnectOptions::new().transports(POLLING));
    client.text("a");
    let ended = client.end().await;
    assert_eq!(ended.reason, CloseReason::TransportError);
    assert_eq!(
        ended.error.unwrap().to_string(),
        "xhr post error: the server answered 413",
        "C-030"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_of() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = raw_websocket(&listener, "").await;
    let open = open_packet("", 25_000, 20_000);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    stream.write_all(b"\x81\x054hal").await.unwrap();
    drop(stream);
    let ended = client.end().await;
    assert_eq!(ended.reason, CloseReason::TransportClose);
    assert_eq!(ended.error.unwrap().to_string(), "websocket error: the server closed");
}

#[tokio::test]
async fn nothing_of_a_dropped_connection_is_left() {
    // Between two polls a server sees nothing.
    let poll = &["transport error poll connection closed prematurely", "ping timeout"][..];
    for (transports, ends) in [
        (&POLLING[..], poll),
        (&WEBSOCKET, &["transport close"]),
        (&[POLLING[0], WEBSOCKET[0]], &["transport close"]),
    ] {
        let (ping_interval, ping_timeout) =
            (Duration::from_millis(100), Duration::from_millis(200));
        let options = EngineOptions { ping_interval, ping_timeout, ..EngineOptions::default() };
        let mut served = Served::new(options).await;
        let options = ConnectOptions::new().transports(transports.iter().copied());
        // The client's tasks are counted apart from the server's.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut client = {
            let _context = runtime.enter();
            Client::open(&served.url(), options)
        };
        client.expect(&format!("opened {}", transports[0])).await;
        if transports.len() == 2 {
            client.expect("upgraded websocket").await;
        }
        client.text("a");
        client.expect("a").await;
        client.task.abort();
        let end = served.end().await;
        assert!(ends.contains(&end.as_str()), "{end}");
        within("the end of all tasks", async {
            while runtime.metrics().num_alive_tasks() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        runtime.shutdown_background();
    }
}

#[tokio::test]
async fn a_ping_that_is_late_is_seen_before_the_timer_runs() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let mut client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = raw_websocket(&listener, "").await;
    let open = open_packet("", 1000, 500);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    client.expect("opened websocket").await;
    let expired = client.ask(|outgoing| {
        let before = outgoing.has_expired();
        // The thread is held up, as that of a machine that sleeps.
        std::thread::sleep(Duration::from_millis(1600));
        (before, outgoing.has_expired())
    });
    assert_eq!(expired.await, (false, true), "C-024");
    assert_eq!(client.end().await.reason, CloseReason::PingTimeout);
}

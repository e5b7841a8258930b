use std::sync::atomic::{AtomicUsize, Ordering};

use sockeye_proto::engine::{CloseReason, TransportName};
use sockeye_proto::websocket::{Frame, PerMessageDeflate};
use tokio::net::TcpStream;

use super::super::outbox::Sendable;
use super::peer::{Client, Served, digest, open_packet, raw_websocket, read_frame};
use super::*;
use crate::engine::EngineOptions;

const POLLING: [TransportName; 1] = [TransportName::Polling];
const WEBSOCKET: [TransportName; 1] = [TransportName::WebSocket];

/// Options for each way to connect, and what is told first.
fn ways() -> [(ConnectOptions, &'static [&'static str]); 3] {
    [
        (ConnectOptions::new().transports(POLLING), &["opened polling"]),
        (ConnectOptions::new().transports(WEBSOCKET), &["opened websocket"]),
        (ConnectOptions::new(), &["opened polling", "upgraded websocket"]),
    ]
}

#[tokio::test]
async fn messages_come_and_go_over_each_transport() {
    for (options, events) in ways() {
        let served = Served::new(EngineOptions::default()).await;
        let mut client = Client::open(&served.url(), options);
        for event in events {
            client.expect(event).await;
        }
        client.text("héllo");
        client.expect("héllo").await;
        client.text("");
        client.expect("").await;
        client.send([Frame::text(b"4a"), Frame::binary(&[0, 1, 255]), Frame::text(b"4b")]);
        client.expect("a").await;
        client.expect(&format!("{:?}", digest(&[0, 1, 255]))).await;
        client.expect("b").await;
        // What is sent while a message is handled.
        client.text("send one");
        client.expect("one").await;
    }
}

#[tokio::test]
async fn long_messages_come_and_go_over_each_transport() {
    let long: Vec<u8> = (0..900_000_u32).map(|place| b'a' + (place % 23) as u8).collect();
    let text = String::from_utf8(long.clone()).unwrap();
    for (options, events) in ways() {
        // As base64 it is a third longer.
        let limits = EngineOptions { max_http_buffer_size: 1_300_000, ..EngineOptions::default() };
        let served = Served::new(limits).await;
        let mut client = Client::open(&served.url(), options);
        for event in events {
            client.expect(event).await;
        }
        let frames = [Frame::text(format!("4{text}").as_bytes()), Frame::binary(&long)];
        client.send(frames.clone());
        client.send(frames);
        for _ in 0..2 {
            client.expect(&text).await;
            client.expect(&format!("{:?}", digest(&long))).await;
        }
        assert_eq!(client.ask(|outgoing| outgoing.buffered_bytes()).await, 0);
    }
}

#[tokio::test]
async fn what_is_queued_before_the_connection_is_open_is_sent_in_order() {
    for (options, events) in ways() {
        let served = Served::new(EngineOptions::default()).await;
        let mut client = Client::open(&served.url(), options);
        (0..20).for_each(|number| client.text(&number.to_string()));
        client.expect(events[0]).await;
        let mut next = 0;
        while next < 20 {
            let event = client.next().await;
            if event != "upgraded websocket" {
                assert_eq!(event, next.to_string());
                next += 1;
            }
        }
    }
}

#[tokio::test]
async fn a_post_has_no_more_than_the_server_takes() {
    let options = EngineOptions { max_http_buffer_size: 1000, ..EngineOptions::default() };
    let served = Served::new(options).await;
    let mut client = Client::open(&served.url(), ConnectOptions::new().transports(POLLING));
    client.expect("opened polling").await;
    let text = "x".repeat(300);
    let frames = vec![Frame::text(format!("4{text}").as_bytes()); 10];
    client.send(frames);
    for _ in 0..10 {
        client.expect(&text).await;
    }
}

#[tokio::test]
async fn binary_goes_as_text_if_that_was_asked_for() {
    for transports in [POLLING, WEBSOCKET] {
        let served = Served::new(EngineOptions::default()).await;
        let options = ConnectOptions::new().transports(transports).force_base64(true);
        let mut client = Client::open(&served.url(), options);
        client.expect(&format!("opened {}", transports[0])).await;
        client.send([Frame::binary(&[1, 2, 3])]);
        client.expect(&format!("{:?}", digest(&[1, 2, 3]))).await;
    }
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET).force_base64(true);
    let client = Client::open(&format!("http://{address}"), options);
    let (mut stream, request) = raw_websocket(&listener, "").await;
    assert!(request.lines().next().unwrap().contains("b64=1"), "C-011");
    let open = open_packet("", 25_000, 20_000);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    client.send([Frame::binary(&[1, 2, 3])]);
    assert_eq!(read_frame(&mut stream).await, (0x81, b"bAQID".to_vec()));
}

#[tokio::test]
async fn messages_are_compressed_if_both_ends_want_it() {
    let both = || {
        let both = PerMessageDeflate::new().client_context_takeover(true);
        // Where less is kept, messages that are longer than that are sent plain.
        both.server_context_takeover(true).context_bytes(32_768)
    };
    for (server, client, compressed) in [
        (Some(PerMessageDeflate::new()), PerMessageDeflate::new(), true),
        (Some(both()), both(), true),
        (Some(both()), PerMessageDeflate::new(), true),
        (None, both(), false),
    ] {
        let options = EngineOptions { per_message_deflate: server, ..EngineOptions::default() };
        let mut served = Served::new(options).await;
        let (relay, counted) = counting_relay(served.address).await;
        let options = ConnectOptions::new().per_message_deflate(client);
        let mut client = Client::open(&format!("http://{relay}"), options);
        client.expect("opened polling").await;
        client.expect("upgraded websocket").await;
        served.session().await;
        let before = counted.load(Ordering::SeqCst);
        let long = "again and ".repeat(10_000);
        for _ in 0..3 {
            client.text(&long);
            client.expect(&long).await;
            client.send([Frame::binary(long.as_bytes())]);
            client.expect(&format!("{:?}", digest(long.as_bytes()))).await;
        }
        let sent = counted.load(Ordering::SeqCst) - before;
        assert_eq!(sent < 50_000, compressed, "{sent}");
        // What must not be compressed is not, on its way there (C-050).
        let before = counted.load(Ordering::SeqCst);
        let frame = Frame::text(format!("4{long}").as_bytes());
        client.tell(|outgoing| outgoing.send([Sendable { frame, compress: false }]));
        client.expect(&long).await;
        assert!(counted.load(Ordering::SeqCst) - before >= long.len());
    }
}

/// Passes everything on to a server, and counts the bytes both ways.
async fn counting_relay(server: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, address) = listener().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (near, far) =
                (stream.into_split(), TcpStream::connect(server).await.unwrap().into_split());
            for (mut from, mut to) in [(near.0, far.1), (far.0, near.1)] {
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let mut bytes = [0; 8192];
                    while let Ok(length @ 1..) = from.read(&mut bytes).await {
                        count.fetch_add(length, Ordering::SeqCst);
                        to.write_all(&bytes[..length]).await.unwrap();
                    }
                });
            }
        }
    });
    (address, counted)
}

#[tokio::test]
async fn pings_are_answered_over_each_transport() {
    for (options, _) in ways() {
        let limits = EngineOptions {
            ping_interval: Duration::from_millis(30),
            ping_timeout: Duration::from_millis(500),
            ..EngineOptions::default()
        };
        let served = Served::new(limits).await;
        let mut client = Client::open(&served.url(), options);
        for _ in 0..8 {
            client.pinged().await;
        }
        assert!(client.ask(|outgoing| outgoing.is_open() && !outgoing.has_expired()).await);
    }
}

#[tokio::test]
async fn frames_of_websocket_itself_are_answered() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = raw_websocket(&listener, "").await;
    // Before OPEN too.
    stream.write_all(Frame::ping(b"abc").as_bytes()).await.unwrap();
    assert_eq!(read_frame(&mut stream).await, (0x8a, b"abc".to_vec()));
    client.text("queued");
    let open = open_packet("", 25_000, 20_000);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    assert_eq!(read_frame(&mut stream).await, (0x81, b"4queued".to_vec()));
    stream.write_all(Frame::pong(b"unasked").as_bytes()).await.unwrap();
    stream.write_all(Frame::text(b"2").as_bytes()).await.unwrap();
    assert_eq!(read_frame(&mut stream).await, (0x81, b"3".to_vec()));
    // Fragments, and a ping between them.
    stream.write_all(b"\x01\x012\x89\x01!\x80\x00").await.unwrap();
    assert_eq!(read_frame(&mut stream).await, (0x8a, b"!".to_vec()));
    assert_eq!(read_frame(&mut stream).await, (0x81, b"3".to_vec()));
    let close = Frame::close(sockeye_proto::websocket::CloseCode::new(1001), "bye");
    stream.write_all(close.as_bytes()).await.unwrap();
    assert_eq!(read_frame(&mut stream).await, (0x88, vec![0x03, 0xe9]));
    let ended = client.end().await;
    assert_eq!(ended.reason, CloseReason::TransportClose);
    assert_eq!(
        ended.error.unwrap().to_string(),
        "websocket error: the server closed with code 1001"
    );
}

#[tokio::test]
async fn masks_differ_from_frame_to_frame() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = raw_websocket(&listener, "").await;
    let open = open_packet("", 25_000, 20_000);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    client.send(vec![Frame::text(b"4"); 100]);
    let mut masks = std::collections::HashSet::new();
    for _ in 0..100 {
        let mut frame = [0; 7];
        within("a frame", stream.read_exact(&mut frame)).await.unwrap();
        masks.insert(<[u8; 4]>::try_from(&frame[2..6]).unwrap());
    }
    assert!(masks.len() > 95, "{masks:?}");
}

#[tokio::test]
async fn nothing_is_read_while_the_application_takes_nothing() {
    for transports in [POLLING, WEBSOCKET] {
        let limits = EngineOptions { max_buffered_bytes: 100 << 20, ..EngineOptions::default() };
        let mut served = Served::new(limits).await;
        let options = ConnectOptions::new().transports(transports);
        let mut client = Client::open(&served.url(), options);
        client.expect(&format!("opened {}", transports[0])).await;
        let session = served.session().await;
        client.take_more(false);
        client.ask(|_| ()).await;
        let long = "x".repeat(100_000);
        for number in 0..100 {
            session.send_text(&format!("{number} {long}")).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        client.ask(|_| ()).await;
        assert!(client.events_are_empty());
        client.take_more(true);
        for number in 0..100 {
            let event = client.next().await;
            assert!(event.starts_with(&format!("{number} ")), "{}", &event[..10]);
        }
    }
}

#[tokio::test]
async fn no_ping_is_late_while_the_application_takes_nothing() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let mut client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = raw_websocket(&listener, "").await;
    client.take_more(false);
    client.ask(|_| ()).await;
    client.take_more(true);
    let open = open_packet("", 250, 250);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    client.expect("opened websocket").await;
    client.take_more(false);
    stream.write_all(Frame::text(b"4waits").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let state = client.ask(|outgoing| (outgoing.is_open(), outgoing.has_expired()));
    assert_eq!(state.await, (true, false));
    client.take_more(true);
    client.expect("waits").await;
    // From now on the server is late again.
    assert_eq!(client.end().await.reason, CloseReason::PingTimeout);
}

#[tokio::test]
async fn what_the_server_does_not_read_waits() {
    let (listener, address) = listener().await;
    let options = ConnectOptions::new().transports(WEBSOCKET);
    let client = Client::open(&format!("http://{address}"), options);
    let (mut stream, _) = raw_websocket(&listener, "").await;
    let open = open_packet("", 25_000, 20_000);
    stream.write_all(Frame::text(open.as_bytes()).as_bytes()).await.unwrap();
    let frames: Vec<_> = (0..100).map(|byte| Frame::binary(&vec![byte; 200_000])).collect();
    let total: usize = frames.iter().map(|frame| frame.len() + 4).sum();
    client.send(frames);
    let mut state = (true, 0);
    while state != (false, state.1) || state.1 == 0 {
        state = client.ask(|it| (it.is_writable(), it.buffered_bytes())).await;
    }
    let mut taken = vec![0; total];
    within("everything", stream.read_exact(&mut taken)).await.unwrap();
    let mut place = 0;
    for byte in 0..100 {
        assert_eq!(taken[place..place + 2], [0x82, 0xff]);
        let key: [u8; 4] = taken[place + 10..place + 14].try_into().unwrap();
        let payload = &mut taken[place + 14..place + 200_014];
        sockeye_proto::websocket::mask(payload, key, 0);
        assert!(payload.iter().all(|it| *it == byte));
        place += 200_014;
    }
    within("room", async {
        while client.ask(|it| (it.is_writable(), it.buffered_bytes())).await != (true, 0) {}
    })
    .await;
}

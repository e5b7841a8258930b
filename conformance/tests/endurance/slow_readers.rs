//! Clients that read or answer more slowly than is sent to them, and those that send faster than
//! they are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use crate::support::{
    Client, Control, Packet, Server, all, bytes, figure, left, number, scale, within,
};

/// What may be queued for a client here, in bytes.
const LIMIT: u64 = 1024 * 1024;
const EVENT: usize = 8 * 1024;
/// Events that are sent before the fast readers are waited for: less than the limit.
const ROUND: usize = 32;

fn server() -> Server {
    Server::start(&["--max-buffered-bytes", "1048576"])
}

/// Reads numbered events; what it saw instead of the next one.
async fn read_in_order(mut client: Client, seen: Arc<AtomicUsize>) -> String {
    for number in 0.. {
        match client.next().await {
            Packet::Text(text) if text.starts_with(&format!("42[\"news\",{number},")) => {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            other => return format!("{other:?}"),
        }
    }
    String::new()
}

/// Reads a byte now and then.
async fn trickle(mut client: Client) {
    let mut byte = [0];
    while let Ok(1) = client.stream.read(&mut byte).await {
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_do_not_read_cost_their_limit_and_the_others_miss_nothing() {
    let (fast, slow) = (scale(60, 900), scale(8, 100));
    let server = server();
    let mut control = Control::of(&server).await;
    let seen = Arc::new(AtomicUsize::new(0));
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..fast {
        readers.spawn(read_in_order(Client::join(&server).await, Arc::clone(&seen)));
    }
    let mut stalled = Vec::new();
    for index in 0..slow {
        let client = Client::join_with_small_buffer(&server).await;
        if index % 4 == 0 {
            tokio::spawn(trickle(client));
        } else {
            stalled.push(client);
        }
    }
    let before = server.memory();
    let peak = server.watch_memory();
    let mut rounds = 0;
    while number(&control.numbers().await, "slow readers") < slow as u64 {
        let first = rounds * ROUND;
        control.ask("broadcast", &format!("{first},{ROUND},{EVENT}")).await;
        rounds += 1;
        let expected = rounds * ROUND * fast;
        within("the fast readers", async {
            while seen.load(Ordering::Relaxed) < expected && readers.try_join_next().is_none() {
                sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        assert_eq!(seen.load(Ordering::Relaxed), expected, "somebody missed something");
        assert!(rounds * ROUND * EVENT < 64 << 20, "the slow readers are still there");
    }
    let grown = peak.end().saturating_sub(before);
    let numbers = control.until("their end", |now| number(now, "sockets") == fast as u64 + 1).await;
    assert_eq!(left(&numbers, "transport error"), slow as u64);
    assert_eq!(number(&numbers, "rooms"), fast as u64 + 1, "they have left their rooms");
    let most = slow as u64 * LIMIT * 5 / 4 + (32 << 20);
    assert!(grown <= most, "grew by {}", bytes(grown));
    let events = rounds * ROUND;
    let text = format!(
        "{slow} of {} read nothing or a byte in 20 ms: disconnected; the others got all {events} events of 8 KiB; growth {}",
        fast + slow,
        bytes(grown)
    );
    ["B3", "B06"].iter().for_each(|id| figure(id, &text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_with_a_full_window_costs_its_limit_and_who_emits_is_told() {
    let server = server();
    let mut control = Control::of(&server).await;
    // What is needed for the first time in a process is not the reader's.
    for warm_up in [true, false] {
        let stalled = Client::join_with_small_buffer(&server).await;
        let before = server.memory();
        let peak = server.watch_memory();
        let answer = control.ask("flood", &format!("\"{}\",20000,2048", stalled.id)).await;
        let grown = peak.end().saturating_sub(before);
        assert!(answer["error"].is_string(), "{answer}");
        assert_eq!(answer["in a room"], false, "{answer}");
        control.until("its end", |now| number(now, "sockets") == 1).await;
        if warm_up {
            continue;
        }
        assert!(grown <= LIMIT * 3, "grew by {}", bytes(grown));
        let text = format!(
            "{} of 20 000 events of 2 KiB taken, then an error; out of its rooms {} µs later; growth {} at a limit of 1 MiB",
            answer["sent"],
            answer["microseconds"],
            bytes(grown)
        );
        ["B01", "B1"].iter().for_each(|id| figure(id, &text));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_no_longer_polls_costs_its_limit() {
    let server = server();
    let mut control = Control::of(&server).await;
    let polling = Client::poll(&server).await.expect("it is let in");
    let answer = control.ask("flood", &format!("\"{}\",20000,2048", polling.id)).await;
    assert!(answer["error"].is_string(), "{answer}");
    let sent = answer["sent"].as_u64().expect("a number") * 2048;
    assert!(sent <= LIMIT, "{answer}");
    control.until("its end", |now| number(now, "sockets") == 1).await;
    figure("B4", format!("{} queued of 1 MiB, then its end", bytes(sent)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_answers_costs_its_limit_of_questions() {
    let questions = scale(20_000, 1_000_000);
    let server = Server::start(&[]);
    let mut control = Control::of(&server).await;
    let mut silent = Client::join(&server).await;
    let answer = control.ask("ask", &format!("\"{}\",{questions}", silent.id)).await;
    assert_eq!(answer["waiting"], 10_000, "{answer}");
    assert_eq!(answer["refused"], questions - 10_000, "{answer}");
    silent.expect("420[\"question\"]").await;
    control.until("the questions", |now| number(now, "answers awaited") == 10_000).await;
    silent.reset();
    control.until("their end", |now| number(now, "answers awaited") == 0).await;
    let text = format!("{questions} asked: 10 000 wait, the others are an error; none is left");
    ["S10", "M4"].iter().for_each(|id| figure(id, &text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_faster_than_handlers_run_is_held_back_by_tcp() {
    const PAYLOAD: usize = 1024;
    let server = Server::start(&["--max-running-handlers", "64"]);
    let mut control = Control::of(&server).await;
    let (mut fast, mut other) = (Client::join(&server).await, Client::join(&server).await);
    let event = format!("42[\"slow\",\"{}\"]", "x".repeat(PAYLOAD));
    let before = server.memory();
    let peak = server.watch_memory();
    let mut sent = 0_u64;
    let flood = async {
        for _ in 0..scale(100_000, 1_000_000) {
            fast.try_send(&event).await.expect("the server takes it");
            sent += 1;
        }
    };
    // How long it is held back for is not what is looked at, but how far ahead it gets.
    let _ = timeout(Duration::from_secs(scale(2, 30) as u64), flood).await;
    let numbers = control.numbers().await;
    let ahead = sent.saturating_sub(number(&numbers, "begun")) * PAYLOAD as u64;
    let grown = peak.end().saturating_sub(before);
    assert!(number(&numbers, "running") <= 64, "{numbers}");
    assert!(ahead < 48 << 20, "the client is ahead by {}", bytes(ahead));
    assert!(grown < 16 << 20, "grew by {}", bytes(grown));
    for number in 0..100 {
        other.send(&format!("42{number}[\"echo\",{number}]")).await;
        other.expect(&format!("43{number}[{number}]")).await;
    }
    let text = format!(
        "{sent} events of 1 KiB sent, {} handlers begun, 64 at a time; {} ahead lie in the system's buffers; growth {}",
        number(&numbers, "begun"),
        bytes(ahead),
        bytes(grown)
    );
    ["B5", "S07"].iter().for_each(|id| figure(id, &text));
}

/// Requests that come byte by byte hold up nobody, and are ended in their time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_requests_hold_up_nobody_and_end_in_their_time() {
    let (slow, others) = (scale(60, 1_000), scale(60, 300));
    let body_timeout = scale(5_000, 30_000).to_string();
    let server = Server::start(&["--body-timeout", &body_timeout]);
    let mut control = Control::of(&server).await;
    control.numbers().await;
    let begun = std::time::Instant::now();
    let files = server.open_files();
    let address = server.address;
    let slow_ones = tokio::spawn(all(slow, move |index| async move {
        let mut slow = Client::connect(address, &crate::support::Transport { receives: None })
            .await
            .expect("the server listens");
        // Nothing, or a head without end, or a body.
        match index % 3 {
            0 => {}
            1 => {
                dribble(&mut slow, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nX: ").await
            }
            _ => {
                let open = slow.request("GET", "", "").await.expect("a session");
                let sid = open.split('"').nth(3).expect("an id");
                let path = format!("POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1");
                let head = format!("{path}\r\nHost: a\r\nContent-Length: 900000\r\n\r\n");
                slow.stream.write_all(head.as_bytes()).await.expect("it is read");
                dribble(&mut slow, "4").await;
            }
        }
        let mut byte = [0; 512];
        while let Ok(1..) = slow.stream.read(&mut byte).await {}
    }));
    let joined = all(others, move |_| {
        Client::try_join(address, &crate::support::Transport { receives: None })
    })
    .await;
    assert!(joined.iter().all(Result::is_ok), "somebody was held up");
    assert!(!slow_ones.is_finished());
    drop(joined);
    // The server ends each of them; nobody here does.
    within("the end of the slow requests", slow_ones).await.expect("no panic");
    within("their files", async {
        while server.open_files() > files {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let text = format!(
        "{slow} silent connections, heads and bodies without end; {others} others came in meanwhile; all slow ones were ended within {:.1} s (10 s for a head, {body_timeout} ms for a body)",
        begun.elapsed().as_secs_f64()
    );
    ["H2", "E16"].iter().for_each(|id| figure(id, &text));
}

/// Sends a byte now and then, until the other side has enough.
async fn dribble(client: &mut Client, start: &str) {
    for byte in start.bytes().chain(std::iter::repeat(b'x')) {
        if client.stream.write_all(&[byte]).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

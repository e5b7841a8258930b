//! Connections that take as much as they are given: handshakes that nothing follows, attachments that do
//! not come, pings without end, and one connection that has every limit full.

use std::io;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::{
    Client, Control, Server, Transport, all, bytes, figure, left, number, scale, within,
};

const DIRECT: Transport = Transport { receives: None };

/// The time in which a peer must take something: the default in the long tier.
fn write_timeout() -> Duration {
    Duration::from_millis(scale(1_000, 10_000) as u64)
}

fn server_with_write_timeout() -> Server {
    Server::start(&["--write-timeout", &write_timeout().as_millis().to_string()])
}

/// Until the server has ended the connection of a peer that takes nothing: how long that took.
async fn ended_in_time(control: &mut Control, begun: Instant) -> Duration {
    let told = |now: &_| left(now, "transport error") == 1;
    control.until("the end of who takes nothing", told).await;
    let time = begun.elapsed();
    let most = write_timeout() * 2 + Duration::from_secs(2);
    assert!(time <= most, "it took {time:?}");
    time
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_pings_and_takes_nothing_is_ended_by_the_time_for_writes() {
    let server = server_with_write_timeout();
    let mut control = Control::of(&server).await;
    let mut stalled = Client::join_with_small_buffer(&server).await;
    let begun = Instant::now();
    // Less than the limit of what may be queued, and more than the system takes.
    let answer = control.ask("flood", &format!("\"{}\",1800,2048", stalled.id)).await;
    assert_eq!(answer["sent"], 1800, "{answer}");
    let talking = tokio::spawn(async move {
        while stalled.try_send("3").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let time = ended_in_time(&mut control, begun).await;
    within("its end", talking).await.expect("no panic");
    let text = format!(
        "3.6 MB queued, pongs all the time: ended after {:.1} s, with a write time-out of {:?}",
        time.as_secs_f64(),
        write_timeout()
    );
    ["B2", "B03"].iter().for_each(|id| figure(id, &text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_without_end_from_who_reads_nothing_cost_one_answer_and_end_in_time() {
    let server = server_with_write_timeout();
    let mut control = Control::of(&server).await;
    let mut stalled = Client::join_with_small_buffer(&server).await;
    control.numbers().await;
    let before = server.memory();
    let peak = server.watch_memory();
    let begun = Instant::now();
    let flood = tokio::spawn(async move {
        let mut pings = 0_u64;
        while stalled.try_send_frame(0x89, &[1; 125]).await.is_ok() {
            pings += 1;
        }
        pings
    });
    let time = ended_in_time(&mut control, begun).await;
    let pings = within("its end", flood).await.expect("no panic");
    let grown = peak.end().saturating_sub(before);
    assert!(grown <= 1 << 20, "grew by {}", bytes(grown));
    let text = format!(
        "{pings} pings of 125 B, of which no answer was read: ended after {:.1} s, with a write time-out of {:?}; growth {}",
        time.as_secs_f64(),
        write_timeout(),
        bytes(grown)
    );
    ["V2", "W13"].iter().for_each(|id| figure(id, &text));
}

/// Sessions over polling, of which nothing more is heard: so many over each connection.
async fn handshakes(server: std::net::SocketAddr, count: usize) -> io::Result<()> {
    let mut polling = Client::connect(server, &DIRECT).await?;
    for _ in 0..count {
        let open = polling.request("GET", "", "").await?;
        if !open.starts_with("0{") {
            return Err(io::Error::other(open));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_nothing_follows_are_forgotten_in_time() {
    let (connections, each) = (10, scale(200, 10_000));
    let count = connections * each;
    // In the long tier the defaults, by which who joins nothing is told so, and may fetch that for half a
    // minute. In the short one the heartbeat is sooner, after which nobody is waited for.
    let timeout = scale(3_000, 45_000);
    let (interval, patience) = (scale(1_500, 25_000), timeout - scale(1_500, 25_000));
    let options =
        ["--ping-interval", &interval.to_string(), "--ping-timeout", &patience.to_string()];
    let server = Server::start(&options);
    let mut control = Control::of(&server).await;
    let before = control.numbers().await;
    let base = server.memory();
    let address = server.address;
    let begun = Instant::now();
    let outcomes = all(connections, move |_| handshakes(address, each)).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let opening = begun.elapsed();
    let open = number(&control.numbers().await, "sessions");
    let grown = server.memory().saturating_sub(base) / count as u64;
    assert!(open >= count as u64 / 2, "{open} are there");
    assert!(grown <= 8 << 10, "each costs {}", bytes(grown));
    control.until("their end", |now| now["held"] == before["held"]).await;
    figure(
        "H8",
        format!(
            "{count} handshakes in {:.1} s, {open} there at once, {} each; forgotten {:.1} s after the first, with a time-out of {timeout} ms",
            opening.as_secs_f64(),
            bytes(grown),
            begun.elapsed().as_secs_f64()
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_that_do_not_come_cost_what_has_come_and_end_in_time() {
    let count = scale(60, 1_000);
    let timeout = scale(1_000, 10_000).to_string();
    let server = Server::start(&["--attachment-timeout", &timeout]);
    let mut control = Control::of(&server).await;
    let before = control.numbers().await;
    let base = server.memory();
    let address = server.address;
    let begun = Instant::now();
    let ended = all(count, move |_| async move {
        let mut client = Client::try_join(address, &DIRECT).await?;
        let placeholder = r#"{"_placeholder":true,"num":"#;
        let event = format!(r#"452-["echo",{placeholder}0}},{placeholder}1}}]"#);
        client.try_send(&event).await?;
        client.try_send_frame(0x82, &[7; 10_000]).await?;
        client.idle().await;
        io::Result::Ok(())
    });
    let peak = server.watch_memory();
    assert!(ended.await.iter().all(Result::is_ok));
    let time = begun.elapsed();
    let grown = peak.end().saturating_sub(base) / count as u64;
    assert!(grown <= 64 << 10, "each costs {}", bytes(grown));
    let after = control.until("their end", |now| now["held"] == before["held"]).await;
    assert_eq!(left(&after, "forced close"), count as u64, "{after}");
    let text = format!(
        "{count} with one attachment of 10 kB of two: all ended after {:.1} s, with {timeout} ms without a byte allowed; {} each",
        time.as_secs_f64(),
        bytes(grown)
    );
    ["M6", "P04"].iter().for_each(|id| figure(id, &text));
}

/// What one connection may hold at the most, by SECURITY.md with the defaults.
const CEILING: u64 = 60_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_every_limit_full_costs_what_is_documented() {
    let server = Server::start(&[]);
    let mut control = Control::of(&server).await;
    let before = control.numbers().await;
    let base = server.memory();
    let mut greedy = Client::join_with_small_buffer(&server).await;
    // 63 namespaces, each with as much as may come with CONNECT.
    let auth = "x".repeat((64 << 10) - 10);
    for index in 0..63 {
        greedy.send(&format!("40/dynamic-{index},{{\"a\":\"{auth}\"}}")).await;
        greedy.expect("40/dynamic-").await;
    }
    // Events whose handlers do not end while it is there.
    let event = format!("42[\"hold\",\"{}\"]", "x".repeat(998_000));
    for _ in 0..16 {
        greedy.send(&event).await;
    }
    // An event with as many attachments as may be, the last of which does not end.
    let placeholders: Vec<_> =
        (0..10).map(|index| format!(r#"{{"_placeholder":true,"num":{index}}}"#)).collect();
    greedy.send(&format!("4510-[\"hold\",{}]", placeholders.join(","))).await;
    for _ in 0..9 {
        within("an attachment", greedy.try_send_frame(0x82, &[7; 999_000])).await.expect("taken");
    }
    within("a part", greedy.try_send_frame(0x02, &[7; 999_000])).await.expect("taken");
    control.until("the events", |now| number(now, "running") == 16).await;
    within("what was sent to be read", async {
        while server.memory().saturating_sub(base) < 26 << 20 {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // And as much to read as may wait, of which the system takes a part.
    let answer = control.ask("flood", &format!("\"{}\",2000,2048", greedy.id)).await;
    assert_eq!(answer["sent"], 2000, "{answer}");
    let grown = server.memory().saturating_sub(base);
    assert!(grown > 28 << 20, "only {}: it is not full", bytes(grown));
    assert!(grown <= CEILING, "grew by {}", bytes(grown));
    greedy.reset();
    control.until("its end", |now| now["held"] == before["held"]).await;
    let kept = server.memory().saturating_sub(base);
    figure("M2", format!("{} held, {} after its end", bytes(grown), bytes(kept)));
}

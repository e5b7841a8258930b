//! A process that stands still. That no wall clock is asked is shown where the sources are read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::support::{Client, Control, Packet, Server, figure, number, scale};

/// What the clients of a test have in common.
#[derive(Default)]
struct Shared {
    pings: AtomicUsize,
    pinged: Notify,
}

/// Answers each ping after a time, until the end.
async fn answer_late(mut client: Client, shared: Arc<Shared>) {
    client.answers = false;
    loop {
        match client.next().await {
            Packet::Text(text) if text == "2" => {
                shared.pings.fetch_add(1, Ordering::Relaxed);
                shared.pinged.notify_waiters();
                sleep(Duration::from_millis(300)).await;
                if client.try_send("3").await.is_err() {
                    return;
                }
            }
            Packet::Text(_) | Packet::Frame(_) => {}
            Packet::End => return,
        }
    }
}

/// While it stands still pings become due, and pongs arrive that are late by the clock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stood_still_loses_nobody_and_pings_nobody_twice() {
    let (count, seconds) = (scale(50, 1_000), scale(3, 20));
    let server = Server::start(&["--ping-interval", "1000", "--ping-timeout", "1000"]);
    let mut control = Control::of(&server).await;
    let shared = Arc::new(Shared::default());
    for _ in 0..count {
        let client = Client::join(&server).await;
        tokio::spawn(answer_late(client, Arc::clone(&shared)));
    }
    let before = control.numbers().await;
    // Some have a ping to answer now.
    let pinged = shared.pinged.notified();
    pinged.await;
    server.stand_still();
    sleep(Duration::from_secs(seconds as u64)).await;
    let pings = shared.pings.load(Ordering::Relaxed);
    server.go_on();
    let after = control.numbers().await;
    let burst = number(&after, "packets sent").saturating_sub(number(&before, "packets sent"));
    let target = pings + 2 * count;
    let now = Arc::clone(&shared);
    let waiting = async move {
        while now.pings.load(Ordering::Relaxed) < target {
            sleep(Duration::from_millis(20)).await;
        }
    };
    crate::support::within("two more pings of all", waiting).await;
    let after = control.numbers().await;
    assert_eq!(number(&after, "ping timeouts"), 0, "{after}");
    // The test has a socket too.
    assert_eq!(number(&after, "sockets"), count as u64 + 1, "{after}");
    // Each may have been pinged before, and once since; and the test was answered.
    assert!(burst <= 2 * count as u64 + 8, "{burst} packets to {count} clients");
    let text = format!(
        "stopped for {seconds} s with {count} clients whose pings and pongs were due: nobody was lost, {burst} packets were sent"
    );
    ["C2", "B08"].iter().for_each(|id| figure(id, &text));
}

//! A network that is slow and loses packets, seen from both ends: what TCP makes of that is delay. (Where a
//! network can be shaped, `tc qdisc add dev lo root netem` does the same to everything here.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use sockeye::client::{self, ClientBuilder};
use tokio::time::sleep;

use crate::support::{Control, Network, Relay, Server, figure, left, number, scale, within};

/// Clients, and how long they talk.
const CLIENTS: usize = 20;

/// A client that says numbers, each of which is answered, and awaits them all: how many.
async fn talk(url: String, long: Duration) -> u64 {
    let ends = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&ends);
    let socket = ClientBuilder::new(&url).build().expect("a URL");
    socket.on_disconnect(move |_: client::Socket, _: client::Disconnect| {
        counted.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    within("a connection", socket.connect().connected()).await.expect("it is let in");
    let begun = Instant::now();
    let mut answers = Vec::new();
    while begun.elapsed() < long {
        let number = answers.len() as u64;
        answers.push(tokio::spawn(socket.emit_with_ack::<u64>("number", number).into_future()));
        sleep(Duration::from_millis(20)).await;
    }
    let answers = within("all answers", join_all(answers)).await;
    for (number, answer) in (0..).zip(&answers) {
        let answer = answer.as_ref().expect("no panic").as_ref();
        assert_eq!(answer.ok(), Some(&number), "{answer:?}");
    }
    assert_eq!(ends.load(Ordering::Relaxed), 0, "it was disconnected");
    answers.len() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_with_delays_and_losses_loses_no_event_and_ends_no_connection() {
    let seconds = scale(3, 120);
    let long = Duration::from_secs(seconds as u64);
    let server = Server::start(&["--ping-interval", "1000", "--ping-timeout", "2000"]);
    let mut control = Control::of(&server).await;
    let relay = Relay::over(Network::Bad, server.address).await;
    let url = format!("http://{}/", relay.address);
    let talking: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(talk(url.clone(), long))).collect();
    let mut events = 0;
    for talking in talking {
        events += talking.await.expect("no panic");
    }
    let numbers = control.numbers().await;
    assert_eq!(number(&numbers, "opened"), CLIENTS as u64 + 1, "{numbers}");
    assert_eq!(left(&numbers, "ping timeout"), 0, "{numbers}");
    figure(
        "G4",
        format!(
            "{CLIENTS} clients for {seconds} s over 10 to 30 ms and 2 % lost, with upgrade: {events} events, each answered, nobody disconnected"
        ),
    );
}

//! Connections of which nothing arrives any more, and those that end half, or at once.

use std::time::Duration;

use sockeye::client;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::support::{
    Client, Control, Relay, Server, Transport, all, figure, left, number, scale, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_which_nothing_arrives_are_found_by_the_heartbeat() {
    // So many clients on a busy machine need more time to answer.
    let (count, heartbeat) = (scale(60, 1_000), scale(500, 5_000));
    let time = heartbeat.to_string();
    let server = Server::start(&["--ping-interval", &time, "--ping-timeout", &time]);
    let mut control = Control::of(&server).await;
    let relay = Relay::to(server.address).await;
    let before = control.numbers().await;
    let files = server.open_files();
    let address = relay.address;
    let clients =
        all(count, move |_| Client::try_join(address, &Transport { receives: None })).await;
    let clients = clients.into_iter().map(|client| client.expect("it is let in"));
    let idle: Vec<_> = clients.map(|client| tokio::spawn(client.idle())).collect();
    let heard = |now: &_| number(now, "packets received") > 3 * count as u64;
    let whole = control.until("a heartbeat of all", heard).await;
    assert_eq!(left(&whole, "ping timeout"), 0, "before the cut: {whole}");
    assert_eq!(number(&whole, "sockets"), count as u64 + 1, "{whole}");
    let cut = std::time::Instant::now();
    relay.cut();
    let told = |now: &_| left(now, "ping timeout") == count as u64;
    control.until("that the program is told", told).await;
    let noticed = cut.elapsed();
    let after = control.until("their end", |now| now["held"] == before["held"]).await;
    assert_eq!(left(&after, "ping timeout"), count as u64, "{after}");
    within("their files", async {
        while server.open_files() > files {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let time = cut.elapsed();
    assert!(idle.iter().all(|client| !client.is_finished()), "nobody was told");
    let text = format!(
        "{count} connections cut without a word, heartbeat {heartbeat} + {heartbeat} ms: all ended by ping timeout after {:.1} s, files and counters as before after {:.1} s",
        noticed.as_secs_f64(),
        time.as_secs_f64()
    );
    ["G1", "B04", "B02"].iter().for_each(|id| figure(id, &text));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_whose_server_is_silent_finds_out_by_its_timer() {
    let server = Server::start(&["--ping-interval", "500", "--ping-timeout", "500"]);
    let relay = Relay::to(server.address).await;
    let socket = client::connect(&format!("http://{}/", relay.address));
    let socket = within("a connection", socket).await.expect("a connection");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    socket.on_disconnect(move |_: client::Socket, end: client::Disconnect| {
        // The test may be over.
        let _ = tell.send(end.reason());
        async {}
    });
    let cut = std::time::Instant::now();
    relay.cut();
    let reason = within("its end", told.recv()).await;
    assert_eq!(reason, Some(client::DisconnectReason::PingTimeout));
    figure("G2", format!("ping timeout after {:.1} s (500 + 500 ms)", cut.elapsed().as_secs_f64()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_of_every_kind_free_everything_and_cost_no_work_afterwards() {
    let count = scale(120, 4_000);
    let server = Server::start(&[]);
    let mut control = Control::of(&server).await;
    let before = control.numbers().await;
    let files = server.open_files();
    let address = server.address;
    let ends = all(count, move |index| async move {
        let mut client = Client::try_join(address, &Transport { receives: None }).await?;
        match index % 4 {
            0 => drop(client),
            1 => {
                client.stream.shutdown().await?;
                client.idle().await;
            }
            2 => client.reset(),
            // The server is writing when the reset comes.
            _ => {
                for _ in 0..20 {
                    client.try_send(&format!("421[\"echo\",\"{}\"]", "x".repeat(4096))).await?;
                }
                client.reset();
            }
        }
        std::io::Result::Ok(())
    });
    assert!(ends.await.iter().all(Result::is_ok));
    let after = control.until("their end", |now| now["held"] == before["held"]).await;
    within("their files", async {
        while server.open_files() > files {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let left = left(&after, "transport close") + left(&after, "transport error");
    assert_eq!(left, count as u64, "{after}");
    let worked = server.worked();
    sleep(Duration::from_secs(1)).await;
    let worked = server.worked() - worked;
    assert!(worked < Duration::from_millis(500), "it worked for {worked:?} of a second");
    let text = format!(
        "{count} by FIN, half-close, RST, and RST while the server writes; everything is free, and then {} ms of work in a second",
        worked.as_millis()
    );
    ["G3", "B05"].iter().for_each(|id| figure(id, &text));
}

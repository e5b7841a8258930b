//! Storms of clients, and a server that may open no more files.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::support::{
    Client, Control, Server, Transport, all, bytes, figure, number, scale, within,
};

async fn join(address: SocketAddr) -> io::Result<Client> {
    Client::try_join(address, &Transport { receives: None }).await
}

/// How many clients this process may have, with some files for itself.
fn clients(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = files.and_then(|files| files.split_whitespace().next()?.parse().ok());
    wanted.min(files.unwrap_or(1024_usize).saturating_sub(200))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_back_all_at_once_are_all_let_in() {
    let count = clients(scale(400, 10_000));
    let server = Server::start(&[]);
    let mut control = Control::of(&server).await;
    let before = control.numbers().await;
    let base = server.memory();
    let address = server.address;
    let mut idle = 0;
    for round in 0..2 {
        let start = Instant::now();
        let joined = all(count, move |_| join(address)).await;
        let time = start.elapsed();
        let refused = joined.iter().filter(|client| client.is_err()).count();
        assert_eq!(refused, 0, "of {count}");
        control.until("all of them", |now| number(now, "sockets") >= count as u64).await;
        if round == 0 {
            idle = server.memory().saturating_sub(base);
        }
        let each = idle / count as u64;
        let when = if round == 0 { "at once" } else { "again, while the server forgets them" };
        let text =
            format!("{count} clients {when}: all in after {:.1} s, no error", time.as_secs_f64());
        figure(if round == 0 { "N1" } else { "N2" }, text);
        figure(
            "M1",
            format!("{count} idle WebSockets in `/` with two rooms: {} each", bytes(each)),
        );
    }
    control.until("their end", |now| now["held"] == before["held"]).await;
    let kept = server.memory().saturating_sub(base);
    let text =
        format!("{} with {count} clients, {} after the last of them", bytes(idle), bytes(kept));
    figure("N4", text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_files_left_accepting_waits_and_nobody_else_notices() {
    const LIVE: usize = 40;
    const MORE: usize = 300;
    let server = Server::with_open_files(Some(128), &[]);
    let mut control = Control::of(&server).await;
    let address = server.address;
    let live = all(LIVE, move |_| join(address)).await;
    let mut live: Vec<_> = live.into_iter().map(|client| client.expect("it is let in")).collect();
    let (go, gone) = watch::channel(false);
    let waiting = tokio::spawn(all(MORE, move |_| {
        let mut gone = gone.clone();
        async move {
            let client = join(address).await?;
            // Stays until it may go.
            let _ = gone.wait_for(|gone| *gone).await;
            drop(client);
            io::Result::Ok(())
        }
    }));
    within("no file left", async {
        while server.open_files() < 128 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let worked = server.worked();
    let seconds = scale(1, 5) as u32;
    sleep(Duration::from_secs(seconds.into())).await;
    let worked = server.worked() - worked;
    assert!(worked < Duration::from_millis(400) * seconds, "it worked for {worked:?}");
    for client in &mut live {
        client.send("421[\"echo\",7]").await;
        client.expect("431[7]").await;
    }
    let inside = number(&control.numbers().await, "sockets") as usize;
    assert!(inside < LIVE + MORE, "all {MORE} fit: nothing was tried");
    go.send(true).expect("they wait");
    let outcomes = within("all of them", waiting).await.expect("no panic");
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(refused.is_empty(), "{} were not let in: {:?}", refused.len(), refused.first());
    let text = format!(
        "128 files, {LIVE} clients and {MORE} more: {} had to wait, the others went on, {} ms of work in {seconds} s; then all came in",
        LIVE + MORE - inside.min(LIVE + MORE),
        worked.as_millis()
    );
    ["M7", "B09"].iter().for_each(|id| figure(id, &text));
}

//! The namespace of the test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use sockeye::{Data, OwnedArguments, Server};

use crate::numbers::Numbers;

pub(crate) fn add(io: &Server, numbers: &Arc<Numbers>) {
    let (told, server) = (Arc::clone(numbers), io.clone());
    let (broadcasting, flooding, asking, putting) =
        (io.clone(), io.clone(), io.clone(), io.clone());
    io.of("/control")
        .on("numbers", move || {
            let numbers = told.tell(&server);
            async move { numbers }
        })
        .on("broadcast", move |Data((first, count, bytes)): Data<(u64, u64, usize)>| {
            broadcast(&broadcasting, first, count, bytes);
            async {}
        })
        .on("flood", move |Data((id, count, bytes)): Data<(String, u64, usize)>| {
            flood(flooding.clone(), id, count, bytes)
        })
        .on("ask", move |Data((id, count)): Data<(String, u64)>| {
            let answer = ask(&asking, &id, count);
            async move { answer }
        })
        .on("put all out", move || {
            putting.of("/").disconnect_sockets(true);
            async {}
        });
}

/// Numbered events for everybody.
fn broadcast(io: &Server, first: u64, count: u64, bytes: usize) {
    let payload = "x".repeat(bytes);
    for number in first..first + count {
        // Who does not get it shows itself by its end.
        let _ = io.to("all").emit("news", (number, &payload));
    }
}

/// Events for one socket until it cannot be sent any more, and how long it is in its rooms then.
async fn flood(io: Server, id: String, count: u64, bytes: usize) -> Json {
    let sockets = io.sockets();
    let Some(socket) = sockets.into_iter().find(|socket| socket.id() == id) else {
        return json!({"sent": 0, "error": "no such socket"});
    };
    let payload = "x".repeat(bytes);
    let (mut sent, mut error) = (0, None);
    while sent < count && error.is_none() {
        match socket.emit("flood", &payload) {
            Ok(()) => sent += 1,
            Err(refused) => error = Some(refused.to_string()),
        }
    }
    let start = Instant::now();
    let is_in = || io.to("all").sockets().contains(&socket);
    while error.is_some() && is_in() && start.elapsed() < Duration::from_secs(30) {
        tokio::task::yield_now().await;
    }
    let microseconds = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    json!({"sent": sent, "error": error, "in a room": is_in(), "microseconds": microseconds})
}

/// Questions for one socket, all of them waiting at once.
fn ask(io: &Server, id: &str, count: u64) -> Json {
    let sockets = io.sockets();
    let Some(socket) = sockets.iter().find(|socket| socket.id() == id) else {
        return json!({"error": "no such socket"});
    };
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for _ in 0..count {
        let mut question = Box::pin(
            socket
                .emit_with_ack::<OwnedArguments>("question", ())
                .timeout(Duration::from_secs(600))
                .into_future(),
        );
        match futures_util::FutureExt::now_or_never(&mut question) {
            Some(_) => refused += 1,
            None => waiting.push(question),
        }
    }
    let asked = waiting.len();
    tokio::spawn(futures_util::future::join_all(waiting));
    json!({"waiting": asked, "refused": refused})
}

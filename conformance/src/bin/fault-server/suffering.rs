//! The namespaces of the clients that misbehave.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sockeye::{Data, DisconnectReason, OwnedArguments, Server, Socket};

use crate::numbers::Numbers;

pub(crate) fn add(io: &Server, numbers: &Arc<Numbers>) {
    let (leaving, beginning) = (Arc::clone(numbers), Arc::clone(numbers));
    io.of("/")
        .on_connect(async |socket: Socket| {
            socket.join(["all".to_owned(), format!("of {}", socket.id())])
        })
        .on_disconnect(move |reason: DisconnectReason| {
            leaving.left(reason);
            async {}
        })
        .on("echo", async |arguments: OwnedArguments| arguments)
        // A handler that its client does not wait for.
        .on("wait", async |Data(milliseconds): Data<u64>| {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        })
        .on("slow", move |Data(_): Data<String>| {
            beginning.begun.fetch_add(1, Ordering::Relaxed);
            async { tokio::time::sleep(Duration::from_millis(20)).await }
        })
        // One that keeps its event while its client is there.
        .on("hold", async |socket: Socket, _held: OwnedArguments| {
            while socket.is_connected() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .on("number", async |Data(number): Data<u64>| number)
        // A question that its client need not answer.
        .on("ask me", async |socket: Socket| {
            let question = socket.emit_with_ack::<OwnedArguments>("question", ());
            // That there is no answer is what is tried.
            let _ = question.timeout(Duration::from_secs(600)).await;
        })
        .on("put me out", async |socket: Socket| socket.disconnect(true));
    io.of("/gate").middleware(pending);
    io.of_matching(|name| name.starts_with("/dynamic-"));
}

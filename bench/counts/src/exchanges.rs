//! What clients ask for: a batch of packets in one write, and everything that comes for it, over and
//! over. So the server reads each batch at once, and it is always the same batch.

use std::hint::black_box;

use sockeye::{Data, OwnedArguments, Socket};

use crate::client::{replies, requests};
use crate::codec::{EVENT, Said};
use crate::{Serving, Work};

/// What a batch is, and of how many operations it consists.
struct Batch {
    requests: Vec<String>,
    replies: Vec<String>,
    operations: u64,
}

fn exchange(serving: Serving, batch: &Batch) -> Work {
    let (request, reply) = (requests(&batch.requests), replies(&batch.replies));
    let operations = batch.operations;
    let mut client = serving.join(1).0.remove(0);
    Box::new(move |times| {
        serving.during(|| {
            for _ in 0..times.div_ceil(operations) {
                client.write(&request);
                let got = client.read(reply.len());
                assert!(got == reply, "not the answers: {}", got.escape_ascii());
            }
        });
    })
}

fn named(event: &str, bytes: usize) -> String {
    format!(r#"42["{event}","{}"]"#, "x".repeat(bytes))
}

pub(crate) fn echo(bytes: usize, in_flight: u64) -> Work {
    let serving = Serving::new(|io| {
        io.of("/").on("echo", async |socket: Socket, arguments: OwnedArguments| {
            let _ = socket.emit("echo", arguments);
        });
    });
    let packets = vec![named("echo", bytes); in_flight as usize];
    exchange(serving, &Batch { requests: packets.clone(), replies: packets, operations: in_flight })
}

pub(crate) fn acknowledge(bytes: usize, in_flight: u64) -> Work {
    let serving = Serving::new(|io| {
        io.of("/").on("ask", async |arguments: OwnedArguments| arguments);
    });
    let text = "x".repeat(bytes);
    let requests = (0..in_flight).map(|id| format!(r#"42{id}["ask","{text}"]"#)).collect();
    let replies = (0..in_flight).map(|id| format!(r#"43{id}["{text}"]"#)).collect();
    exchange(serving, &Batch { requests, replies, operations: in_flight })
}

/// Events that nobody answers but the last.
pub(crate) fn typed() -> Work {
    const EVENTS: usize = 64;
    let serving = Serving::new(|io| {
        io.of("/").on("message", async |Data(said): Data<(u64, Said)>| {
            black_box(said);
        });
    });
    let mut requests = vec![format!("4{EVENT}"); EVENTS];
    requests[EVENTS - 1].insert(2, '0');
    let replies = vec!["430[]".to_owned()];
    exchange(serving, &Batch { requests, replies, operations: EVENTS as u64 })
}

/// One event, for which a handler emits several.
pub(crate) fn burst() -> Work {
    const EVENTS: usize = 8;
    let serving = Serving::new(|io| {
        io.of("/").on("burst", async |socket: Socket| {
            for number in 0..EVENTS {
                let _ = socket.emit("news", number);
            }
        });
    });
    let requests = vec![r#"42["burst"]"#.to_owned()];
    let replies = (0..EVENTS).map(|number| format!(r#"42["news",{number}]"#)).collect();
    exchange(serving, &Batch { requests, replies, operations: 1 })
}

//! What a program does of its own accord, outside of any handler: each event is written at once.

use std::hint::black_box;

use sockeye::Socket;

use crate::client::replies;
use crate::{Client, Serving, Work};

/// Clients read after so many events, which fit into any socket's buffer.
const READ_AFTER: u64 = 64;
const TEXT: &str = "Good morning, everybody";

/// Does `send` over and over, and has the clients read what is sent.
fn sending(serving: Serving, mut clients: Vec<Client>, mut send: impl FnMut() + 'static) -> Work {
    let reply = replies(&[format!(r#"42["news","{TEXT}"]"#)]);
    Box::new(move |times| {
        let mut left = times;
        while left > 0 {
            let round = left.min(READ_AFTER);
            (0..round).for_each(|_| send());
            let awaited = reply.repeat(round as usize);
            // Not on this thread: reading is not what is counted.
            serving.during(|| {
                for client in &mut clients {
                    assert!(client.read(awaited.len()) == awaited, "not what was sent");
                }
            });
            left -= round;
        }
    })
}

pub(crate) fn emit() -> Work {
    let serving = Serving::new(|_| {});
    let (clients, sockets) = serving.join(1);
    sending(serving, clients, move || {
        let sent = sockets[0].emit("news", black_box(TEXT));
        sent.expect("the socket is connected");
    })
}

pub(crate) fn broadcast(receivers: usize) -> Work {
    let serving = Serving::new(|_| {});
    let (clients, sockets) = serving.join(receivers);
    let namespace = sockets[0].namespace().clone();
    sending(serving, clients, move || {
        namespace.emit("news", black_box(TEXT)).expect("it can be written");
    })
}

pub(crate) fn join_and_leave(others: usize) -> Work {
    const ROOM: &str = "lobby";
    let serving = Serving::new(|_| {});
    let (clients, sockets) = serving.join(others + 1);
    let newcomer: Socket = sockets[others].clone();
    sockets[..others].iter().for_each(|socket| socket.join(ROOM));
    Box::new(move |times| {
        // They stay connected.
        let _ = (&serving, &clients);
        for _ in 0..times {
            newcomer.join(black_box(ROOM));
            newcomer.leave(black_box(ROOM));
        }
    })
}

//! The chat in a terminal: talks to the server of the `chat` example, as its page does.
//!
//! ```text
//! cargo run --release --example chat                          # the server
//! cargo run --example terminal_chat -- Ada                    # in a second terminal
//! cargo run --example terminal_chat -- Bob lobby http://127.0.0.1:3000
//! ```
//!
//! Lines that are typed are sent. While one ends with `\`, it goes on in the next, and the others see
//! that somebody is typing. Ctrl-D leaves.

#![expect(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sockeye::client::{self, Socket, SocketEvent};
use sockeye::{AcknowledgementError, Data};
use tokio::sync::mpsc;

/// Time that the server has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    match chat().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn chat() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let nickname = arguments.next().ok_or("usage: terminal_chat NICKNAME [ROOM [URL]]")?;
    let room = arguments.next().unwrap_or_else(|| "lobby".into());
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:3000".into());

    let socket = client::connect(&url).await?;
    print_what_others_do(&socket);
    let seat = Seat { nickname, room, key: getrandom::u64()?.to_string() };
    join(&socket, &seat).await?;

    let mut events = socket.events();
    let mut lines = typed_lines();
    let mut message = String::new();
    loop {
        tokio::select! {
            event = events.next() => match event {
                // Back after a disconnection: the server has to be told who this is.
                Some(SocketEvent::Connect { .. }) => join(&socket, &seat).await?,
                Some(SocketEvent::Disconnect(why)) => println!("* disconnected: {why}"),
                Some(_) => {}
                None => return Err("The server does not want us any more.".into()),
            },
            // While there is no connection, lines wait in the terminal.
            line = lines.recv(), if socket.is_connected() => {
                let Some(line) = line else { return Ok(()) };
                message += line.strip_suffix('\\').unwrap_or(&line);
                if line.ends_with('\\') {
                    message.push('\n');
                    // Who misses this misses nothing.
                    let _ = socket.volatile().emit("typing", true);
                } else {
                    say(&socket, &std::mem::take(&mut message)).await;
                }
            }
        }
    }
}

fn print_what_others_do(socket: &Socket) {
    socket
        .on("message", async |Data(message): Data<Message>| print_message(&message))
        .on("notice", async |Data(notice): Data<Notice>| println!("* {}", notice.text))
        .on("typing", async |Data(typing): Data<Typing>| {
            if typing.typing {
                println!("* {} is typing", typing.nickname);
            }
        });
}

fn print_message(Message { nickname, text }: &Message) {
    println!("{nickname}: {}", text.replace('\n', "\n    "));
}

async fn join(socket: &Socket, seat: &Seat) -> Result<(), Box<dyn Error>> {
    match socket.emit_with_ack("join", seat).timeout(PATIENCE).await {
        Ok(Reply::Done(Joined { online, history })) => {
            history.iter().for_each(print_message);
            println!("* in {} with {}", seat.room, online.join(", "));
            Ok(())
        }
        Ok(Reply::Refused { error }) => Err(error.into()),
        // There will be another connection, and another join.
        Err(AcknowledgementError::Disconnected) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn say(socket: &Socket, text: &str) {
    match socket.emit_with_ack("message", text).timeout(PATIENCE).await {
        Ok(Reply::Done(IgnoredAny)) => {}
        Ok(Reply::Refused { error }) => println!("* not said: {error}"),
        Err(error) => println!("* perhaps not said: {error}"),
    }
}

/// The terminal is read by a thread of its own, because a read cannot be cancelled.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        std::io::stdin()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.blocking_send(line))
    });
    lines
}

/// Who we are and where. The key proves after a reconnection that the seat is ours.
#[derive(Serialize)]
struct Seat {
    nickname: String,
    room: String,
    key: String,
}

/// An acknowledgement of the chat.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reply<T> {
    Refused { error: String },
    Done(T),
}

#[derive(Deserialize)]
struct Joined {
    online: Vec<String>,
    history: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    nickname: String,
    text: String,
}

#[derive(Deserialize)]
struct Notice {
    text: String,
}

#[derive(Deserialize)]
struct Typing {
    nickname: String,
    typing: bool,
}

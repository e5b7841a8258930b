//! A bot that is written from top to bottom: it asks, answers, and asks back while it answers.
//!
//! ```text
//! cargo run --example bot                             # against a server that it starts itself
//! cargo run --example bot -- http://127.0.0.1:3000    # against one that is there
//! ```

#![expect(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::time::Duration;

use sockeye::client::{self, Socket, SocketEvent};
use sockeye::{Acknowledgement, AcknowledgementError, Data, Server};
use tokio::net::TcpListener;

/// Time that the server has to answer a question.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => start_server().await?,
    };
    let socket = client::connect(&url).await?;
    let mut events = socket.events();

    let greeting: String = socket.emit_with_ack("hello", "calculator").timeout(PATIENCE).await?;
    println!("bot:    was greeted with {greeting:?}");

    // While the bot is busy with one event, the next ones wait.
    while let Some(event) = events.next().await {
        match event {
            SocketEvent::Event(mut event) if event.name() == "question" => {
                let question: String = event.decode()?;
                let answer = calculate(&socket, &question).await;
                if let Some(acknowledgement) = event.take_acknowledgement() {
                    acknowledgement.send(answer)?;
                }
            }
            SocketEvent::Event(event) => println!("bot:    does not know {:?}", event.name()),
            SocketEvent::Disconnect(why) => println!("bot:    disconnected: {why}"),
            _ => {}
        }
    }
    Ok(())
}

/// Multiplies two factors. What is no number the server may know.
async fn calculate(socket: &Socket, question: &str) -> String {
    let mut product = 1;
    for factor in question.split(" * ") {
        let value = match factor.parse() {
            Ok(number) => Ok(number),
            Err(_) => socket.emit_with_ack::<i64>("value", factor).timeout(PATIENCE).await,
        };
        match value {
            Ok(value) => product *= value,
            Err(AcknowledgementError::TimedOut) => return format!("nobody knows {factor:?}"),
            Err(error) => return format!("{factor:?}: {error}"),
        }
    }
    product.to_string()
}

/// A server that greets, tells what a dozen is, and has three questions.
async fn start_server() -> Result<String, Box<dyn Error>> {
    let io = Server::new();
    io.of("/")
        .on("hello", async |Data(name): Data<String>| format!("Hello, {name}!"))
        .on("value", async |Data(name): Data<String>, acknowledgement: Option<Acknowledgement>| {
            // Whoever asks for anything else waits in vain.
            if let Some(acknowledgement) = acknowledgement.filter(|_| name == "dozen") {
                let _ = acknowledgement.send(12);
            }
        })
        .on_connect(ask);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { io.serve(listener).await });
    Ok(url)
}

async fn ask(socket: sockeye::Socket) {
    socket.emit("weather", "fine").ok();
    for question in ["6 * 7", "2 * dozen", "3 * unicorn"] {
        match socket.emit_with_ack::<String>("question", question).timeout(3 * PATIENCE).await {
            Ok(answer) => println!("server: {question} = {answer}"),
            Err(error) => println!("server: {question} remains open: {error}"),
        }
    }
    socket.disconnect(false);
}

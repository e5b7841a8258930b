//! Echoes WebSocket messages, in either role, with the codec of `sockeye_proto`: what Autobahn's test
//! suite talks to.
//!
//! ```text
//! websocket-echo server 127.0.0.1:9002            until it is ended
//! websocket-echo client 127.0.0.1:9001 [cases]    all cases of a fuzzing server, or the first few
//! ```
//!
//! It never stands for the limits of the real server and client: it takes what the suite sends. Nor are its
//! masks and keys random: what it says is no secret.

mod conversation;
mod opening;

use std::error::Error;
use std::{env, io};

use sockeye_proto::websocket::{PerMessageDeflate, Role};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use conversation::Conversation;

/// The name under which the suite reports on the client.
const AGENT: &str = "sockeye-client";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server", address] => serve(address).await?,
        ["client", address] => run_cases(address, usize::MAX).await?,
        ["client", address, cases] => run_cases(address, cases.parse()?).await?,
        _ => return Err("usage: websocket-echo server|client ADDRESS [CASES]".into()),
    }
    Ok(())
}

/// Everything that the codec can do: all messages are compressed, and refer to earlier ones.
fn deflate() -> PerMessageDeflate {
    PerMessageDeflate::new()
        .threshold(0)
        .server_context_takeover(true)
        .client_context_takeover(true)
        .context_bytes(32_768)
}

async fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A case that breaks off is the suite's business.
            let _ = serve_one(stream).await;
        });
    }
}

async fn serve_one(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (agreement, early) = opening::answer(&mut stream, &deflate()).await?;
    Conversation::new(Role::Server, agreement, deflate()).echo(stream, early).await
}

async fn run_cases(address: &str, most: usize) -> Result<(), Box<dyn Error>> {
    let count: usize = ask(address, "/getCaseCount").await?.parse()?;
    for case in 1..=count.min(most) {
        // What is wrong with a case stands in the report.
        let path = format!("/runCase?case={case}&agent={AGENT}");
        if let Err(error) = connect(address, &path).await {
            eprintln!("case {case} of {count}: {error}");
        }
    }
    connect(address, &format!("/updateReports?agent={AGENT}")).await?;
    Ok(())
}

async fn connect(address: &str, path: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (agreement, early) = opening::ask(&mut stream, address, path, Some(&deflate())).await?;
    Conversation::new(Role::Client, agreement, deflate()).echo(stream, early).await
}

/// The one text message that the suite answers a question with.
async fn ask(address: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let (_, mut bytes) = opening::ask(&mut stream, address, path, None).await?;
    loop {
        if let Some(text) = conversation::first_text(&bytes)? {
            return Ok(text);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

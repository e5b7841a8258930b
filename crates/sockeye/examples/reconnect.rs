//! How a client comes back, step by step: from a lost connection, with all that it missed; from a
//! server that is restarted, with all that was emitted meanwhile. Starts and stops its own server.
//!
//! ```text
//! cargo run --example reconnect
//! ```

#![expect(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sockeye::client::{ClientBuilder, ManagerEvent, Socket};
use sockeye::{ConnectionStateRecovery, Data, Server};
use tokio::net::TcpListener;
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (io, address) = start_server("127.0.0.1:0".parse()?).await?;
    let socket = ClientBuilder::new(&format!("http://{address}"))
        .reconnection_delay(Duration::from_millis(200))
        .reconnection_delay_max(Duration::from_millis(800))
        .build()?;
    print_each_step(&socket);
    socket.connect().connected().await?;
    // What comes back must know where it was: the client has seen one event at least.
    io.emit("news", "all is well")?;
    sleep(Duration::from_millis(100)).await;

    say("", "The connection is cut, and there are news meanwhile.");
    io.of("/").sockets().iter().for_each(sockeye::Socket::close_connection);
    io.emit("news", "first that was missed")?;
    io.emit("news", "second that was missed")?;
    sleep(Duration::from_secs(1)).await;

    say("", "The server is stopped, and the client has orders meanwhile.");
    io.close();
    sleep(Duration::from_millis(100)).await;
    for number in 1..=3 {
        socket.emit("order", number)?;
    }
    say("client", &format!("keeps {} bytes for later", socket.buffered()));
    sleep(Duration::from_secs(2)).await;

    say("", "The server is started again. It remembers nothing.");
    start_server(address).await?;
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// The steps of the connection are the manager's, those of the namespace the socket's.
fn print_each_step(socket: &Socket) {
    socket.manager().on_event(|event| match event {
        ManagerEvent::Open { transport } => say("manager", &format!("open over {transport}")),
        ManagerEvent::Upgrade { transport } => say("manager", &format!("goes on over {transport}")),
        ManagerEvent::Close { reason, .. } => say("manager", &format!("closed: {reason}")),
        ManagerEvent::ReconnectScheduled { attempt, delay } => {
            say("manager", &format!("attempt {attempt} comes in {delay:?}"));
        }
        ManagerEvent::ReconnectAttempt(attempt) => say("manager", &format!("attempt {attempt}")),
        ManagerEvent::ReconnectError(error) => say("manager", &format!("failed: {error}")),
        ManagerEvent::Reconnect(attempt) => say("manager", &format!("attempt {attempt} is it")),
        _ => {}
    });
    socket
        .on("news", async |Data(text): Data<String>| say("client", &format!("hears: {text}")))
        .on_connect(async |socket: Socket| {
            let how = if socket.recovered() { "recovered, the same id" } else { "anew" };
            say("client", &format!("connected {how}: {}", socket.id().unwrap_or_default()));
        })
        .on_disconnect(async |_, disconnect| say("client", &format!("disconnected: {disconnect}")));
}

async fn start_server(address: SocketAddr) -> Result<(Server, SocketAddr), Box<dyn Error>> {
    let io = Server::builder().connection_state_recovery(ConnectionStateRecovery::new()).build();
    io.of("/").on("order", async |Data(number): Data<u32>| {
        say("server", &format!("has order {number}"));
    });
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let serving = io.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    Ok((io, address))
}

/// A line with the time since the start.
fn say(who: &str, what: &str) {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    println!("{:6.3} s  {who:8} {what}", START.elapsed().as_secs_f64());
}

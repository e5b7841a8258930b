//! The load rig's contract on this project's server, as a user would write it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sockeye::{ConnectionStateRecovery, Data, OwnedArguments, Server, Socket, Value};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::io::Result<()> {
    runtime()?.block_on(async { tokio::spawn(serve()).await? })
}

/// `RT=current`: one thread. Otherwise one worker for each CPU that the affinity mask allows.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = if std::env::var("RT").is_ok_and(|kind| kind == "current") {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    builder.enable_all().build()
}

/// What `echo-typed` carries.
#[derive(Serialize, Deserialize)]
struct Note {
    id: String,
    name: String,
    score: i64,
    tags: Vec<String>,
    urgent: bool,
}

async fn serve() -> std::io::Result<()> {
    let mut builder = Server::builder()
        .ping_interval(Duration::from_millis(setting("PING_INTERVAL", 25_000)))
        .ping_timeout(Duration::from_millis(setting("PING_TIMEOUT", 20_000)));
    if setting("RECOVERY", 0) == 1 {
        builder = builder.connection_state_recovery(ConnectionStateRecovery::new());
    }
    let io = builder.build();
    if setting("MIDDLEWARE", 0) == 1 {
        add_middlewares(&io);
    }
    let everybody = io.clone();
    let rooms = io.clone();
    io.of("/")
        .on("echo", async |socket: Socket, arguments: OwnedArguments| {
            let _ = socket.emit("echo", arguments);
        })
        .on("echo-value", async |socket: Socket, Data(value): Data<Value>| {
            let _ = socket.emit("echo-value", value);
        })
        .on("echo-typed", async |socket: Socket, Data(note): Data<Note>| {
            let _ = socket.emit("echo-typed", note);
        })
        .on("ack", async |arguments: OwnedArguments| arguments)
        .on("join", async |socket: Socket, Data(room): Data<String>| socket.join(room))
        .on("leave", async |socket: Socket, Data(room): Data<String>| socket.leave(room))
        .on("room", move |Data((room, payload)): Data<(String, Value)>| {
            let _ = rooms.to(room).emit("room", payload);
            async {}
        })
        .on("bcast", move |Data(payload): Data<Value>| {
            let _ = everybody.emit("bcast", payload);
            async {}
        });
    let port = u16::try_from(setting("PORT", 3_000)).unwrap_or(3_000);
    io.listen(("127.0.0.1", port)).await
}

/// One of each kind, all of which let everything pass.
fn add_middlewares(io: &Server) {
    io.of("/").middleware(async |_: Socket| Ok(())).event_middleware(async |_: Socket| Ok(()));
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

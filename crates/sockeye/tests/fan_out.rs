//! Events for many receivers: all get them, once each, in the order of whoever emitted, though they
//! are written by a task, a part at a time.

#![cfg(feature = "server")]

mod support;

use std::net::SocketAddr;

use sockeye::{Data, Server, Socket};

use support::{Client, serve};

/// More than two parts.
const RECEIVERS: usize = 300;

/// Who asks for `all` has everybody hear of it twice, and hears of it itself in between.
fn server() -> Server {
    let io = Server::new();
    let everybody = io.clone();
    io.of("/").on("all", move |socket: Socket, Data(number): Data<u32>| {
        let _ = everybody.emit("before", number);
        let _ = socket.emit("own", number);
        let _ = everybody.emit("after", number);
        async {}
    });
    io
}

async fn receivers(address: SocketAddr) -> Vec<Client> {
    let mut clients = Vec::new();
    for _ in 0..RECEIVERS {
        clients.push(Client::join(address).await);
    }
    clients
}

/// One asks three times at once, and one of the others once.
async fn all_hear_all_in_order() {
    let address = serve(&server()).await;
    let mut clients = receivers(address).await;
    let rounds: Vec<_> = (0..3).map(|number| format!(r#"42["all",{number}]"#)).collect();
    let rounds: Vec<_> = rounds.iter().map(String::as_str).collect();
    clients[0].send_together(&rounds).await;
    for number in 0..3 {
        for event in ["before", "own", "after"] {
            clients[0].expect(&format!(r#"42["{event}",{number}]"#)).await;
        }
    }
    for client in &mut clients[1..] {
        for number in 0..3 {
            client.expect(&format!(r#"42["before",{number}]"#)).await;
            client.expect(&format!(r#"42["after",{number}]"#)).await;
        }
    }
    clients[RECEIVERS - 1].send(r#"42["all",3]"#).await;
    clients[RECEIVERS - 1].expect_all(&[r#"42["before",3]"#, r#"42["own",3]"#]).await;
    clients[0].expect_all(&[r#"42["before",3]"#, r#"42["after",3]"#]).await;
}

#[tokio::test]
async fn on_one_thread_all_receivers_of_a_large_broadcast_hear_it_once_and_in_order() {
    all_hear_all_in_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn on_several_threads_all_receivers_of_a_large_broadcast_hear_it_once_and_in_order() {
    all_hear_all_in_order().await;
}

/// A task of the program, and a thread that no runtime knows, emit like a handler does.
#[tokio::test]
async fn a_large_broadcast_may_come_from_anywhere() {
    let io = server();
    let mut clients = receivers(serve(&io).await).await;
    io.emit("from", "a task").unwrap();
    let elsewhere = io.clone();
    std::thread::spawn(move || elsewhere.emit("from", "a thread").unwrap()).join().unwrap();
    for client in &mut clients {
        client.expect_all(&[r#"42["from","a task"]"#, r#"42["from","a thread"]"#]).await;
    }
}

/// What was emitted is not lost with the runtime on which it was to be written.
#[test]
fn a_large_broadcast_is_written_when_its_runtime_ends_before() {
    let builder = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (serving, emitting) = (builder(), builder());
    let io = server();
    let mut clients = serving.block_on(async { receivers(serve(&io).await).await });
    emitting.block_on(async { io.emit("last", ()).unwrap() });
    drop(emitting);
    serving.block_on(async {
        for client in &mut clients {
            client.expect(r#"42["last"]"#).await;
        }
    });
}

/// A connection that is closed behind a broadcast has been sent it.
#[tokio::test]
async fn who_is_disconnected_behind_a_large_broadcast_gets_it_first() {
    let io = server();
    let mut clients = receivers(serve(&io).await).await;
    io.emit("goodbye", ()).unwrap();
    io.of("/").disconnect_sockets(true);
    for client in &mut clients {
        client.expect_all(&[r#"42["goodbye"]"#, "41"]).await;
        client.expect_close().await;
    }
}

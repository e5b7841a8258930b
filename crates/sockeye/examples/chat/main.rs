//! A chat with rooms, in the browser.
//!
//! ```text
//! cargo run --release --example chat
//! ```
//!
//! Then open <http://127.0.0.1:3000> in two windows. `PORT` chooses another port.

mod chat;
mod rooms;

use std::env;
use std::error::Error;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use axum::serve::ListenerExt;
use sockeye::{ClientFiles, Server};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::var("PORT").map_or(Ok(3_000), |port| port.parse())?;
    let files = client_files();
    let script = if files.is_some() { OWN_SCRIPT } else { CDN_SCRIPT };
    let io = match files {
        Some(files) => Server::builder().serve_client(files).build(),
        None => Server::new(),
    };
    chat::add_to(&io.of("/"));
    let app = page(script).layer(io.layer());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    say(&format!("The chat is at http://{}", listener.local_addr()?));
    // A short answer should not wait for the next one.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, app).with_graceful_shutdown(interrupted(io)).await?;
    Ok(())
}

/// The page and what belongs to it.
fn page(script: &str) -> Router {
    let html = include_str!("index.html").replace("{{socket.io.js}}", script);
    let css = ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("chat.css"));
    let javascript = ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("chat.js"));
    Router::new()
        .route("/", get(async || Html(html)))
        .route("/chat.css", get(async move || css))
        .route("/chat.js", get(async move || javascript))
}

/// The official browser bundle, if it is on this machine.
fn client_files() -> Option<ClientFiles> {
    let chosen = env::var_os("SOCKETIO_DIST").map(PathBuf::from);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let installed = [PathBuf::new(), repository].map(|root| root.join(INSTALLED));
    chosen.into_iter().chain(installed).find_map(|directory| ClientFiles::read(directory).ok())
}

/// Resolves on Ctrl-C, with all connections closed.
async fn interrupted(io: Server) {
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("cannot wait for Ctrl-C: {error}");
        std::future::pending::<()>().await;
    }
    io.close();
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn say(line: &str) {
    println!("{line}");
}

/// Where npm puts the official bundle for the conformance suite.
const INSTALLED: &str = "conformance/js/node_modules/socket.io/client-dist";
/// The bundle as the server itself serves it.
const OWN_SCRIPT: &str = "/socket.io/socket.io.js";
/// The bundle of version 4.8.4, from the address that Socket.IO's own documentation names.
const CDN_SCRIPT: &str = "https://cdn.socket.io/4.8.4/socket.io.min.js";

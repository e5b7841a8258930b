//! What a server does with requests, frames and packets that break the rules, or just keep them.
//!
//! Ids such as `E-051` are those of the list of behaviours of the official server, ids such as
//! `W01` those of the catalogue of inputs and faults.

mod handshake;
mod packets;
mod polling;
mod posts;
mod reasons;
mod requests;
mod sizes;
mod upgrade;
mod websocket;

use conformance::{Case, Difference, Mode, Server, run};

/// Where we deliberately are not like the official server: the row, and the reason.
const DIFFERENCES: &[Difference] = &[
    ("http: the path without its slash", "it takes one form only; clients in the wild send both"),
    ("http: empty sid", "who names a session never gets a new one"),
    ("upgrade: empty sid", "who names a session never gets a new one"),
    ("upgrade: EIO 3", "it answers 101 first and then writes HTTP into the upgraded stream"),
    ("upgrade: no EIO", "it answers 101 first and then writes HTTP into the upgraded stream"),
    ("upgrade: HTTP/1.0", "RFC 6455 asks for HTTP/1.1, and proxies that speak 1.0 do not upgrade"),
    ("polling: PUT is not allowed", "500 tells an operator of a fault of the server's own"),
    ("polling: DELETE is not allowed", "500 tells an operator of a fault of the server's own"),
    ("polling: PATCH is not allowed", "500 tells an operator of a fault of the server's own"),
    ("polling: HEAD is not allowed", "500 tells an operator of a fault of the server's own"),
    ("post: invalid UTF-8", "it replaces bytes: a handler gets what nobody sent"),
    ("post: base64 with a bad alphabet", "it skips what is no base64"),
    ("post: base64 with white space", "it skips what is no base64"),
    ("upgrade: not of a websocket session", "it waits for a probe; there is nothing to upgrade to"),
    ("websocket: base64 with a bad alphabet", "it skips what is no base64"),
    ("websocket: a message right behind the handshake", "it loses what comes before it listens"),
    ("packet: white space in JSON", "it parses what it sends on; we relay the text as it came"),
    (
        "packet: characters of all planes",
        "it parses what it sends on; we relay the text as it came",
    ),
    ("packet: attachments out of order", "it numbers them anew; we relay the text as it came"),
    ("upgrade: transport polling", "it answers 101 and then closes; 400 says what is wrong"),
    ("packet: an ack id above 2^53 - 1", "it rounds the id: the ack is for another"),
    ("packet: a fractional placeholder", "a handler gets undefined instead of bytes"),
    ("packet: attachments counted as 1e0", "it is a number only to JavaScript"),
    ("socket: two CONNECTs at once", "it makes two sockets for one namespace"),
];

/// Tells a figure, for the row of the reliability table that has this id.
#[expect(clippy::print_stdout, reason = "whoever makes the table reads it there")]
fn figure(id: &str, text: impl std::fmt::Display) {
    println!("figure {id}: {text}");
}

/// Holds a table of dialogues with a server of its own.
async fn hold(mode: Mode, cases: Vec<Case>) {
    run(Server::start(mode, env!("CARGO_BIN_EXE_contract-server")), cases, DIFFERENCES).await;
}

/// The same for rows about limits that the official server does not have.
async fn hold_own(mode: Mode, cases: Vec<Case>) {
    if std::env::var_os("CONTRACT_OFFICIAL").is_none() {
        hold(mode, cases).await;
    }
}

#[tokio::test]
async fn handshakes_over_http() {
    hold(Mode::EngineSuite, handshake::http_cases()).await;
}

#[tokio::test]
async fn handshakes_over_websocket() {
    hold(Mode::EngineSuite, handshake::websocket_cases()).await;
}

#[tokio::test]
async fn polling_rules() {
    hold(Mode::EngineSuite, polling::cases()).await;
}

#[tokio::test]
async fn request_bodies() {
    hold(Mode::EngineSuite, posts::cases()).await;
}

#[tokio::test]
async fn upgrades() {
    hold(Mode::EngineSuite, upgrade::cases()).await;
}

#[tokio::test]
async fn websocket_messages() {
    hold(Mode::EngineSuite, websocket::message_cases()).await;
}

#[tokio::test]
async fn websocket_frames() {
    hold(Mode::EngineSuite, websocket::frame_cases()).await;
}

#[tokio::test]
async fn socket_io_packets_that_close() {
    hold(Mode::Contract, packets::offence_cases()).await;
}

#[tokio::test]
async fn socket_io_packets_that_are_accepted() {
    hold(Mode::Contract, packets::accepted_cases()).await;
}

#[tokio::test]
async fn socket_io_dialogues() {
    hold(Mode::Contract, packets::dialogue_cases()).await;
}

#[tokio::test]
async fn disconnect_reasons() {
    hold(Mode::Contract, reasons::cases()).await;
}

#[tokio::test]
async fn socket_io_packets_that_are_too_much() {
    hold_own(Mode::Contract, sizes::offence_cases()).await;
}

#[tokio::test]
async fn socket_io_packets_that_are_nearly_too_much() {
    hold_own(Mode::Contract, sizes::taken_cases()).await;
}

#[tokio::test]
async fn requests_and_frames_that_are_too_much() {
    hold_own(Mode::EngineSuite, requests::cases()).await;
}

#[test]
fn every_difference_names_a_row() {
    let tables = [
        handshake::http_cases(),
        handshake::websocket_cases(),
        polling::cases(),
        posts::cases(),
        upgrade::cases(),
        websocket::message_cases(),
        websocket::frame_cases(),
        packets::offence_cases(),
        packets::accepted_cases(),
        packets::dialogue_cases(),
        reasons::cases(),
        sizes::offence_cases(),
        sizes::taken_cases(),
        requests::cases(),
    ];
    let names: Vec<&str> = tables.iter().flatten().map(Case::name).collect();
    for (index, name) in names.iter().enumerate() {
        assert!(!names[..index].contains(name), "two rows have the name {name:?}");
    }
    for (name, _) in DIFFERENCES {
        assert!(names.contains(name), "no row has the name {name:?}");
    }
}

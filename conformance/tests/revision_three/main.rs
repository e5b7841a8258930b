//! Socket.IO 2 clients, which speak revision 3 of Engine.IO (`allow_eio3`), and JSONP.
//!
//! Ids such as `E-112` are those of the list of behaviours of the official server.

mod bodies;
mod polling;
mod session;
mod websocket;

use conformance::{Case, Difference, Mode, Server, run};

/// Where we deliberately are not like the official server: the row, and the reason.
const DIFFERENCES: &[Difference] = &[
    ("websocket: EIO 3: a CONNECT for `/`", "it closes; some clients say what goes without saying"),
    ("text body: a length in scientific notation", "it is a number only to JavaScript"),
    ("text body: base64 with a bad alphabet", "it skips what is no base64"),
    ("text body: base64 of no message", "it ignores what it cannot name"),
    ("text body: half a character", "a handler gets half of it"),
    ("text body: a bad packet after a good one", "it calls handlers later, when all is over"),
    ("binary body: a record that is cut short", "a handler gets what nobody sent"),
    ("binary body: an unknown kind of record", "it takes everything but 0 for binary"),
    ("binary body: a binary packet without a type", "it ignores what it cannot name"),
    ("binary body: a binary packet of another type", "it ignores what it cannot name"),
    ("binary body: a length of more than digits", "it is a number only to JavaScript"),
    ("websocket: EIO 3: binary without a type", "it ignores what it cannot name"),
    ("websocket: EIO 3: binary of another type", "it ignores what it cannot name"),
    ("jsonp: binary for who did not ask for base64", "it sends a JSON object of the bytes"),
];

/// Holds a table of dialogues with a server of its own.
async fn hold(cases: Vec<Case>) {
    let server = Server::start(Mode::ContractWithEio3, env!("CARGO_BIN_EXE_contract-server"));
    run(server, cases, DIFFERENCES).await;
}

#[tokio::test]
async fn long_polling() {
    hold(polling::cases()).await;
}

#[tokio::test]
async fn request_bodies() {
    hold(bodies::cases()).await;
}

#[tokio::test]
async fn websockets() {
    hold(websocket::cases()).await;
}

#[test]
fn every_difference_names_a_row() {
    let tables = [polling::cases(), bodies::cases(), websocket::cases()];
    let names: Vec<&str> = tables.iter().flatten().map(Case::name).collect();
    for (index, name) in names.iter().enumerate() {
        assert!(!names[..index].contains(name), "two rows have the name {name:?}");
    }
    for (name, _) in DIFFERENCES {
        assert!(names.contains(name), "no row has the name {name:?}");
    }
}

//! A server for black-box tests, written as a user of the public API would write it.
//!
//! ```text
//! contract-server --port N [--mode MODE] [--parser msgpack] [--recovery] [--eio3]
//!                 [--deflate | --deflate-context] [--tls CERT KEY]
//! ```
//!
//! Prints `ready` when it accepts connections, on both loopback addresses. What is not built yet
//! is refused by name.

mod arguments;
mod client_suite;
mod contract;
mod engine_client_suite;
mod engine_suite;
mod http;
mod socket_suite;

use std::process::ExitCode;

use arguments::{Command, Mode};

#[tokio::main]
async fn main() -> ExitCode {
    match arguments::parse(std::env::args().skip(1)) {
        Ok(command) => run(command).await,
        Err(problem) => fail(&problem),
    }
}

async fn run(Command { port, mode, features }: Command) -> ExitCode {
    let listeners = match http::bind(port).await {
        Ok(listeners) => listeners,
        Err(error) => return fail(&format!("cannot listen on port {port}: {error}")),
    };
    say_ready();
    match mode {
        Mode::Contract => contract::serve(listeners, features).await,
        Mode::EngineSuite => engine_suite::serve(listeners).await,
        Mode::SocketSuite => socket_suite::serve(listeners).await,
        Mode::ClientSuite => client_suite::serve(listeners).await,
        Mode::EngineClientSuite => engine_client_suite::serve(listeners).await,
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "the contract asks for this line")]
fn say_ready() {
    println!("ready");
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("contract-server: {problem}");
    ExitCode::from(2)
}

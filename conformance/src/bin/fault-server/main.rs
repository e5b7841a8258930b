//! A server that is put under strain, and tells how it bears it.
//!
//! ```text
//! fault-server [--NAME VALUE]...    names are those in `options`
//! ```
//!
//! Prints `ready PORT` when it accepts connections on loopback, and ends when its standard input does: so it
//! never outlives its test. Clients in `/` suffer; the test itself is in `/control`, where it asks
//! for `numbers` and has things done to the others. Never decides whether what it tells is good.

mod control;
mod numbers;
mod options;
mod suffering;

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use numbers::Numbers;

#[tokio::main]
async fn main() -> ExitCode {
    let builder = match options::parse(std::env::args().skip(1)) {
        Ok(builder) => builder,
        Err(problem) => return fail(&problem),
    };
    let listener = match tokio::net::TcpListener::bind(("127.0.0.1", 0)).await {
        Ok(listener) => listener,
        Err(error) => return fail(&format!("cannot listen: {error}")),
    };
    let port = match listener.local_addr() {
        Ok(address) => address.port(),
        Err(error) => return fail(&format!("has no address: {error}")),
    };
    let numbers = Arc::new(Numbers::counting_panics());
    let io = builder.build();
    suffering::add(&io, &numbers);
    control::add(&io, &numbers);
    end_with_the_test();
    say_ready(port);
    io.serve(listener).await;
    ExitCode::SUCCESS
}

fn end_with_the_test() {
    std::thread::spawn(|| {
        // Nobody writes to it: it ends with whoever started this.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

#[expect(clippy::print_stdout, reason = "whoever started this waits for the line")]
fn say_ready(port: u16) {
    println!("ready {port}");
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("fault-server: {problem}");
    ExitCode::from(2)
}

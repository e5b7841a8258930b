//! A server that is put under strain, and tells how it bears it.
//!
//! ```text
//! fault-server [--count-memory] [--NAME VALUE]...    names are those in `options`
//! ```
//!
//! With `--count-memory` it has one thread, and tells how many bytes are allocated.
//!
//! Prints `ready PORT` when it accepts connections on loopback, and ends when its standard input does: so it
//! never outlives its test. Clients in `/` suffer; the test itself is in `/control`, where it asks
//! for `numbers` and has things done to the others. Never decides whether what it tells is good.

mod control;
mod memory;
mod numbers;
mod options;
mod suffering;

use std::future::Future;
use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use numbers::Numbers;
use sockeye::ServerBuilder;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let counts = words.next_if(|word| word == "--count-memory").is_some();
    let outcome = options::parse(words).and_then(|builder| {
        let ended = if counts { memory::count(serve(builder)) } else { run(serve(builder)) };
        ended.map_err(|error| format!("has no runtime: {error}"))?
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem),
    }
}

fn run<F: Future>(server: F) -> std::io::Result<F::Output> {
    Ok(tokio::runtime::Runtime::new()?.block_on(server))
}

async fn serve(builder: ServerBuilder) -> Result<(), String> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.map_err(|error| format!("cannot listen: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("has no address: {error}"))?;
    let numbers = Arc::new(Numbers::counting_panics());
    let io = builder.build();
    suffering::add(&io, &numbers);
    control::add(&io, &numbers);
    end_with_the_test();
    say_ready(address.port());
    io.serve(listener).await;
    Ok(())
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

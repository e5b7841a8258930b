//! The server under test. Not written yet.

/// Says so, and fails.
fn main() {
    eprintln!("contract-server: not written yet");
    std::process::exit(2);
}

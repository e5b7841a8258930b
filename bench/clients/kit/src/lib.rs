//! What the clients under the load rig have in common: the command line, the order of things, the
//! counting and checking of messages, and what the process has used. A client adds how it connects,
//! and how it emits: see [`Client`].

mod driver;
mod lane;
mod plan;
mod report;
mod usage;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;

pub use lane::Lane;
pub use plan::Plan;

/// One connection of a client, as the rig sees it.
pub trait Client: Sized + Send + Sync + 'static {
    /// Connects to the namespace `/` over WebSocket alone, without reconnection, and resolves when
    /// the server has let it in. From then on, the text of every `echo` that arrives is to be given
    /// to [`Lane::echoed`], and anything else, the end of the connection too, to [`Lane::fail`].
    ///
    /// # Errors
    /// If it cannot be connected.
    fn connect(port: u16, lane: Arc<Lane>) -> impl Future<Output = Result<Self, String>> + Send;

    /// Emits `echo` with this text.
    ///
    /// # Errors
    /// If it is not taken.
    fn emit(&self, text: String) -> impl Future<Output = Result<(), String>> + Send;

    /// Disconnects.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// What a client's `main` is: does what the command line says, on one thread, and prints a line of
/// JSON. Fails if anything was lost.
#[must_use]
pub fn run<C: Client>() -> ExitCode {
    let plan = match Plan::from_arguments(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            // In a task of its own: the main future's wake-ups take another way.
            let finished = runtime.block_on(async { tokio::spawn(driver::drive::<C>(plan)).await });
            if finished.unwrap_or(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

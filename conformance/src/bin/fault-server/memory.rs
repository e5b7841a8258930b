//! What is allocated, counted: pages that are resident say as much about the allocator as about the server.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use allocation_counter::measure;
use tokio::runtime::Builder;
use tokio::time::sleep;

/// Bytes that are allocated and not freed, as of a moment ago.
static ALLOCATED: AtomicI64 = AtomicI64::new(0);

/// How often it is counted.
const OFTEN: Duration = Duration::from_millis(50);

pub(crate) fn allocated() -> i64 {
    ALLOCATED.load(Ordering::Relaxed)
}

/// Runs all of it on this thread, because what is counted is what one thread does.
pub(crate) fn count<F: Future>(server: F) -> std::io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut server = pin!(server);
    loop {
        let mut ended = None;
        let counted = measure(|| {
            ended = runtime.block_on(async {
                tokio::select! {
                    output = &mut server => Some(output),
                    () = sleep(OFTEN) => None,
                }
            });
        });
        ALLOCATED.fetch_add(counted.bytes_current, Ordering::Relaxed);
        if let Some(output) = ended {
            return Ok(output);
        }
    }
}

//! Writing what was emitted to many sessions at once: soon, by a task, a part at a time.
//!
//! A write costs the system several microseconds, whatever is in it. So what goes to many waits
//! until everything that is ready on the thread has been worked through, and what else was emitted to
//! the same sessions goes with it. Between two parts others have their turn: a client that joins need
//! not wait until thousands have been written to. Where the runtime has several workers, a long list
//! is split among them.
//!
//! Never delays what goes to few, and never loses what waits: if the task is dropped, it is written
//! there and then.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::yield_now;

use super::session::Session;

/// Fewer sessions than this are written to at once.
const MANY: usize = 8;
/// How many are written to before others have their turn: a tenth of a millisecond or two.
const PART: usize = 16;
/// A share of a list that several workers write is no shorter.
const SHARE: usize = 64;
/// A list that was longer is given back.
const KEPT: usize = 8_192;

thread_local! {
    /// What this thread's next task will write.
    static NEXT: RefCell<Option<Arc<Batch>>> = const { RefCell::new(None) };
    /// A list for the next batch, from one that was written.
    static SPARE: Cell<Vec<Arc<Session>>> = const { Cell::new(Vec::new()) };
}

/// Sessions that wait to be written to; `None` once the task has taken them.
type Batch = Mutex<Option<Vec<Arc<Session>>>>;

/// Has these sessions, which were held back, written to. Empties the list.
pub(super) fn write(sessions: &mut Vec<Arc<Session>>) {
    let runtime = if sessions.len() < MANY { None } else { Handle::try_current().ok() };
    match runtime {
        None => sessions.drain(..).for_each(|session| session.uncork()),
        Some(runtime) => NEXT.with_borrow_mut(|next| join_next(next, sessions, &runtime)),
    }
}

/// Adds sessions to the batch that is not written yet, or begins one.
fn join_next(next: &mut Option<Arc<Batch>>, sessions: &mut Vec<Arc<Session>>, runtime: &Handle) {
    if let Some(batch) = next
        && let Some(waiting) = batch.lock().as_mut()
    {
        waiting.append(sessions);
        return;
    }
    let mut waiting = SPARE.take();
    waiting.append(sessions);
    let batch = Arc::new(Mutex::new(Some(waiting)));
    *next = Some(Arc::clone(&batch));
    let workers = match runtime.runtime_flavor() {
        RuntimeFlavor::CurrentThread => None,
        _ => Some(runtime.metrics().num_workers()),
    };
    runtime.spawn(Writing { batch, workers }.run());
}

/// The task that writes a batch.
struct Writing {
    batch: Arc<Batch>,
    /// Threads among which it can be split, where each runs the newest task first.
    workers: Option<usize>,
}

impl Writing {
    async fn run(self) {
        // To queue for many took its time, too.
        if self.workers.is_some() || self.is_long() {
            yield_now().await;
        }
        let mut rest = self.take();
        let share = rest.0.len().div_ceil(self.workers.unwrap_or(1)).max(SHARE);
        while rest.0.len() > share {
            let share = Waiting(rest.0.split_off(rest.0.len() - share));
            tokio::spawn(share.write());
        }
        rest.write().await;
    }

    fn is_long(&self) -> bool {
        self.batch.lock().as_ref().is_some_and(|waiting| waiting.len() > PART)
    }

    fn take(&self) -> Waiting {
        Waiting(self.batch.lock().take().unwrap_or_default())
    }
}

/// The runtime ends before the task has run.
impl Drop for Writing {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Sessions that are still to be written to.
struct Waiting(Vec<Arc<Session>>);

impl Waiting {
    async fn write(mut self) {
        loop {
            let part = self.0.len().saturating_sub(PART);
            self.0.drain(part..).for_each(|session| session.uncork());
            if self.0.is_empty() {
                return;
            }
            yield_now().await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|session| session.uncork());
        if (1..=KEPT).contains(&self.0.capacity()) {
            SPARE.set(std::mem::take(&mut self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_was_written_is_kept_for_the_next_batch() {
        let batch = Arc::new(Mutex::new(Some(Vec::with_capacity(10))));
        let writing = Writing { batch, workers: None };
        drop(writing.take());
        drop(writing);
        assert_eq!(SPARE.take().capacity(), 10);
        drop(Waiting(Vec::with_capacity(KEPT + 1)));
        assert_eq!(SPARE.take().capacity(), 0, "one that was longer is given back");
    }
}

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// How many seconds a client may take to send the head of a request, and to begin with the next one.
const HEAD_SECONDS: u32 = 10;

/// How long the connections of a listener wait for their peers.
///
/// For those that wait for a head, time goes on once a second, which wakes all of them. So waiting costs an
/// entry in a list. A timer of the runtime costs more to make than the head to read, and its driver is
/// woken for each that is the next.
#[derive(Debug)]
pub(crate) struct Patience {
    another_second: Notify,
    write: Duration,
}

impl Patience {
    /// Seconds are counted by a task until no connection has this any more. `write` is how long a peer may
    /// take nothing of what is written to it.
    pub(crate) fn new(write: Duration) -> Arc<Self> {
        let patience = Arc::new(Self { another_second: Notify::new(), write });
        tokio::spawn(count(Arc::downgrade(&patience)));
        patience
    }

    pub(super) const fn write(&self) -> Duration {
        self.write
    }

    /// What `poll` comes to, if it does while a head may be awaited.
    pub(super) fn for_head<T>(
        &self,
        poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> impl Future<Output = Option<T>> {
        self.limit(HEAD_SECONDS, poll)
    }

    /// What `poll` comes to, if it does within so many seconds; or up to one more.
    async fn limit<T>(
        &self,
        seconds: u32,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        let mut another = pin!(self.another_second.notified());
        let mut left = seconds;
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(output) = poll(cx) {
                    return Poll::Ready(Some(output));
                }
                ready!(another.as_mut().poll(cx));
                if left == 0 {
                    return Poll::Ready(None);
                }
                left -= 1;
                another.set(self.another_second.notified());
            }
        })
        .await
    }
}

async fn count(patience: Weak<Patience>) {
    while let Some(patience) = patience.upgrade() {
        patience.another_second.notify_waiters();
        drop(patience);
        sleep(Duration::from_secs(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_in_time_or_up_to_a_second_later() {
        let patience = Patience::new(Duration::ZERO);
        assert_eq!(patience.limit(0, |_| Poll::Ready(1)).await, Some(1));
        for begun_behind in [0, 1, 500, 999] {
            sleep(Duration::from_millis(begun_behind)).await;
            let start = Instant::now();
            assert_eq!(patience.limit(3, |_| Poll::<()>::Pending).await, None);
            let waited = start.elapsed().as_millis();
            assert!((3_000..=4_001).contains(&waited), "{waited} ms");
        }
    }
}

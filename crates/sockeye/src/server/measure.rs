use std::sync::Arc;

use tokio::time::Instant;

use super::counters::ServerCounters;
use super::server::Server;
use crate::event::Work;

/// When a handler was called, if its time is to be measured. Most servers do not, and pay a look at
/// their options.
pub(super) struct Stopwatch(Option<Box<Measured>>);

struct Measured {
    called: Instant,
    counters: Arc<ServerCounters>,
}

impl Stopwatch {
    #[inline]
    pub(super) fn start(server: &Server) -> Self {
        Self(if server.measures_handlers() { Some(Measured::start(server)) } else { None })
    }

    /// The handler's work; when it is finished, also by a panic, its time is counted.
    #[inline]
    pub(super) fn measure(self, work: Work) -> Work {
        match self.0 {
            None => work,
            Some(measured) => measured.until_end_of(work),
        }
    }
}

impl Measured {
    #[cold]
    fn start(server: &Server) -> Box<Self> {
        Box::new(Self { called: Instant::now(), counters: Arc::clone(server.counters()) })
    }

    #[cold]
    fn until_end_of(self: Box<Self>, work: Work) -> Work {
        Box::pin(async move {
            let _running = Counted(self);
            work.await;
        })
    }
}

struct Counted(Box<Measured>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counters.measured(self.0.called.elapsed());
    }
}

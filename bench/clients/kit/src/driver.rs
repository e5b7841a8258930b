//! The order of things: connect, look at memory, echo or rest, drain, close.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::lane::{Lane, Tally};
use crate::report::Report;
use crate::usage::{Usage, resident_kb};
use crate::{Client, Plan};

/// Connections that are being opened at the same time.
const AT_ONCE: usize = 64;
/// Time for one connection to open.
const OPENING: Duration = Duration::from_secs(20);
/// Time for what is on its way to arrive.
const DRAINING: Duration = Duration::from_secs(10);
/// The longest time that is measured.
const LONGEST: Duration = Duration::from_secs(10);

type Open<C> = (Arc<Lane>, C);

struct Driver<C> {
    plan: Plan,
    tally: Arc<Tally>,
    open: Vec<Open<C>>,
    report: Report,
}

/// Does all of it; whether nothing was lost.
pub(crate) async fn drive<C: Client>(plan: Plan) -> bool {
    let tally = Arc::default();
    let mut driver = Driver::<C> { plan, tally, open: Vec::new(), report: Report::new() };
    driver.connect().await;
    if driver.is_whole() {
        if plan.in_flight > 0 {
            driver.echo().await
        } else {
            driver.rest().await
        }
        driver.roll_call().await;
    }
    driver.close().await;
    driver.finish()
}

impl<C: Client> Driver<C> {
    fn is_whole(&self) -> bool {
        self.tally.errors.load(Ordering::Relaxed) == 0
            && self.open.len() == self.plan.connections as usize
    }

    /// Opens all connections, and has one message echoed on each: idle is one that has done
    /// something and now rests. Memory is compared with what it is when the first has come so far,
    /// so that what is set up once for a process is not charged to the others.
    async fn connect(&mut self) {
        self.report.count("rss_start_kb", resident_kb());
        self.open_up_to(1).await;
        self.roll_call().await;
        sleep(self.plan.settle / 2).await;
        let (before, began) = (resident_kb(), Usage::now());
        self.open_up_to(self.plan.connections).await;
        let used = Usage::now().since(&began);
        self.roll_call().await;
        sleep(self.plan.settle).await;
        let open = resident_kb();
        let others = f64::from(self.plan.connections - 1);
        self.report.count("conns", u64::from(self.plan.connections));
        self.report.count("opened", self.open.len() as u64);
        self.report.count("rss_before_kb", before);
        self.report.count("rss_open_kb", open);
        self.report.number("rss_per_conn_b", (open as f64 - before as f64) * 1024.0 / others);
        self.report.number("connects_s", others / used.at);
        self.report.number("connect_cpu_ms_per_1000", used.cpu * 1e6 / others);
    }

    async fn open_up_to(&mut self, count: u32) {
        let mut opening = JoinSet::new();
        let mut numbers = self.open.len() as u32..count;
        loop {
            while opening.len() < AT_ONCE
                && let Some(number) = numbers.next()
            {
                let lane = Arc::new(Lane::new(number, self.plan.size, Arc::clone(&self.tally)));
                opening.spawn(open::<C>(self.plan.port, lane));
            }
            match opening.join_next().await {
                None => return,
                Some(Ok(opened)) => self.open.extend(opened),
                Some(Err(error)) => self.tally.fail(error),
            }
        }
    }

    /// Nothing but heartbeats.
    async fn rest(&mut self) {
        let began = Usage::now();
        sleep(self.plan.measured.min(LONGEST)).await;
        self.window(&began);
        self.report.count("rss_end_kb", resident_kb());
    }

    /// Keeps so many messages on their way on each connection.
    async fn echo(&mut self) {
        self.tally.set_echoing(true);
        self.emit_everywhere(self.plan.in_flight).await;
        sleep(self.plan.warm_up).await;
        let received = self.tally.received.load(Ordering::Relaxed);
        let began = Usage::now();
        measured(self.plan.measured, &began).await;
        let used = self.window(&began);
        let echoed = self.tally.received.load(Ordering::Relaxed) - received;
        self.tally.set_echoing(false);
        self.report.count("echoed", echoed);
        self.report.count("rss_end_kb", resident_kb());
        self.report.number("msgs_s", echoed as f64 / used.at);
        self.report.number("cli_cpu_s_per_M", used.cpu * 1e6 / echoed as f64);
        self.report.number("cli_user_share", used.user / (used.user + used.kernel));
    }

    fn window(&mut self, began: &Usage) -> Usage {
        let used = Usage::now().since(began);
        self.report.number("window_from", began.at);
        self.report.number("wall_s", used.at);
        self.report.number("cli_cpu_s", used.cpu);
        self.report.number("cli_user_s", used.user);
        self.report.number("cli_sys_s", used.kernel);
        used
    }

    /// One message on each connection: whether all of them are there.
    async fn roll_call(&self) {
        self.drain().await;
        self.emit_everywhere(1).await;
        self.drain().await;
    }

    async fn emit_everywhere(&self, times: u32) {
        for (lane, client) in &self.open {
            for _ in 0..times {
                if let Err(error) = client.emit(lane.next_text()).await {
                    lane.fail(error);
                }
            }
        }
    }

    async fn drain(&self) {
        let arrived = async {
            while self.tally.outstanding() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(DRAINING, arrived).await.is_err() {
            self.tally.fail(format_args!("{} messages lost", self.tally.outstanding()));
        }
    }

    async fn close(&mut self) {
        self.tally.set_closing();
        let mut closing: JoinSet<_> =
            self.open.drain(..).map(|(_, client)| client.close()).collect();
        let closed = async { while closing.join_next().await.is_some() {} };
        let in_time = timeout(DRAINING, closed).await.is_ok();
        sleep(self.plan.settle).await;
        self.report.flag("closed", in_time);
        self.report.count("rss_closed_kb", resident_kb());
    }

    fn finish(mut self) -> bool {
        let errors = self.tally.errors.load(Ordering::Relaxed);
        let first_error = self.tally.first_error();
        self.report.count("sent", self.tally.sent.load(Ordering::Relaxed));
        self.report.count("received", self.tally.received.load(Ordering::Relaxed));
        self.report.count("lost", self.tally.outstanding());
        self.report.count("errors", errors);
        self.report.text("error_text", first_error.as_deref().unwrap_or_default());
        let whole = errors == 0 && self.tally.outstanding() == 0;
        self.report.flag("ok", whole);
        self.report.print();
        whole
    }
}

async fn open<C: Client>(port: u16, lane: Arc<Lane>) -> Option<Open<C>> {
    match timeout(OPENING, C::connect(port, Arc::clone(&lane))).await {
        Ok(Ok(client)) => return Some((lane, client)),
        Ok(Err(error)) => lane.fail(error),
        Err(_) => lane.fail("does not open"),
    }
    None
}

/// Ends when the time is over *and* the process had the CPU for most of it, so that what a busy
/// machine measures is as warm as what a quiet one does; at the latest after three times that long.
async fn measured(least: Duration, began: &Usage) {
    let least = least.min(LONGEST);
    let latest = Instant::now() + (least * 3).min(LONGEST);
    sleep(least).await;
    while Instant::now() < latest && Usage::now().since(began).cpu < 0.7 * least.as_secs_f64() {
        sleep(Duration::from_millis(40)).await;
    }
}

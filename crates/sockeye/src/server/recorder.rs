//! The snapshot of a server's numbers, written to the recorder of the `metrics` crate.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::Unit;
use tokio::time::MissedTickBehavior;

use super::metrics::Metrics;
use super::server::Server;
use crate::engine::EngineMetrics;

/// The recorder knows what the numbers are. It is installed once in a process.
static DESCRIBED: AtomicBool = AtomicBool::new(false);

/// Numbers of one name.
struct Family {
    name: &'static str,
    kind: Kind,
    unit: Unit,
    about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// One number, and the label that tells it from others of its name.
type Sample = (Option<(&'static str, &'static str)>, u64);

impl Server {
    /// Writes [`metrics`](Self::metrics) to the recorder that is installed for the `metrics` crate,
    /// if there is one. Needs the feature `metrics`.
    ///
    /// What the names mean is said at the fields of [`Metrics`]; the first call describes them to the
    /// recorder, so install that before. Counters end in `_total`; the others are gauges.
    ///
    /// | name | label | field |
    /// |---|---|---|
    /// | `sockeye_sessions` | `transport`: `polling`, `websocket` | `engine.sessions` |
    /// | `sockeye_sessions_ending` | | `engine.sessions_ending` |
    /// | `sockeye_deadlines` | | `engine.deadlines` |
    /// | `sockeye_ids_held` | | `engine.ids_held` |
    /// | `sockeye_sessions_opened_total` | the same | `engine.sessions_opened` |
    /// | `sockeye_sessions_closed_total` | `reason`: `transport_error`, `transport_close`, `ping_timeout`, `parse_error`, `forced_close` | `engine.sessions_closed` |
    /// | `sockeye_upgrades_total` | | `engine.upgrades` |
    /// | `sockeye_requests_refused_total` | `code`: `0` to `5` | `engine.requests_refused` |
    /// | `sockeye_packets_received_total`, `sockeye_packets_sent_total` | | `engine.packets_received`, … |
    /// | `sockeye_bytes_received_total`, `sockeye_bytes_sent_total` | | `engine.bytes_received`, … |
    /// | `sockeye_bytes_buffered` | | `engine.bytes_buffered` |
    /// | `sockeye_slow_readers_total` | | `engine.slow_readers` |
    /// | `sockeye_violations_total` | `kind`: the names of the fields | `engine.violations`, `violations` |
    /// | `sockeye_sockets` | | `sockets` |
    /// | `sockeye_dynamic_namespaces`, `sockeye_rooms` | | `dynamic_namespaces`, `rooms` |
    /// | `sockeye_sockets_connected_total`, `sockeye_sockets_disconnected_total` | | `sockets_connected`, … |
    /// | `sockeye_clients_refused_total` | | `clients_refused` |
    /// | `sockeye_events_received_total`, `sockeye_events_sent_total` | | `events_received`, … |
    /// | `sockeye_volatile_dropped_total`, `sockeye_broadcasts_missed_total` | | `volatile_dropped`, … |
    /// | `sockeye_acknowledgements_received_total`, `sockeye_acknowledgements_sent_total` | | `acknowledgements_received`, … |
    /// | `sockeye_acknowledgements_pending` | | `acknowledgements_pending` |
    /// | `sockeye_handlers_running` | | `handlers.running` |
    /// | `sockeye_handlers_called_total` | | `handlers.called` |
    /// | `sockeye_handlers_failed_total` | `kind`: `arguments`, `rejected`, `panicked` | `handlers.failed` |
    /// | `sockeye_handlers_measured_total` | | `handlers.measured` |
    /// | `sockeye_handlers_nanoseconds_total` | | `handlers.time` |
    /// | `sockeye_recovery_bytes` | | `recovery.bytes` |
    /// | `sockeye_recoveries_total` | `result`: `succeeded`, `refused` | `recovery` |
    ///
    /// The names do not tell several servers of one process apart: then write
    /// [`metrics`](Self::metrics) yourself, with a label more.
    pub fn record_metrics(&self) {
        if !DESCRIBED.swap(true, Ordering::Relaxed) {
            each_family(&Metrics::default(), &mut |family, _| family.describe());
        }
        each_family(&self.metrics(), &mut |family, samples| {
            samples.iter().for_each(|(label, value)| family.record(*label, *value));
        });
    }

    /// The same again and again, until the server is closed, and once more then. Needs the feature
    /// `metrics`.
    ///
    /// Cancel safety: dropped, it records nothing more.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # async fn serve() -> std::io::Result<()> {
    /// // Before this: install a recorder, such as the one of the crate metrics-exporter-prometheus.
    /// let io = sockeye::Server::new();
    /// let recorded = io.clone();
    /// tokio::spawn(async move { recorded.record_metrics_every(Duration::from_secs(15)).await });
    /// io.listen("127.0.0.1:3000").await
    /// # }
    /// ```
    ///
    /// # Panics
    /// If `interval` is zero.
    pub async fn record_metrics_every(&self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut closed = pin!(self.closed());
        loop {
            tokio::select! {
                _ = ticks.tick() => self.record_metrics(),
                () = &mut closed => return self.record_metrics(),
            }
        }
    }
}

impl Family {
    const fn counter(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Counter, unit: Unit::Count, about }
    }

    const fn gauge(name: &'static str, about: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, unit: Unit::Count, about }
    }

    const fn in_unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    fn describe(&self) {
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, self.unit, self.about),
            Kind::Gauge => metrics::describe_gauge!(self.name, self.unit, self.about),
        }
    }

    fn record(&self, label: Option<(&'static str, &'static str)>, value: u64) {
        match (self.kind, label) {
            (Kind::Counter, None) => metrics::counter!(self.name).absolute(value),
            (Kind::Counter, Some((key, text))) => {
                metrics::counter!(self.name, key => text).absolute(value);
            }
            (Kind::Gauge, None) => metrics::gauge!(self.name).set(value as f64),
            (Kind::Gauge, Some((key, text))) => {
                metrics::gauge!(self.name, key => text).set(value as f64);
            }
        }
    }
}

type Visit<'a> = dyn FnMut(&Family, &[Sample]) + 'a;

fn each_family(metrics: &Metrics, visit: &mut Visit<'_>) {
    let engine = &metrics.engine;
    sessions(engine, visit);
    traffic(engine, visit);
    violations(metrics, visit);
    clients(metrics, visit);
    events(metrics, visit);
    handlers(metrics, visit);
}

fn sessions(engine: &EngineMetrics, visit: &mut Visit<'_>) {
    let transport = |name| Some(("transport", name));
    let (open, opened, closed) =
        (&engine.sessions, &engine.sessions_opened, &engine.sessions_closed);
    visit(
        &Family::gauge("sockeye_sessions", "Engine.IO sessions that are open"),
        &[(transport("polling"), open.polling), (transport("websocket"), open.websocket)],
    );
    visit(
        &Family::counter("sockeye_sessions_opened_total", "Engine.IO sessions that were opened"),
        &[(transport("polling"), opened.polling), (transport("websocket"), opened.websocket)],
    );
    let about = "Sessions that have ended and still hold something";
    visit(&Family::gauge("sockeye_sessions_ending", about), &[(None, engine.sessions_ending)]);
    let about = "Sessions whose next deadline is known";
    visit(&Family::gauge("sockeye_deadlines", about), &[(None, engine.deadlines)]);
    let about = "Ids that were chosen for sessions that are not open yet";
    visit(&Family::gauge("sockeye_ids_held", about), &[(None, engine.ids_held)]);
    let reason = |name| Some(("reason", name));
    visit(
        &Family::counter("sockeye_sessions_closed_total", "Engine.IO sessions that have ended"),
        &[
            (reason("transport_error"), closed.transport_error),
            (reason("transport_close"), closed.transport_close),
            (reason("ping_timeout"), closed.ping_timeout),
            (reason("parse_error"), closed.parse_error),
            (reason("forced_close"), closed.forced_close),
        ],
    );
    let about = "Sessions that have changed from polling to WebSocket";
    visit(&Family::counter("sockeye_upgrades_total", about), &[(None, engine.upgrades)]);
    let about = "Sessions that were ended because the peer did not read";
    visit(&Family::counter("sockeye_slow_readers_total", about), &[(None, engine.slow_readers)]);
}

fn traffic(engine: &EngineMetrics, visit: &mut Visit<'_>) {
    let refused = &engine.requests_refused;
    let code = |code| Some(("code", code));
    visit(
        &Family::counter("sockeye_requests_refused_total", "HTTP requests that were refused"),
        &[
            (code("0"), refused.transport_unknown),
            (code("1"), refused.session_unknown),
            (code("2"), refused.bad_handshake_method),
            (code("3"), refused.bad_request),
            (code("4"), refused.forbidden),
            (code("5"), refused.unsupported_version),
        ],
    );
    let about = "Engine.IO packets that have arrived";
    let family = Family::counter("sockeye_packets_received_total", about);
    visit(&family, &[(None, engine.packets_received)]);
    let about = "Engine.IO packets that were written";
    visit(&Family::counter("sockeye_packets_sent_total", about), &[(None, engine.packets_sent)]);
    let about = "Bytes that have arrived, without HTTP heads and TLS";
    let family = Family::counter("sockeye_bytes_received_total", about).in_unit(Unit::Bytes);
    visit(&family, &[(None, engine.bytes_received)]);
    let about = "Bytes that were written, without HTTP heads and TLS";
    let family = Family::counter("sockeye_bytes_sent_total", about).in_unit(Unit::Bytes);
    visit(&family, &[(None, engine.bytes_sent)]);
    let about = "Bytes that are queued for peers";
    let family = Family::gauge("sockeye_bytes_buffered", about).in_unit(Unit::Bytes);
    visit(&family, &[(None, engine.bytes_buffered)]);
}

fn violations(metrics: &Metrics, visit: &mut Visit<'_>) {
    let kind = |name| Some(("kind", name));
    let (below, own) = (&metrics.engine.violations, &metrics.violations);
    visit(
        &Family::counter("sockeye_violations_total", "What peers did against the protocol"),
        &[
            (kind("undecodable"), below.undecodable),
            (kind("invalid_frames"), below.invalid_frames),
            (kind("too_large"), below.too_large),
            (kind("overlapping_requests"), below.overlapping_requests),
            (kind("invalid_content"), below.invalid_content),
            (kind("heartbeat_direction"), below.heartbeat_direction),
            (kind("invalid_packets"), own.invalid_packets),
            (kind("packets_out_of_place"), own.packets_out_of_place),
            (kind("no_attachments"), own.no_attachments),
            (kind("no_connect"), own.no_connect),
        ],
    );
}

fn clients(metrics: &Metrics, visit: &mut Visit<'_>) {
    let about = "Sockets that are connected";
    visit(&Family::gauge("sockeye_sockets", about), &[(None, metrics.sockets)]);
    let about = "Namespaces that patterns have made";
    let family = Family::gauge("sockeye_dynamic_namespaces", about);
    visit(&family, &[(None, metrics.dynamic_namespaces)]);
    let about = "Rooms that somebody is in";
    visit(&Family::gauge("sockeye_rooms", about), &[(None, metrics.rooms)]);
    let about = "Clients that were let into a namespace";
    let family = Family::counter("sockeye_sockets_connected_total", about);
    visit(&family, &[(None, metrics.sockets_connected)]);
    let about = "Sockets that have left their namespace";
    let family = Family::counter("sockeye_sockets_disconnected_total", about);
    visit(&family, &[(None, metrics.sockets_disconnected)]);
    let about = "Clients that were not let into a namespace";
    let family = Family::counter("sockeye_clients_refused_total", about);
    visit(&family, &[(None, metrics.clients_refused)]);
    let about = "Bytes of packets that are kept for clients that may come back";
    let family = Family::gauge("sockeye_recovery_bytes", about).in_unit(Unit::Bytes);
    visit(&family, &[(None, metrics.recovery.bytes)]);
    let result = |name| Some(("result", name));
    visit(
        &Family::counter("sockeye_recoveries_total", "Clients that came back"),
        &[
            (result("succeeded"), metrics.recovery.succeeded),
            (result("refused"), metrics.recovery.refused),
        ],
    );
}

fn events(metrics: &Metrics, visit: &mut Visit<'_>) {
    let about = "Socket.IO events that came from clients";
    let family = Family::counter("sockeye_events_received_total", about);
    visit(&family, &[(None, metrics.events_received)]);
    let about = "Socket.IO events that were sent, once for each receiver";
    visit(&Family::counter("sockeye_events_sent_total", about), &[(None, metrics.events_sent)]);
    let about = "Volatile events that were dropped, once for each receiver";
    let family = Family::counter("sockeye_volatile_dropped_total", about);
    visit(&family, &[(None, metrics.volatile_dropped)]);
    let about = "Broadcast events that a receiver did not get";
    let family = Family::counter("sockeye_broadcasts_missed_total", about);
    visit(&family, &[(None, metrics.broadcasts_missed)]);
    let about = "Answers of clients to events";
    let family = Family::counter("sockeye_acknowledgements_received_total", about);
    visit(&family, &[(None, metrics.acknowledgements_received)]);
    let about = "Answers of clients that somebody waits for";
    let family = Family::gauge("sockeye_acknowledgements_pending", about);
    visit(&family, &[(None, metrics.acknowledgements_pending)]);
    let about = "Answers to events of clients";
    let family = Family::counter("sockeye_acknowledgements_sent_total", about);
    visit(&family, &[(None, metrics.acknowledgements_sent)]);
}

fn handlers(metrics: &Metrics, visit: &mut Visit<'_>) {
    let handlers = &metrics.handlers;
    let about = "Handlers that are waiting for something";
    visit(&Family::gauge("sockeye_handlers_running", about), &[(None, handlers.running)]);
    let about = "Handlers that were called";
    visit(&Family::counter("sockeye_handlers_called_total", about), &[(None, handlers.called)]);
    let kind = |name| Some(("kind", name));
    let about = "Handlers and middlewares that could not be called, or failed";
    visit(
        &Family::counter("sockeye_handlers_failed_total", about),
        &[
            (kind("arguments"), handlers.failed.arguments),
            (kind("rejected"), handlers.failed.rejected),
            (kind("panicked"), handlers.failed.panicked),
        ],
    );
    let about = "Handlers whose time was measured";
    let family = Family::counter("sockeye_handlers_measured_total", about);
    visit(&family, &[(None, handlers.measured)]);
    let about = "Time of handlers from call to end";
    let family = Family::counter("sockeye_handlers_nanoseconds_total", about);
    let nanoseconds = u64::try_from(handlers.time.as_nanos()).unwrap_or(u64::MAX);
    visit(&family.in_unit(Unit::Nanoseconds), &[(None, nanoseconds)]);
}

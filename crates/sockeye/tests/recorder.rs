//! What a server writes to the recorder of the `metrics` crate.

#![cfg(feature = "metrics")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder, with_local_recorder,
};
use parking_lot::Mutex;
use sockeye::{Server, Socket};

use support::{Client, eventually, serve, within};

/// Remembers everything. Counters and the bits of gauges are numbers by their names and labels.
#[derive(Default)]
struct Notebook {
    numbers: Mutex<BTreeMap<String, (Kind, Arc<AtomicU64>)>>,
    described: Mutex<Vec<(String, Kind, Option<Unit>)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

impl Notebook {
    fn number(&self, key: &Key, kind: Kind) -> Arc<AtomicU64> {
        let labels = key.labels().map(|label| format!("{{{}={}}}", label.key(), label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        let mut numbers = self.numbers.lock();
        let (known, number) = numbers.entry(name).or_insert_with(|| (kind, Arc::default()));
        assert_eq!(*known, kind);
        Arc::clone(number)
    }

    fn describe(&self, name: &KeyName, kind: Kind, unit: Option<Unit>) {
        self.described.lock().push((name.as_str().to_owned(), kind, unit));
    }

    fn value(&self, name: &str) -> f64 {
        let numbers = self.numbers.lock();
        let (kind, number) = numbers.get(name).unwrap_or_else(|| panic!("no {name}"));
        let number = number.load(Ordering::Relaxed);
        if *kind == Kind::Gauge { f64::from_bits(number) } else { number as f64 }
    }

    /// All names, without labels.
    fn names(&self) -> Vec<(String, Kind)> {
        let numbers = self.numbers.lock();
        let bare = |name: &str| name.split('{').next().unwrap_or_default().to_owned();
        let mut names: Vec<_> =
            numbers.iter().map(|(name, (kind, _))| (bare(name), *kind)).collect();
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        names.dedup();
        names
    }
}

impl Recorder for Notebook {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, Kind::Counter, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, Kind::Gauge, unit);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{} is a histogram", name.as_str());
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key, Kind::Counter))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key, Kind::Gauge))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{} is a histogram", key.name());
    }
}

/// The names in the table of `Server::record_metrics`.
fn documented() -> Vec<String> {
    let source = include_str!("../src/server/recorder.rs");
    let rows = source.lines().filter_map(|line| line.trim().strip_prefix("/// | `sockeye_"));
    let names =
        rows.flat_map(|row| row.split('|').next().unwrap_or_default().split("`, `sockeye_"));
    let mut names: Vec<_> =
        names.map(|name| format!("sockeye_{}", name.trim_end_matches(['`', ' ']))).collect();
    names.sort();
    names
}

#[tokio::test]
async fn everything_is_recorded_described_once_and_documented() {
    let notebook = Notebook::default();
    let io = Server::new();
    io.of("/").on("echo", async |socket: Socket| socket.emit("echo", ()).unwrap());
    let address = serve(&io).await;
    let mut client = Client::join(address).await;
    client.send("42[\"echo\"]").await;
    client.expect("42[\"echo\"]").await;
    with_local_recorder(&notebook, || {
        io.record_metrics();
        io.record_metrics();
    });
    let metrics = io.metrics();
    for (name, expected) in [
        ("sockeye_sessions{transport=websocket}", 1),
        ("sockeye_sessions{transport=polling}", 0),
        ("sockeye_sessions_opened_total{transport=websocket}", 1),
        ("sockeye_sessions_closed_total{reason=ping_timeout}", 0),
        ("sockeye_requests_refused_total{code=5}", 0),
        ("sockeye_packets_received_total", 2),
        ("sockeye_bytes_sent_total", metrics.engine.bytes_sent),
        ("sockeye_sockets", 1),
        ("sockeye_events_received_total", 1),
        ("sockeye_events_sent_total", 1),
        ("sockeye_handlers_called_total", 1),
        ("sockeye_handlers_failed_total{kind=panicked}", 0),
        ("sockeye_violations_total{kind=no_connect}", 0),
        ("sockeye_recoveries_total{result=refused}", 0),
    ] {
        assert_eq!(notebook.value(name), expected as f64, "{name}");
    }
    let names = notebook.names();
    let mut described = notebook.described.into_inner();
    described.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let as_recorded: Vec<_> =
        described.iter().map(|(name, kind, _)| (name.clone(), *kind)).collect();
    assert_eq!(as_recorded, names);
    let bare: Vec<_> = names.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(bare, documented());
    for (name, kind, unit) in described {
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        let bytes = name.contains("bytes").then_some(Unit::Bytes);
        let expected = bytes.or_else(|| name.contains("nanoseconds").then_some(Unit::Nanoseconds));
        assert_eq!(unit, Some(expected.unwrap_or(Unit::Count)), "{name}");
    }
    recording_goes_on_until_the_server_is_closed().await;
}

/// A part of the one test: what is recorded is described once in a process.
async fn recording_goes_on_until_the_server_is_closed() {
    let notebook = Notebook::default();
    let _installed = set_default_local_recorder(&notebook);
    let io = Server::new();
    let recorded = io.clone();
    let recording = tokio::spawn(async move {
        recorded.record_metrics_every(Duration::from_millis(1)).await;
    });
    let address = serve(&io).await;
    let client = Client::join(address).await;
    eventually("a record of the socket", || {
        notebook.numbers.lock().contains_key("sockeye_sockets")
            && notebook.value("sockeye_sockets") == 1.0
    })
    .await;
    io.close();
    within("the end of recording", recording).await.expect("it does not panic");
    assert!(notebook.described.lock().is_empty());
    drop(client);
}

//! A server in a process of its own, and raw clients that are small enough to be many.

mod client;
mod process;
mod relay;

pub(crate) use client::{Client, Packet, Transport, all};
pub(crate) use process::Server;
pub(crate) use relay::{Network, Relay};

use std::env;
use std::future::Future;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};

/// The longest that anything may take that has no time of its own. The machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A bound: small in the test command, large with `SOCKEYE_LONG=1`.
pub(crate) fn scale(short: usize, long: usize) -> usize {
    if env::var("SOCKEYE_LONG").is_ok_and(|long| long == "1") { long } else { short }
}

/// Tells a figure to `conformance/reliability.md`.
#[expect(clippy::print_stdout, reason = "the table's generator reads it")]
pub(crate) fn figure(id: &str, text: impl AsRef<str>) {
    println!("figure {id}: {}", text.as_ref());
}

/// Waits for `future`, but not for ever.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("awaited {what}; nothing within {PATIENCE:?}"),
    }
}

/// What the server is asked, and who waits for the answer.
type Question = (String, oneshot::Sender<String>);

/// The client of a test, which asks the server how it is. It answers pings also while nobody asks.
pub(crate) struct Control(mpsc::UnboundedSender<Question>);

impl Control {
    pub(crate) async fn of(server: &Server) -> Self {
        let mut client = Client::open(server).await;
        client.send("40/control,").await;
        client.expect("40/control,{").await;
        let (ask, questions) = mpsc::unbounded_channel();
        tokio::spawn(talk(client, questions));
        Self(ask)
    }

    /// Has the server do something: its answer.
    pub(crate) async fn ask(&mut self, event: &str, arguments: &str) -> Json {
        let comma = if arguments.is_empty() { "" } else { "," };
        let (reply, answer) = oneshot::channel();
        let question = format!("42/control,1[\"{event}\"{comma}{arguments}]");
        self.0.send((question, reply)).expect("the connection is open");
        let answer = within(event, answer).await.expect("an answer");
        let answer = answer.strip_suffix(']').expect("a list");
        if answer.is_empty() { Json::Null } else { serde_json::from_str(answer).expect("JSON") }
    }

    pub(crate) async fn numbers(&mut self) -> Json {
        self.ask("numbers", "").await
    }

    /// Asks until it is so.
    pub(crate) async fn until(&mut self, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
        let mut last = Json::Null;
        let asking = async {
            loop {
                last = self.numbers().await;
                if is_so(&last) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, asking).await.is_err() {
            panic!("awaited {what}; in the end: {last}");
        }
        last
    }
}

/// A number of the server's.
pub(crate) fn number(numbers: &Json, name: &str) -> u64 {
    let found = numbers.get(name).or_else(|| numbers["held"].get(name)).and_then(Json::as_u64);
    found.unwrap_or_else(|| panic!("no {name} in {numbers}"))
}

/// How many sockets left for this reason.
pub(crate) fn left(numbers: &Json, reason: &str) -> u64 {
    numbers["reasons"].get(reason).and_then(Json::as_u64).unwrap_or_default()
}

/// Bytes as people read them.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", count / 1_000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

async fn talk(mut client: Client, mut questions: mpsc::UnboundedReceiver<Question>) {
    let mut waiting: Option<oneshot::Sender<String>> = None;
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some((question, reply)) = question else { return };
                client.send(&question).await;
                waiting = Some(reply);
            }
            packet = client.next() => match (packet, waiting.take()) {
                (Packet::Text(text), Some(reply)) if text.starts_with("43/control,1[") => {
                    // The test may be over.
                    let _ = reply.send(text["43/control,1[".len()..].to_owned());
                }
                (other, _) => panic!("awaited an answer; got {other:?}"),
            },
        }
    }
}

//! Tables of dialogues.

use std::env;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::bystander::{Bystander, unharmed};
use crate::{Failure, Outcome, Server};

/// How many dialogues are held at once: enough to pass the time of those that wait for a heartbeat,
/// few enough that heartbeats are not late.
const AT_ONCE: usize = 4;

/// A dialogue that takes longer goes round in circles.
const LONGEST: Duration = Duration::from_secs(20);

/// A row whose expectation deliberately is not what the official server does: its name, and why.
pub type Difference = (&'static str, &'static str);

type Dialogue = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// One row of a table: a dialogue with a name, and the ids of the behaviours it shows.
pub struct Case {
    name: &'static str,
    ids: &'static str,
    dialogue: Box<dyn FnOnce(Arc<Server>) -> Dialogue + Send>,
}

impl Case {
    /// A row that holds `dialogue` with the server.
    pub fn new<D, F>(name: &'static str, ids: &'static str, dialogue: D) -> Self
    where
        D: FnOnce(Arc<Server>) -> F + Send + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self { name, ids, dialogue: Box::new(move |server| Box::pin(dialogue(server))) }
    }

    /// What the row shows.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the environment asks for this row.
    fn is_selected(&self) -> bool {
        env::var("CASE").map_or(true, |wanted| {
            self.name.contains(&wanted) || self.ids.split(' ').any(|id| id == wanted)
        })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} [{}]", self.name, self.ids)
    }
}

/// Holds all dialogues of a table with one server. After each of them a client that is connected all the
/// time, the bystander, exchanges an event with it.
///
/// With `CONTRACT_OFFICIAL` set, the rows named in `differences` must fail: a difference that is
/// none any more has to leave the table.
///
/// # Panics
///
/// With all rows that failed.
pub async fn run(server: Arc<Server>, cases: Vec<Case>, differences: &[Difference]) {
    let official = env::var_os("CONTRACT_OFFICIAL").is_some();
    let bystander = Arc::new(Bystander::join(&server).await);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for case in cases.into_iter().filter(Case::is_selected) {
        let (server, permits) = (Arc::clone(&server), Arc::clone(&permits));
        let bystander = Arc::clone(&bystander);
        let label = format!("{case:?}");
        let differs = official && differences.iter().any(|(name, _)| *name == case.name);
        running.spawn(async move {
            let _permit = permits.acquire().await.expect("nobody closes the semaphore");
            let outcome = tokio::spawn(timeout(LONGEST, (case.dialogue)(server))).await;
            let outcome = outcome.map(|in_time| match in_time {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::new("the end of the dialogue", "it goes on for ever")),
            });
            let harm = unharmed(&bystander).await.err().map(|failure| failure.to_string());
            let complaint = complaint(outcome, differs).or(harm);
            complaint.map(|complaint| format!("{label}: {complaint}"))
        });
    }
    let complaints: Vec<String> = running.join_all().await.into_iter().flatten().collect();
    assert!(
        complaints.is_empty(),
        "{} failed\n  - {}",
        complaints.len(),
        complaints.join("\n  - ")
    );
}

/// What there is to say against an outcome.
fn complaint(outcome: Result<Outcome, tokio::task::JoinError>, differs: bool) -> Option<String> {
    match outcome {
        Err(panic) => Some(panic.to_string()),
        Ok(Err(_)) if differs => None,
        Ok(Err(failure)) => Some(failure.to_string()),
        Ok(Ok(())) if differs => Some("does not differ from the official server".to_owned()),
        Ok(Ok(())) => None,
    }
}

//! What went wrong in a dialogue.

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::time::timeout;

/// The longest a client waits for anything.
const PATIENCE: Duration = Duration::from_secs(3);

/// How a dialogue ends.
pub type Outcome<T = ()> = Result<T, Failure>;

/// A server that did something else than the dialogue says.
pub struct Failure {
    awaited: String,
    happened: String,
    transcript: Vec<String>,
}

impl Failure {
    /// `awaited` says what the dialogue wanted, `happened` what came instead.
    pub fn new(awaited: impl fmt::Display, happened: impl fmt::Display) -> Self {
        Self {
            awaited: awaited.to_string(),
            happened: happened.to_string(),
            transcript: Vec::new(),
        }
    }

    /// Adds what was said before.
    #[must_use]
    pub fn after(mut self, transcript: &[String]) -> Self {
        self.transcript.extend_from_slice(transcript);
        self
    }

    /// Fails unless `got` is `wanted`.
    ///
    /// # Errors
    ///
    /// If they differ.
    pub fn unless_equal<T: PartialEq + fmt::Debug>(what: &str, got: &T, wanted: &T) -> Outcome {
        if got == wanted {
            return Ok(());
        }
        Err(Self::new(format_args!("{what} {wanted:?}"), format_args!("it was {got:?}")))
    }
}

/// Both views of a failure are for people: the test harness prints the `Debug` one.
impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "awaited {}; {}", self.awaited, self.happened)?;
        for line in &self.transcript {
            write!(formatter, "\n      {line}")?;
        }
        Ok(())
    }
}

/// Waits for `future`, but not for ever.
pub(crate) async fn within<T>(
    awaited: impl Into<String>,
    future: impl Future<Output = io::Result<T>>,
) -> Outcome<T> {
    match timeout(PATIENCE, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::new(awaited.into(), error)),
        Err(_) => Err(Failure::new(awaited.into(), format_args!("nothing within {PATIENCE:?}"))),
    }
}

/// A string for a transcript: printable, and never long.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 200;
    let shown = &bytes[..bytes.len().min(LONGEST)];
    let text = String::from_utf8_lossy(shown).escape_debug().to_string();
    if bytes.len() > LONGEST { format!("{text}... ({} bytes)", bytes.len()) } else { text }
}

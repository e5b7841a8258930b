//! Lines of the log that a client can cause as often as it likes: one a second goes out at its
//! level, and says how many were left out before it; the others are at `debug`. And texts in them
//! that a client can make as long as it likes.

use std::fmt::{self, Write};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How often a line may be written.
const PERIOD: Duration = Duration::from_secs(1);

/// What one place in the program has written.
#[derive(Debug)]
pub(crate) struct Limit(Mutex<State>);

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl Limit {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State { last: None, left_out: 0 }))
    }

    /// Whether a line may be written now: how many were left out since the last one, if any were.
    pub(crate) fn pass(&self) -> Option<Option<u64>> {
        let mut state = self.0.lock();
        let now = Instant::now();
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PERIOD) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        let left_out = std::mem::replace(&mut state.left_out, 0);
        Some((left_out > 0).then_some(left_out))
    }
}

/// The beginning of a text, of which a client may have written a part: in one line, and without what a
/// terminal would take for a command.
pub(crate) struct Brief<T>(pub(crate) T);

/// Bytes of a text that are shown.
const SHOWN_BYTES: usize = 200;

impl<T: fmt::Display> fmt::Display for Brief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut beginning = Beginning { to: f, left: SHOWN_BYTES };
        match write!(beginning, "{}", self.0) {
            Err(fmt::Error) if beginning.left == 0 => f.write_str("…"),
            result => result,
        }
    }
}

/// The same between quotation marks.
impl<T: fmt::Display> fmt::Debug for Brief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Takes so much, and no more.
struct Beginning<'a, 'f> {
    to: &'a mut fmt::Formatter<'f>,
    left: usize,
}

impl Write for Beginning<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, control)) = rest.char_indices().find(|(_, one)| breaks_lines(*one)) {
            self.write_part(rest.get(..at).unwrap_or_default())?;
            control
                .escape_default()
                .try_for_each(|one| self.write_part(one.encode_utf8(&mut [0; 4])))?;
            rest = rest.get(at + control.len_utf8()..).unwrap_or_default();
        }
        self.write_part(rest)
    }
}

/// Also those characters that change the direction of what follows.
fn breaks_lines(one: char) -> bool {
    one.is_control() || matches!(one, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Beginning<'_, '_> {
    fn write_part(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left {
            self.left -= text.len();
            return self.to.write_str(text);
        }
        let beginning = text.get(..text.floor_char_boundary(self.left)).unwrap_or_default();
        self.left = 0;
        self.to.write_str(beginning)?;
        Err(fmt::Error)
    }
}

/// `limited!(warn, field, "text")`: a line of `tracing` of which one a second is written.
macro_rules! limited {
    ($level:ident, $($line:tt)*) => {{
        static LIMIT: $crate::limited::Limit = $crate::limited::Limit::new();
        match LIMIT.pass() {
            Some(left_out) => tracing::$level!(left_out, $($line)*),
            None => tracing::debug!($($line)*),
        }
    }};
}

pub(crate) use limited;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_second_passes_and_says_how_many_did_not() {
        let limit = Limit::new();
        assert_eq!(limit.pass(), Some(None));
        assert_eq!([limit.pass(), limit.pass()], [None, None]);
        tokio::time::advance(PERIOD).await;
        assert_eq!(limit.pass(), Some(Some(2)));
        assert_eq!(limit.pass(), None);
        tokio::time::advance(2 * PERIOD).await;
        assert_eq!([limit.pass(), limit.pass()], [Some(Some(1)), None]);
    }

    #[test]
    fn z_10_a_text_is_one_line_and_no_command() {
        let text = "a\r\nERROR b\u{1b}[2J\u{202e}é\u{7f}\u{85}";
        let shown = "a\\r\\nERROR b\\u{1b}[2J\\u{202e}é\\u{7f}\\u{85}";
        assert_eq!(Brief(text).to_string(), shown);
        assert!(Brief("\n".repeat(1_000)).to_string().len() <= 200 + "…".len());
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        for (text, shown) in [
            (String::new(), String::new()),
            ("a".repeat(200), "a".repeat(200)),
            ("a".repeat(201), format!("{}…", "a".repeat(200))),
            (format!("{}é", "a".repeat(199)), format!("{}…", "a".repeat(199))),
        ] {
            assert_eq!(Brief(&text).to_string(), shown);
        }
        let parts = format_args!("{}{}{}", "a".repeat(150), "b".repeat(50), "c").to_string();
        assert_eq!(Brief(parts).to_string().len(), 200 + "…".len());
    }
}

use std::cell::RefCell;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// The second in which it was written, and what was written.
struct Written {
    second: u64,
    text: String,
}

thread_local! {
    static WRITTEN: RefCell<Written> =
        const { RefCell::new(Written { second: u64::MAX, text: String::new() }) };
}

/// Lends the time as a response says it; it is written once a second by each thread.
pub(super) fn with_now<R>(use_it: impl FnOnce(&str) -> R) -> R {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    WRITTEN.with_borrow_mut(|written| {
        if written.second != second {
            written.second = second;
            written.text.clear();
            let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second));
            // Into a string it cannot fail.
            let _ = write!(written.text, "{date}");
        }
        use_it(&written.text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_the_time_of_now() {
        let before = SystemTime::now() - Duration::from_secs(1);
        let written = with_now(|date| httpdate::parse_http_date(date).unwrap());
        assert!((before..=SystemTime::now()).contains(&written), "{written:?}");
    }
}

use std::fmt;

/// Milliseconds from the epoch to either end of the time that a JavaScript date can have.
const RANGE: u64 = 8_640_000_000_000_000;
const MILLIS_PER_DAY: i64 = 86_400_000;

/// A point in time as JavaScript's `toISOString` writes it.
pub(super) struct Date {
    year: i64,
    month: i64,
    day: i64,
    /// Since midnight.
    millis: i64,
}

impl Date {
    /// The time so many milliseconds after the epoch. `None` if no JavaScript date has it.
    pub(super) fn from_millis(millis: i64) -> Option<Self> {
        if millis.unsigned_abs() > RANGE {
            return None;
        }
        let (year, month, day) = calendar(millis.div_euclid(MILLIS_PER_DAY));
        Some(Self { year, month, day, millis: millis.rem_euclid(MILLIS_PER_DAY) })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.year {
            year @ 0..=9999 => write!(f, "{year:04}")?,
            year => write!(f, "{year:+07}")?,
        }
        let Self { month, day, millis, .. } = self;
        let (hour, minute) = (millis / 3_600_000, millis / 60_000 % 60);
        let (second, millis) = (millis / 1_000 % 60, millis % 1_000);
        write!(f, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of a day counted from the epoch.
///
/// Years are counted from March here, so that the day which only some have is their last, and in
/// eras of 400, which are all of the same length.
const fn calendar(day: i64) -> (i64, i64, i64) {
    /// From the first of March of the year 0 to the epoch.
    const EPOCH: i64 = 719_468;
    const ERA: i64 = 146_097;
    let (era, day) = ((day + EPOCH).div_euclid(ERA), (day + EPOCH).rem_euclid(ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on the lengths of months repeat every five: 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (era * 400 + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_javascript() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_123, "2024-02-29T00:00:00.123Z"),
            (1_767_225_599_000, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-2_203_977_600_000, "1900-02-28T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(Date::from_millis(millis).unwrap().to_string(), expected, "{millis}");
        }
        for millis in [8_640_000_000_000_001, -8_640_000_000_000_001, i64::MAX, i64::MIN] {
            assert!(Date::from_millis(millis).is_none(), "{millis}");
        }
    }
}

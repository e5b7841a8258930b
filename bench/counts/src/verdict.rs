use std::fmt;

use bench_counts::{RECEIVER, workload};

use crate::expected::{Figures, Kind};

/// So much more or less is no difference, if the same compiler has built both.
const TOLERANCE: f64 = 0.10;
/// The same where it was another one: it may inline something else.
const OTHER_COMPILER: f64 = 0.25;
/// So little is none: a call that one run makes once more than the other.
const NONE: f64 = 0.02;

/// What was counted, beside what was expected.
#[derive(Debug)]
pub(crate) struct Verdict {
    lines: Vec<Line>,
    /// Compilers, if they are not the same.
    compilers: Option<(String, String)>,
    /// Expected, but counted no more.
    unknown: Vec<String>,
}

#[derive(Debug)]
struct Line {
    kind: Kind,
    name: String,
    expected: Option<f64>,
    counted: f64,
    judgement: Judgement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    AsExpected,
    Less,
    More,
    NotExpected,
}

impl Judgement {
    fn of(expected: Option<f64>, counted: f64, tolerance: f64) -> Self {
        match expected {
            None => Self::NotExpected,
            Some(expected) if counted > expected * (1.0 + tolerance) + NONE => Self::More,
            Some(expected) if counted < expected * (1.0 - tolerance) - NONE => Self::Less,
            Some(_) => Self::AsExpected,
        }
    }
}

impl Verdict {
    /// `is_complete`: all was counted that there is.
    pub(crate) fn of(expected: &Figures, counted: &Figures, is_complete: bool) -> Self {
        let same = expected.built_with == counted.built_with;
        let line = |(kind, name, counted): (Kind, &str, f64)| {
            let expected = expected.get(kind, name);
            // What the system is asked for is no matter of the compiler.
            let is_close = same || kind != Kind::Instructions;
            let tolerance = if is_close { TOLERANCE } else { OTHER_COMPILER };
            let judgement = Judgement::of(expected, counted, tolerance);
            Line { kind, name: name.to_owned(), expected, counted, judgement }
        };
        let is_gone =
            |(kind, name, _): &(Kind, &str, f64)| is_complete && counted.get(*kind, name).is_none();
        Self {
            lines: counted.iter().map(line).collect(),
            compilers: (!same).then(|| (expected.built_with.clone(), counted.built_with.clone())),
            unknown: expected.iter().filter(is_gone).map(|(_, name, _)| name.to_owned()).collect(),
        }
    }

    /// Nothing costs more than expected, and there is an expectation of everything.
    pub(crate) fn is_good(&self) -> bool {
        let is_bad =
            |line: &Line| matches!(line.judgement, Judgement::More | Judgement::NotExpected);
        self.unknown.is_empty() && !self.lines.iter().any(is_bad)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:14} {:20} {:>10} {:>10}", "for each", "operation", "expected", "counted")?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        if let Some((expected, counted)) = &self.compilers {
            writeln!(
                f,
                "expected of {expected}, counted of {counted}: up to a quarter more is let pass"
            )?;
        }
        for name in &self.unknown {
            writeln!(f, "{name} is expected, but no workload: take it out of expected.toml")?;
        }
        for line in &self.lines {
            line.advise(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, expected, counted, judgement } = self;
        let digits = if *kind == Kind::Instructions { 0 } else { 3 };
        write!(f, "{:14} {name:20} ", kind.name())?;
        match expected {
            Some(expected) => write!(f, "{expected:>10.digits$} {counted:>10.digits$}")?,
            None => write!(f, "{:>10} {counted:>10.digits$}", "-")?,
        }
        match judgement {
            Judgement::AsExpected => Ok(()),
            Judgement::Less => write!(f, "  less"),
            Judgement::More => write!(f, "  MORE"),
            Judgement::NotExpected => write!(f, "  NOT EXPECTED"),
        }
    }
}

impl Line {
    fn advise(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, expected, counted, judgement } = self;
        let expected = expected.unwrap_or_default();
        // What one more receiver costs is seen where there are many.
        let (_, _, many, _) = RECEIVER;
        let shown = workload(name).map_or(many, |workload| workload.name);
        let command = match kind {
            Kind::Instructions => {
                format!("cargo run --release --locked -p bench-counts -- profile {shown}")
            }
            Kind::SystemCalls | Kind::Writes => format!(
                "valgrind --tool=none --trace-syscalls=yes target/release/bench-counts run {shown} 64"
            ),
        };
        let kind = kind.name();
        match judgement {
            Judgement::AsExpected => Ok(()),
            Judgement::Less => writeln!(
                f,
                "{name}: {counted:.3} {kind}, {expected:.3} expected: lower what is expected, with \
                 `bench-counts write`"
            ),
            Judgement::More => writeln!(
                f,
                "{name}: {counted:.3} {kind}, {expected:.3} expected. Where they are spent: `{command}`"
            ),
            Judgement::NotExpected => {
                writeln!(
                    f,
                    "{name}: {kind} not in expected.toml; `bench-counts write` puts them there"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(built_with: &str, entries: &[(&str, f64)]) -> Figures {
        let mut figures = Figures::of(built_with);
        entries.iter().for_each(|(name, figure)| figures.set(Kind::Instructions, name, *figure));
        figures
    }

    fn verdict(counted: f64, built_with: &str) -> Verdict {
        let expected = figures("rustc 1", &[("echo-16", 1_000.0)]);
        Verdict::of(&expected, &figures(built_with, &[("echo-16", counted)]), true)
    }

    #[test]
    fn a_tenth_more_is_too_much() {
        assert!(verdict(1_090.0, "rustc 1").is_good());
        let much = verdict(1_110.0, "rustc 1");
        assert!(!much.is_good());
        let said = much.to_string();
        assert!(said.contains("echo-16: 1110.000 instructions, 1000.000 expected"), "{said}");
        assert!(said.contains("profile echo-16"), "{said}");
    }

    #[test]
    fn what_costs_nothing_may_not_cost_one_call_in_ten() {
        assert_eq!(Judgement::of(Some(0.0), 0.001, TOLERANCE), Judgement::AsExpected);
        assert_eq!(Judgement::of(Some(0.0), 0.1, TOLERANCE), Judgement::More);
    }

    #[test]
    fn a_tenth_less_is_told_and_no_failure() {
        let little = verdict(800.0, "rustc 1");
        assert!(little.is_good());
        assert!(little.to_string().contains("lower what is expected"));
    }

    #[test]
    fn another_compiler_may_cost_a_quarter_more_and_is_told() {
        assert!(verdict(1_240.0, "rustc 2").is_good());
        assert!(!verdict(1_260.0, "rustc 2").is_good());
        assert!(verdict(1_000.0, "rustc 2").to_string().contains("counted of rustc 2"));
    }

    #[test]
    fn what_has_no_expectation_fails_and_so_does_what_has_no_count() {
        let counted = figures("rustc 1", &[("echo-16", 1.0), ("new", 1.0)]);
        assert!(!Verdict::of(&figures("rustc 1", &[("echo-16", 1.0)]), &counted, true).is_good());
        let expected = figures("rustc 1", &[("echo-16", 1.0), ("new", 1.0), ("gone", 1.0)]);
        assert!(!Verdict::of(&expected, &counted, true).is_good());
        assert!(Verdict::of(&expected, &counted, false).is_good());
    }
}

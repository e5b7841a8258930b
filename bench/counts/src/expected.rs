//! `expected.toml`: what each workload costs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::Outcome;

/// The compiler that has built this program.
pub(crate) const BUILT_WITH: &str = env!("BUILT_WITH");

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/expected.toml");

const HEAD: &str = "\
# What one operation of each workload costs: see README.md. Written by `bench-counts write`.
";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Instructions in user space.
    Instructions,
    /// System calls that carry bytes or wait for them.
    SystemCalls,
    /// Those among them that write.
    Writes,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Instructions, Self::SystemCalls, Self::Writes];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::SystemCalls => "system-calls",
            Self::Writes => "writes",
        }
    }

    fn show(self, figure: f64) -> String {
        match self {
            Self::Instructions => format!("{figure:.0}"),
            Self::SystemCalls | Self::Writes => format!("{figure:.4}"),
        }
    }
}

/// Figures of workloads, for each operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) built_with: String,
    figures: BTreeMap<(Kind, String), f64>,
}

impl Figures {
    /// No figures of a program that this compiler has built.
    pub(crate) fn of(compiler: &str) -> Self {
        Self { built_with: compiler.to_owned(), figures: BTreeMap::new() }
    }

    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<f64> {
        self.figures.get(&(kind, name.to_owned())).copied()
    }

    pub(crate) fn set(&mut self, kind: Kind, name: &str, figure: f64) {
        self.figures.insert((kind, name.to_owned()), figure);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Kind, &str, f64)> {
        self.figures.iter().map(|((kind, name), figure)| (*kind, name.as_str(), *figure))
    }

    /// What was counted now takes the place of what was known.
    pub(crate) fn replace(&mut self, counted: Self) {
        self.built_with = counted.built_with;
        self.figures.extend(counted.figures);
    }

    pub(crate) fn read() -> Outcome<Self> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
        Self::parse(&text)
    }

    pub(crate) fn write(&self) -> Outcome {
        fs::write(PATH, self.to_text()).map_err(|error| format!("{PATH}: {error}"))
    }

    fn parse(text: &str) -> Outcome<Self> {
        let (mut figures, mut kind) = (Self::default(), None);
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let broken = || format!("expected.toml: what is `{line}`?");
            if let Some(table) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                kind = Some(Kind::ALL.into_iter().find(|kind| kind.name() == table));
                kind.flatten().ok_or_else(broken)?;
                continue;
            }
            let (key, value) = line.split_once(" = ").ok_or_else(broken)?;
            match kind.flatten() {
                None if key == "built-with" => figures.built_with = value.trim_matches('"').into(),
                None => return Err(broken()),
                Some(kind) => figures.set(kind, key, value.parse().map_err(|_| broken())?),
            }
        }
        Ok(figures)
    }

    fn to_text(&self) -> String {
        let mut text = format!("{HEAD}built-with = \"{}\"\n", self.built_with);
        let mut table = None;
        for (kind, name, figure) in self.iter() {
            if table.replace(kind) != Some(kind) {
                let _ = write!(text, "\n[{}]\n", kind.name());
            }
            let _ = writeln!(text, "{name} = {}", kind.show(figure));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut figures = Figures::of("rustc 1.0");
        figures.set(Kind::Instructions, "echo-16", 2_252.0);
        figures.set(Kind::Writes, "echo-16", 0.125);
        let read = Figures::parse(&figures.to_text()).expect("it was written so");
        assert_eq!(read.built_with, figures.built_with);
        assert!(read.iter().eq(figures.iter()));
    }

    #[test]
    fn what_is_no_figure_is_an_error() {
        for text in ["[instructions]\necho-16 = many", "[seconds]", "echo-16 = 1", "echo-16"] {
            assert!(Figures::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_file_knows_every_workload() {
        let expected = Figures::read().expect("a file that can be read");
        for workload in bench_counts::WORKLOADS {
            for kind in Kind::ALL {
                let is_counted = kind == Kind::Instructions || workload.is_served;
                let is_known = expected.get(kind, workload.name).is_some();
                assert_eq!(is_known, is_counted, "{kind:?} of {}", workload.name);
            }
        }
    }
}

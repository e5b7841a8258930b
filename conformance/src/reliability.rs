//! The page `reliability.md`: each input and fault that was thought of, and what comes out.
//!
//! A row is `| id | input or fault | what comes out | shown by | figure |`. The figures are not
//! written by hand: a test prints a line `figure ID: text`, and [`with_figures`] puts what such lines
//! say into the last column.

use std::collections::BTreeMap;

use crate::table::{self, Kind, Row, Shape};

/// `| id | input or fault | what comes out | shown by | figure |`
pub const SHAPE: Shape = Shape::new(5, 3);

/// Where a row without a figure has a dash.
const FIGURE: usize = 4;

/// What begins a line that tells a figure.
const PREFIX: &str = "figure ";

/// How rows are counted.
pub const GROUPS: [(&str, &[Kind]); 4] = [
    ("green", &[Kind::Shown]),
    ("explained", &[Kind::Differs, Kind::Absent]),
    ("later", &[Kind::Later]),
    ("not run", &[Kind::NotRun]),
];

/// The inputs and faults of the catalogue: a letter, and the first and the last number.
const INPUTS: [(char, usize, usize); 14] = [
    ('P', 1, 24),
    ('E', 1, 25),
    ('W', 1, 20),
    ('T', 1, 10),
    ('S', 1, 11),
    ('S', 20, 24),
    ('S', 30, 33),
    ('R', 1, 10),
    ('A', 1, 17),
    ('C', 1, 13),
    ('B', 1, 10),
    ('Z', 1, 10),
    ('L', 1, 2),
    ('X', 1, 4),
];

/// The checks of whole systems: a letter and the last number.
const CHECKS: [(char, usize); 16] = [
    ('F', 10),
    ('H', 9),
    ('V', 8),
    ('Q', 4),
    ('B', 5),
    ('M', 9),
    ('K', 6),
    ('O', 10),
    ('N', 6),
    ('G', 6),
    ('C', 3),
    ('D', 5),
    ('L', 4),
    ('Z', 8),
    ('R', 4),
    ('X', 9),
];

/// All ids: those of inputs have two digits, those of checks as many as they need.
pub fn ids() -> impl Iterator<Item = String> {
    let inputs = INPUTS.iter().flat_map(|(letter, first, last)| {
        (*first..=*last).map(move |number| format!("{letter}{number:02}"))
    });
    let checks = CHECKS
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")));
    inputs.chain(checks)
}

/// The figures in what tests have printed, by id. The last one counts.
pub fn figures<'text>(
    lines: impl IntoIterator<Item = &'text str>,
) -> BTreeMap<&'text str, &'text str> {
    let figure = |line: &'text str| {
        // Tests that run at the same time may have written before it on the line.
        let start = line.find(PREFIX)? + PREFIX.len();
        let (id, text) = line[start..].split_once(": ")?;
        ids().any(|known| known == id).then(|| (id, text.trim()))
    };
    lines.into_iter().filter_map(figure).collect()
}

/// The page with these figures in its last column; a row of which they say nothing keeps what it
/// had. Also ids that have no row.
#[must_use]
pub fn with_figures<'figures>(
    page: &str,
    figures: &BTreeMap<&'figures str, &str>,
) -> (String, Vec<&'figures str>) {
    let mut left = figures.clone();
    let text = rewritten(page, |row| left.remove(row.id()).map(|figure| with_figure(row, figure)));
    (text, left.into_keys().collect())
}

fn with_figure(row: &Row<'_>, figure: &str) -> String {
    let mut columns = row.columns.clone();
    // A bar would begin another column.
    let figure = figure.replace('|', "/");
    columns[FIGURE] = &figure;
    format!("| {} |", columns.join(" | "))
}

/// The page with these rows instead of those that have the same ids. Also ids that have no row.
#[must_use]
pub fn with_rows<'rows>(page: &str, rows: &'rows str) -> (String, Vec<&'rows str>) {
    let new = rows.lines().filter(|line| table::is_row(line));
    let new = new.filter_map(|line| table::row("", line, SHAPE).map(|row| (row.columns[0], line)));
    let mut left: BTreeMap<&str, &str> = new.collect();
    let text = rewritten(page, |row| {
        let line = left.remove(row.id())?;
        let new = table::row("", line, SHAPE)?;
        let keeps = matches!(new.columns[FIGURE], "" | "-");
        Some(if keeps { with_figure(&new, row.columns[FIGURE]) } else { line.to_owned() })
    });
    (text, left.into_keys().collect())
}

fn rewritten(page: &str, mut rewrite: impl FnMut(&Row<'_>) -> Option<String>) -> String {
    let mut text = String::with_capacity(page.len());
    for line in page.lines() {
        let row = table::is_row(line).then(|| table::row("", line, SHAPE)).flatten();
        let new = row.and_then(|row| rewrite(&row));
        text += new.as_deref().unwrap_or(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\n| id | input | outcome | shown by | figure |\n\
                        | --- | --- | --- | --- | --- |\n\
                        | W13 | pings | pongs | `a/b.rs::c` | - |\n\
                        | B1 | nothing | an end | later: why | 3 s |\n";

    #[test]
    fn figures_are_found_in_what_tests_print() {
        let output = "running 2 tests\ntest a ... figure W13: old\nfigure W13: 20 s, grew: 2 kB\n\
                      figure 3: none\nfigure W13 none\nfigure B1: 4 s \n";
        let figures = figures(output.lines());
        let all: Vec<_> = figures.iter().map(|(id, text)| (*id, *text)).collect();
        assert_eq!(all, [("B1", "4 s"), ("W13", "20 s, grew: 2 kB")]);
    }

    #[test]
    fn a_figure_goes_into_the_last_column_and_nothing_else_changes() {
        let figures = BTreeMap::from([("W13", "2 kB | 3 kB"), ("W14", "nothing")]);
        let (page, unknown) = with_figures(PAGE, &figures);
        assert_eq!(page, PAGE.replace("`a/b.rs::c` | - |", "`a/b.rs::c` | 2 kB / 3 kB |"));
        assert_eq!(unknown, ["W14"]);
    }

    #[test]
    fn rows_take_the_place_of_those_with_the_same_id() {
        let rows =
            "comment\n| B1 | new | newer | not run: why | - |\n| Q1 | a | b | later: c | - |";
        let (page, unknown) = with_rows(PAGE, rows);
        let new = "| B1 | new | newer | not run: why | 3 s |";
        assert_eq!(page, PAGE.replace("| B1 | nothing | an end | later: why | 3 s |", new));
        assert_eq!(unknown, ["Q1"]);
    }

    #[test]
    fn the_catalogue_has_271_ids_and_no_two_are_alike() {
        let mut all: Vec<_> = ids().collect();
        assert_eq!(all.len(), 165 + 106);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 165 + 106);
    }
}

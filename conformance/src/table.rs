//! Tables in Markdown whose rows name tests: `checklist.md` and `reliability.md`.
//!
//! A row begins with an id. One of its columns, `shown by`, names tests in code spans: a file, `::`,
//! and a Rust function, or in quotation marks the name of a case or the title of a test; `::` alone
//! means the same file again. One of the words of [`Kind`] may stand before them.
//!
//! Nothing here runs a test: whether it exists is all that is looked at.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// What stands in the column `shown by` before the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing: the tests show that it is so.
    Shown,
    /// `differs:` it is otherwise here, for a reason; the tests show how.
    Differs,
    /// `absent:` there is no such thing here, for a reason.
    Absent,
    /// `later:` it belongs to a part that is not built yet, which is named.
    Later,
    /// `not run:` nobody has seen it, for a reason.
    NotRun,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::Shown, ""),
    (Kind::Differs, "differs:"),
    (Kind::Absent, "absent:"),
    (Kind::Later, "later:"),
    (Kind::NotRun, "not run:"),
];

/// How a page's tables are made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    columns: usize,
    shown_by: usize,
}

impl Shape {
    /// Rows of so many columns, of which this one, counted from zero, names the tests.
    #[must_use]
    pub const fn new(columns: usize, shown_by: usize) -> Self {
        Self { columns, shown_by }
    }
}

/// One line of a table.
#[derive(Debug)]
#[non_exhaustive]
pub struct Row<'page> {
    /// The heading above it.
    pub section: &'page str,
    /// All columns.
    pub columns: Vec<&'page str>,
    /// What is said of it.
    pub kind: Kind,
    /// Why.
    pub reason: String,
    /// What shows it.
    pub tests: Vec<Test<'page>>,
}

/// What a code span of the column `shown by` names.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Test<'page> {
    /// The path from the root of the repository.
    pub file: &'page str,
    /// What is in the file.
    pub name: Name<'page>,
}

/// Which test of a file.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Name<'page> {
    /// `file::function`
    Function(&'page str),
    /// `file::"title of a case"`
    Title(&'page str),
    /// `file` alone: an example, or a file of tests as a whole.
    None,
}

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All rows under the headings of a page, and lines that look like one but are not.
#[must_use]
pub fn rows(page: &str, shape: Shape) -> (Vec<Row<'_>>, Vec<String>) {
    let (mut rows, mut problems, mut section) = (Vec::new(), Vec::new(), "");
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let is_row = !section.is_empty() && is_row(line);
        match row(section, line, shape) {
            _ if !is_row => {}
            Some(row) => rows.push(row),
            None => problems.push(format!("no row of {} columns: {line}", shape.columns)),
        }
    }
    (rows, problems)
}

/// Whether a line is a row, and not the head of a table or the line below it.
#[must_use]
pub fn is_row(line: &str) -> bool {
    line.starts_with('|') && !line.starts_with("| -") && !line.starts_with("| id |")
}

/// Reads a row; `None` if it has fewer columns.
#[must_use]
pub fn row<'page>(section: &'page str, line: &'page str, shape: Shape) -> Option<Row<'page>> {
    let columns = line.strip_prefix('|')?.strip_suffix('|')?.splitn(shape.columns, " | ");
    let columns: Vec<_> = columns.map(str::trim).collect();
    let shown_by = (columns.len() == shape.columns).then(|| columns.get(shape.shown_by)).flatten();
    let (spans, words) = code_spans(shown_by?);
    let is_kind = |(_, word): &&(Kind, &str)| words.starts_with(word);
    let (kind, word) = KINDS.iter().rev().find(is_kind)?;
    let reason = words[word.len()..].trim_matches([' ', ',', '.']).to_owned();
    Some(Row { section, columns, kind: *kind, reason, tests: tests(&spans) })
}

impl Row<'_> {
    /// The id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.columns[0]
    }

    /// What is wrong with it by itself.
    #[must_use]
    pub fn complaint(&self, shape: Shape) -> Option<&'static str> {
        let named = self.tests.iter().any(|test| !matches!(test.name, Name::None));
        let unexplained = self.reason.is_empty();
        match self.kind {
            _ if self.columns[..shape.shown_by].iter().any(|words| words.is_empty()) => {
                Some("has no words")
            }
            Kind::Shown if !unexplained => Some("gives a reason, but not for what"),
            Kind::Shown if !named => Some("has neither test nor reason"),
            Kind::Differs if !named => Some("differs, and no test shows how"),
            Kind::Shown => None,
            _ => unexplained.then_some("gives no reason"),
        }
    }
}

/// The code spans of a line of Markdown, and its other text.
fn code_spans(text: &str) -> (Vec<&str>, String) {
    let (mut spans, mut words, mut rest) = (Vec::new(), String::new(), text);
    while let Some(start) = rest.find('`') {
        words += &rest[..start];
        let length = rest[start..].bytes().take_while(|byte| *byte == b'`').count();
        let (fence, after) = rest[start..].split_at(length);
        let Some((span, after)) = after.split_once(fence) else { break };
        spans.push(span);
        rest = after;
    }
    (spans, words + rest)
}

/// Those of the code spans that name a file, or something in the last one.
fn tests<'page>(spans: &[&'page str]) -> Vec<Test<'page>> {
    let mut last = "";
    let test = |span: &&'page str| {
        let (file, name) = span.split_once("::").unwrap_or((span, ""));
        last = if file.is_empty() { last } else { file };
        let title = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let name = match title {
            Some(title) => Name::Title(title),
            None if name.is_empty() => Name::None,
            None => Name::Function(name),
        };
        Test { file: last, name }
    };
    spans.iter().filter(|span| span.contains('/') || span.starts_with("::")).map(test).collect()
}

/// Whether a source defines what a row says it does.
fn defines(source: &str, name: Name<'_>) -> bool {
    match name {
        Name::None => true,
        Name::Function(name) => is_test_function(source, name),
        Name::Title(title) => ['"', '`', '\''].iter().any(|quote| {
            source.match_indices(&format!("{quote}{title}{quote}")).any(|(start, _)| {
                let before = source[..start].trim_end();
                ["(", "[", "title:"].iter().any(|opening| before.ends_with(opening))
            })
        }),
    }
}

/// Whether there is a function of this name with `#[test]`, or another such attribute, above it.
fn is_test_function(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim_start).collect();
    let starts = ["fn ", "async fn "].map(|start| format!("{start}{name}("));
    let is_definition = |line: &str| starts.iter().any(|start| line.starts_with(start));
    lines.iter().enumerate().filter(|(_, line)| is_definition(line)).any(|(number, _)| {
        let attributes = lines[..number].iter().rev().take_while(|line| line.starts_with("#["));
        attributes
            .clone()
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

/// Ids that are missing, unknown, or there twice.
#[must_use]
pub fn wrong_ids(rows: &[Row<'_>], known: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut left: BTreeMap<String, usize> = known.into_iter().map(|id| (id, 0)).collect();
    let mut problems = Vec::new();
    for row in rows {
        match left.get_mut(row.id()) {
            Some(count) => *count += 1,
            None => problems.push(format!("{} is no known id", row.id())),
        }
    }
    let wrong = left.iter().filter(|(_, count)| **count != 1);
    problems.extend(wrong.map(|(id, count)| format!("{id} stands there {count} times")));
    problems
}

/// Tests that are named and do not exist.
#[must_use]
pub fn missing_tests(rows: &[Row<'_>]) -> Vec<String> {
    let mut sources: HashMap<&str, Option<String>> = HashMap::new();
    let mut problems = Vec::new();
    for (row, test) in rows.iter().flat_map(|row| row.tests.iter().map(move |test| (row, test))) {
        let read = || fs::read_to_string(root().join(test.file)).ok();
        let source = sources.entry(test.file).or_insert_with(read);
        if !source.as_ref().is_some_and(|source| defines(source, test.name)) {
            problems.push(format!("{}: {} has no {:?}", row.id(), test.file, test.name));
        }
    }
    problems
}

/// All that is wrong with a page's rows, ids and tests.
#[must_use]
pub fn problems(
    rows: &[Row<'_>],
    shape: Shape,
    known: impl IntoIterator<Item = String>,
) -> Vec<String> {
    let mut problems = wrong_ids(rows, known);
    let complaints = rows.iter().filter_map(|row| Some((row.id(), row.complaint(shape)?)));
    problems.extend(complaints.map(|(id, complaint)| format!("{id} {complaint}")));
    problems.extend(missing_tests(rows));
    problems
}

/// How many rows there are in each section, and in all: those of each group of kinds under its
/// title.
#[must_use]
pub fn counts(rows: &[Row<'_>], groups: &[(&str, &[Kind])]) -> String {
    let mut sections: Vec<&str> = rows.iter().map(|row| row.section).collect();
    sections.dedup();
    let mut text = format!("{:56}", "");
    for (title, _) in groups {
        let _ = write!(text, " {title:>9}");
    }
    for section in sections.into_iter().map(Some).chain([None]) {
        let _ = write!(text, "\n{:56}", section.unwrap_or("in all"));
        for (_, kinds) in groups {
            let is_meant = |row: &&Row<'_>| {
                section.is_none_or(|section| section == row.section) && kinds.contains(&row.kind)
            };
            let _ = write!(text, " {:>9}", rows.iter().filter(is_meant).count());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: Shape = Shape::new(3, 2);

    #[test]
    fn what_is_wrong_with_a_row_is_found() {
        for (line, wrong) in [
            ("| E-001 | words | `tests/f.rs::name` |", None),
            ("| E-001 | words | differs: why. `tests/f.rs::name`, `::other` |", None),
            ("| E-001 | words | absent: why, and `in_place` of `what` |", None),
            ("| E-001 | words | later: what |", None),
            ("| E-001 | words | not run: why |", None),
            ("| E-001 |  | `tests/f.rs::name` |", Some("has no words")),
            ("| E-001 | words | |", Some("has neither test nor reason")),
            ("| E-001 | words | `tests/f.rs` |", Some("has neither test nor reason")),
            (
                "| E-001 | words | because `tests/f.rs::name` |",
                Some("gives a reason, but not for what"),
            ),
            ("| E-001 | words | differs: why |", Some("differs, and no test shows how")),
            ("| E-001 | words | differs: `tests/f.rs::name` |", Some("gives no reason")),
            ("| E-001 | words | later: |", Some("gives no reason")),
            ("| E-001 | words | not run: |", Some("gives no reason")),
        ] {
            let row = row("section", line, THREE).expect("three columns");
            assert_eq!(row.complaint(THREE), wrong, "{line}");
        }
        assert!(row("section", "| E-001 |", THREE).is_none());
        assert!(row("section", "| E-001 | words |", THREE).is_none());
    }

    #[test]
    fn each_id_stands_there_once() {
        let read = |line| row("section", line, THREE).expect("three columns");
        let rows = [
            read("| A1 | words | absent: why |"),
            read("| A2 | words | absent: why |"),
            read("| A2 | words | absent: why |"),
            read("| B1 | words | absent: why |"),
        ];
        let known = ["A1", "A2", "A3"].map(str::to_owned);
        let problems = ["B1 is no known id", "A2 stands there 2 times", "A3 stands there 0 times"];
        assert_eq!(wrong_ids(&rows, known), problems);
    }

    #[test]
    fn rows_are_counted_by_section_and_kind() {
        let page = "| A0 | no | section |\n## One\n| id | words | shown by |\n| --- | --- | --- |\n\
                    | A1 | words | later: why |\n## Two\n| A2 | words | later: why |\n\
                    | A3 | words | `a/b.rs::c` |\n| A4 |";
        let (rows, problems) = rows(page, THREE);
        assert_eq!(problems, ["no row of 3 columns: | A4 |"]);
        let text = counts(&rows, &[("shown", &[Kind::Shown]), ("later", &[Kind::Later])]);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            lines,
            [
                vec!["shown", "later"],
                vec!["One", "0", "1"],
                vec!["Two", "1", "1"],
                vec!["in", "all", "1", "2"]
            ]
        );
    }

    #[test]
    fn only_definitions_are_tests() {
        let source = "#[tokio::test]\n#[cfg(x)]\nasync fn one() {}\nfn two() {}\nlet a = one();\n\
                      // \"in a comment\"\nCase::new(\n    \"a case\", |x| x)\ntest(`in ${every} way`, () =>\n\
                      { title: \"a title\" }";
        for (name, defined) in [
            (Name::Function("one"), true),
            (Name::Function("two"), false),
            (Name::Function("on"), false),
            (Name::Title("a case"), true),
            (Name::Title("in ${every} way"), true),
            (Name::Title("a title"), true),
            (Name::Title("a cas"), false),
            (Name::Title("in a comment"), false),
        ] {
            assert_eq!(defines(source, name), defined, "{name:?}");
        }
        let (spans, words) = code_spans("differs: why. `a.rs::b`, ``c.rs::\"of `/`\"``");
        assert_eq!(
            (spans, words.as_str()),
            (vec!["a.rs::b", "c.rs::\"of `/`\""], "differs: why. , ")
        );
    }
}

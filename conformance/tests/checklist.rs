//! Keeps `checklist.md` true: every known id stands there once, with words and with tests that
//! exist, or a reason. Prints how many there are of each kind.

#![expect(clippy::print_stdout, reason = "the counts are what `test.sh` runs this for")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// The behaviours there are: a letter, the last number, and the digits that a number has.
const IDS: [(char, usize, usize); 5] =
    [('E', 118, 3), ('S', 102, 3), ('R', 9, 1), ('C', 56, 3), ('T', 25, 1)];

/// What stands in a row's last column before the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Shown,
    Differs,
    Absent,
    Later,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Shown, ""),
    (Kind::Differs, "differs:"),
    (Kind::Absent, "absent:"),
    (Kind::Later, "later:"),
];

/// One line of a table.
#[derive(Debug)]
struct Row<'page> {
    section: &'page str,
    id: &'page str,
    behaviour: &'page str,
    kind: Kind,
    reason: String,
    tests: Vec<Test<'page>>,
}

/// What a code span of the last column names.
#[derive(Clone, Copy, Debug)]
struct Test<'page> {
    file: &'page str,
    name: Name<'page>,
}

#[derive(Clone, Copy, Debug)]
enum Name<'page> {
    /// `file::function`
    Function(&'page str),
    /// `file::"title of a case"`
    Title(&'page str),
    /// `file` alone: an example, or a file of tests as a whole.
    None,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All rows, and lines that look like one but are not.
fn rows(page: &str) -> (Vec<Row<'_>>, Vec<String>) {
    let (mut rows, mut problems, mut section) = (Vec::new(), Vec::new(), "");
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let is_row = !section.is_empty() && line.starts_with('|') && !line.starts_with("| -");
        match row(section, line) {
            _ if !is_row || line.starts_with("| id |") => {}
            Some(row) => rows.push(row),
            None => problems.push(format!("no row of three columns: {line}")),
        }
    }
    (rows, problems)
}

fn row<'page>(section: &'page str, line: &'page str) -> Option<Row<'page>> {
    let mut columns = line.strip_prefix('|')?.strip_suffix('|')?.splitn(3, " | ").map(str::trim);
    let (id, behaviour) = (columns.next()?, columns.next()?);
    let last = columns.next().unwrap_or_default();
    let (spans, words) = code_spans(last);
    let is_kind = |(_, word): &&(Kind, &str)| words.starts_with(word);
    let (kind, word) = KINDS.iter().rev().find(is_kind)?;
    let reason = words[word.len()..].trim_matches([' ', ',', '.']).to_owned();
    Some(Row { section, id, behaviour, kind: *kind, reason, tests: tests(&spans) })
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

/// What is wrong with a row by itself.
fn complaint(row: &Row<'_>) -> Option<&'static str> {
    let named = row.tests.iter().any(|test| !matches!(test.name, Name::None));
    match row.kind {
        _ if row.behaviour.is_empty() => Some("has no words"),
        Kind::Shown if !row.reason.is_empty() => Some("gives a reason, but not for what"),
        Kind::Shown if !named => Some("has neither test nor reason"),
        Kind::Differs if !named => Some("differs, and no test shows how"),
        Kind::Differs | Kind::Absent | Kind::Later if row.reason.is_empty() => {
            Some("gives no reason")
        }
        _ => None,
    }
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
fn wrong_ids(rows: &[Row<'_>]) -> Vec<String> {
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for (letter, last, width) in IDS {
        left.extend((1..=last).map(|number| (format!("{letter}-{number:0width$}"), 0)));
    }
    let mut problems = Vec::new();
    for row in rows {
        match left.get_mut(row.id) {
            Some(count) => *count += 1,
            None => problems.push(format!("{} is no known id", row.id)),
        }
    }
    let wrong = left.iter().filter(|(_, count)| **count != 1);
    problems.extend(wrong.map(|(id, count)| format!("{id} stands there {count} times")));
    problems
}

/// Tests that are named and do not exist.
fn missing_tests(rows: &[Row<'_>]) -> Vec<String> {
    let mut sources: HashMap<&str, Option<String>> = HashMap::new();
    let mut problems = Vec::new();
    for (row, test) in rows.iter().flat_map(|row| row.tests.iter().map(move |test| (row, test))) {
        let read = || fs::read_to_string(root().join(test.file)).ok();
        let source = sources.entry(test.file).or_insert_with(read);
        if !source.as_ref().is_some_and(|source| defines(source, test.name)) {
            problems.push(format!("{}: {} has no {:?}", row.id, test.file, test.name));
        }
    }
    problems
}

fn print_counts(rows: &[Row<'_>]) {
    let mut sections: Vec<(&str, [usize; 4])> = Vec::new();
    for row in rows {
        if sections.last().is_none_or(|(section, _)| *section != row.section) {
            sections.push((row.section, [0; 4]));
        }
        if let Some((_, counts)) = sections.last_mut() {
            counts[row.kind as usize] += 1;
        }
    }
    let sum = |kind: usize| sections.iter().map(|(_, counts)| counts[kind]).sum();
    sections.push(("in all", std::array::from_fn(sum)));
    println!("{:44} {:>6} {:>8} {:>7} {:>6}", "", "shown", "differs", "absent", "later");
    for (section, [shown, differs, absent, later]) in sections {
        println!("{section:44} {shown:>6} {differs:>8} {absent:>7} {later:>6}");
    }
}

#[test]
fn every_behaviour_has_its_test_or_its_reason() {
    let path = root().join("conformance/checklist.md");
    let page = fs::read_to_string(path).expect("the checklist can be read");
    let (rows, mut problems) = rows(&page);
    print_counts(&rows);
    problems.extend(wrong_ids(&rows));
    let complaints = rows.iter().filter_map(|row| Some((row.id, complaint(row)?)));
    problems.extend(complaints.map(|(id, complaint)| format!("{id} {complaint}")));
    problems.extend(missing_tests(&rows));
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    for (line, wrong) in [
        ("| E-001 | words | `tests/f.rs::name` |", None),
        ("| E-001 | words | differs: why. `tests/f.rs::name`, `::other` |", None),
        ("| E-001 | words | absent: why, and `in_place` of `what` |", None),
        ("| E-001 | words | later: what |", None),
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
    ] {
        let row = row("section", line).expect("three columns");
        assert_eq!(complaint(&row), wrong, "{line}");
    }
    assert!(row("section", "| E-001 |").is_none());
    let once = row("section", "| E-001 | words | absent: why |").expect("three columns");
    let unknown = row("section", "| E-119 | words | absent: why |").expect("three columns");
    let wrong = wrong_ids(&[once, unknown]);
    assert_eq!((wrong.len(), wrong[0].as_str()), (118 + 102 + 9 + 56 + 25, "E-119 is no known id"));
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
    assert_eq!((spans, words.as_str()), (vec!["a.rs::b", "c.rs::\"of `/`\""], "differs: why. , "));
}

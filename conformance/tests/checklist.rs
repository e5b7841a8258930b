//! Keeps `checklist.md` true: every known id stands there once, with words and with tests that
//! exist, or a reason. Prints how many there are of each kind.

use std::fs;

use conformance::table::{self, Kind, Shape};

/// `| id | behaviour | shown by |`
const SHAPE: Shape = Shape::new(3, 2);

/// The behaviours there are: a letter, the last number, and the digits that a number has.
const IDS: [(char, usize, usize); 5] =
    [('E', 118, 3), ('S', 102, 3), ('R', 9, 1), ('C', 56, 3), ('T', 25, 1)];

#[test]
fn every_behaviour_has_its_test_or_its_reason() {
    let path = table::root().join("conformance/checklist.md");
    let page = fs::read_to_string(path).expect("the checklist can be read");
    let (rows, mut problems) = table::rows(&page, SHAPE);
    let groups: [(&str, &[Kind]); 4] = [
        ("shown", &[Kind::Shown]),
        ("differs", &[Kind::Differs]),
        ("absent", &[Kind::Absent]),
        ("later", &[Kind::Later]),
    ];
    println!("{}", table::counts(&rows, &groups));
    let not_run = rows.iter().filter(|row| row.kind == Kind::NotRun);
    problems.extend(not_run.map(|row| format!("{} is not run", row.id())));
    let known = IDS.iter().flat_map(|(letter, last, width)| {
        (1..=*last).map(move |number| format!("{letter}-{number:0width$}"))
    });
    problems.extend(table::problems(&rows, SHAPE, known));
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

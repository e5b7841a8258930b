//! Keeps `reliability.md` true: every input and fault of the catalogue stands there once, with words
//! and with tests that exist, or a reason. Prints how many there are of each kind.

use std::fs;

use conformance::{reliability, table};

#[test]
fn every_input_and_fault_has_its_test_or_its_reason() {
    let path = table::root().join("conformance/reliability.md");
    let page = fs::read_to_string(path).expect("the table can be read");
    let (rows, mut problems) = table::rows(&page, reliability::SHAPE);
    println!("{}", table::counts(&rows, &reliability::GROUPS));
    problems.extend(table::problems(&rows, reliability::SHAPE, reliability::ids()));
    let empty = rows.iter().filter(|row| row.columns.last().is_none_or(|figure| figure.is_empty()));
    problems.extend(empty.map(|row| format!("{} has neither figure nor dash", row.id())));
    assert!(problems.is_empty(), "{} problems:\n  {}", problems.len(), problems.join("\n  "));
}

//! The documents' Rust compiles, and their tables name what exists. See `build.rs`.

use std::collections::BTreeSet;
use std::path::Path;

#[allow(warnings, clippy::all, clippy::restriction, reason = "a page shows one thing at a time")]
mod snippets {
    include!(concat!(env!("OUT_DIR"), "/documents.rs"));
}

/// `Type::method` in a table is compiled nowhere; but the page's program calls each method once.
#[test]
fn options_that_the_guide_names_are_in_its_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/from-socket.io-client.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let named: BTreeSet<_> = guide
        .split('`')
        .filter_map(|code| code.split_once("::"))
        .filter(|(owner, method)| is_type(owner) && is_method(method))
        .collect();
    assert!(named.len() > 30, "the tables were not found: {named:?}");
    let missing: Vec<_> =
        named.iter().filter(|(_, method)| !guide.contains(&format!(".{method}("))).collect();
    assert!(missing.is_empty(), "named in a table, and in no snippet: {missing:?}");
}

fn is_type(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && name.chars().all(char::is_alphanumeric)
}

fn is_method(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

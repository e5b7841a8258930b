//! What must never be in the project, as far as a test can read it. See ARCHITECTURE.md.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a source file may have, its tests aside.
const FILE_LINES: usize = 600;
/// Lines that a function may have.
const FUNCTION_LINES: usize = 70;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The lines before the file's own tests.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..end].lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(root().join(folder))
    }

    fn place(&self, line: usize) -> String {
        let path = self.path.strip_prefix(root()).unwrap_or(&self.path);
        format!("{}:{line}", path.display())
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    assert!(!found.is_empty(), "no sources under {folder}");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source { path, text });
        }
    }
}

fn published() -> Vec<Source> {
    let mut all = sources("crates/sockeye-proto/src");
    all.extend(sources("crates/sockeye/src"));
    all
}

#[track_caller]
fn none(problems: &[String], rule: &str) {
    assert!(problems.is_empty(), "{rule}:\n  {}", problems.join("\n  "));
}

/// Folder, and what no file under it may import: the arrows that would point back.
const NO_IMPORT: &[(&str, &[&str])] = &[
    ("crates/sockeye-proto/src/websocket", &["crate::engine", "crate::socket", "crate::cluster"]),
    ("crates/sockeye-proto/src/engine", &["crate::socket", "crate::cluster"]),
    ("crates/sockeye-proto/src/socket", &["crate::cluster"]),
    ("crates/sockeye/src/engine", &["crate::event", "crate::server", "crate::client", "socket::"]),
    ("crates/sockeye/src/event", &["crate::server", "crate::client"]),
    ("crates/sockeye/src/server", &["crate::client"]),
    ("crates/sockeye/src/client", &["crate::server"]),
];

#[test]
fn no_arrow_points_back() {
    let mut problems = Vec::new();
    for source in published() {
        let forbidden = NO_IMPORT.iter().filter(|(folder, _)| source.is_under(folder));
        for back in forbidden.flat_map(|(_, names)| names.iter()) {
            for (number, line) in source.lines() {
                let is_comment = line.trim_start().starts_with("//");
                if line.contains(back) && !line.contains("websocket::") && !is_comment {
                    problems.push(format!("{}: {back}", source.place(number)));
                }
            }
        }
    }
    none(&problems, "an import against the order of the layers");
}

/// What sockeye-proto may depend on: nothing that does I/O, tells the time or draws numbers.
const PROTO_DEPENDENCIES: &[&str] = &[
    "ascii",
    "base64",
    "bytes",
    "form_urlencoded",
    "http",
    "httparse",
    "itoa",
    "serde",
    "serde_json",
    "sha1",
    "simdutf8",
    "smallvec",
    "zlib-rs",
];

#[test]
fn the_protocol_crate_depends_on_nothing_that_does_io() {
    let manifest = fs::read_to_string(root().join("crates/sockeye-proto/Cargo.toml")).unwrap();
    let list = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names = list.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    let unknown: Vec<_> = names
        .filter(|name| !name.is_empty() && !PROTO_DEPENDENCIES.contains(name))
        .map(str::to_owned)
        .collect();
    none(&unknown, "a dependency of sockeye-proto that is not on the list");
}

/// Files that may ask the wall clock, which somebody may set: none decides anything by it.
const WALL_CLOCK: &[(&str, &str)] = &[
    ("crates/sockeye/src/engine/clock.rs", "a hint to clients that the machine slept"),
    ("crates/sockeye/src/engine/http/date.rs", "the date of responses"),
    ("crates/sockeye/src/engine/handshake.rs", "when a handshake came, for the program"),
    ("crates/sockeye/src/engine/client/query.rs", "a time stamp that no two requests share"),
];

#[test]
fn no_wall_clock_decides_anything() {
    let mut problems = Vec::new();
    for source in published() {
        let may = WALL_CLOCK.iter().any(|(path, _)| source.path == root().join(path));
        for (number, line) in source.lines().filter(|_| !may) {
            if line.contains("SystemTime") {
                problems.push(source.place(number));
            }
        }
    }
    none(&problems, "a wall clock is asked");
    for id in ["C1", "C3", "B07", "R07"] {
        println!(
            "figure {id}: asked in {} places, none of which decides anything",
            WALL_CLOCK.len()
        );
    }
}

/// A third-party protocol crate, and the only files that may name it.
const NAMED_IN: &[(&str, &[&str])] = &[
    ("brotli", &["engine/compression.rs"]),
    ("flate2", &["engine/compression.rs"]),
    ("hyper", &["engine/io.rs", "server/listen.rs"]),
    ("hyper_util", &["engine/io.rs", "server/listen.rs"]),
    ("reqwest", &["engine/client/http.rs"]),
    ("rustls", &["engine/client/tls.rs", "engine/client/tests/tls.rs"]),
    ("rustls_platform_verifier", &["engine/client/tls.rs"]),
];

#[test]
fn a_third_party_protocol_crate_is_named_in_one_file_per_side() {
    let mut problems = Vec::new();
    for source in sources("crates/sockeye/src") {
        for (name, files) in NAMED_IN {
            let allowed = files.iter().any(|file| source.path.ends_with(file));
            let path = format!("{name}::");
            for (number, line) in source.lines().filter(|_| !allowed) {
                if line.contains(&path) && !line.trim_start().starts_with("//") {
                    problems.push(format!("{}: {name}", source.place(number)));
                }
            }
        }
    }
    none(&problems, "a third-party protocol crate outside its file");
}

#[test]
fn files_and_functions_are_short() {
    let mut problems = Vec::new();
    for source in published().into_iter().chain(sources("conformance/src")) {
        let count = source.lines().count();
        if count > FILE_LINES {
            problems.push(format!("{}: {count} lines", source.place(1)));
        }
        problems.extend(long_functions(&source));
    }
    none(&problems, "too long");
}

/// Functions as rustfmt lays them out: they end at a brace that stands as far in as they do.
fn long_functions(source: &Source) -> Vec<String> {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut long = Vec::new();
    for (number, line) in source.lines() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<_> = line.split_whitespace().take(6).collect();
        let starts = words.contains(&"fn") && !line.trim_end().ends_with(';');
        if line.trim_end() == format!("{}}}", " ".repeat(indent))
            && let Some((start, _)) = open.pop_if(|(_, depth)| *depth == indent)
            && number - start >= FUNCTION_LINES
        {
            long.push(format!("{}: {} lines", source.place(start), number - start + 1));
        }
        if starts && !line.trim_start().starts_with("//") && !line.trim_end().ends_with('}') {
            open.push((number, indent));
        }
    }
    long
}

#[test]
fn nothing_is_left_for_later_or_switched_off() {
    let mut problems = Vec::new();
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
        concat!("unimple", "mented!"),
    ];
    for source in published().into_iter().chain(sources("conformance")) {
        for (number, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                problems.push(format!("{}: {word}", source.place(number + 1)));
            }
        }
    }
    none(&problems, "a reminder, or a test that is switched off");
}

#[test]
fn every_relaxed_lint_has_its_reason() {
    let mut problems = Vec::new();
    for source in published() {
        for (number, line) in source.lines() {
            let relaxes = line.contains("[expect(") || line.contains("[allow(");
            let generated = line.contains("allow(unused_variables)");
            if relaxes && !line.contains("reason") && !generated {
                problems.push(source.place(number));
            }
        }
    }
    none(&problems, "a lint is relaxed without a reason");
}

/// Crates whose types users of `sockeye` may meet.
const PUBLIC_CRATES: &[&str] = &["sockeye_proto", "bytes", "http", "tower", "serde", "serde_json"];

#[test]
fn no_foreign_crate_is_exported() {
    let mut problems = Vec::new();
    for source in published() {
        let folder = source.path.parent().unwrap();
        for (number, line) in source.lines() {
            let Some(path) = line.trim_start().strip_prefix("pub use ") else { continue };
            let first = path.split([':', '{', ';']).next().unwrap_or_default();
            let own = matches!(first, "crate" | "self" | "super")
                || folder.join(first).is_dir()
                || folder.join(format!("{first}.rs")).is_file()
                || source.path.with_extension("").join(format!("{first}.rs")).is_file();
            if !own && !PUBLIC_CRATES.contains(&first) {
                problems.push(format!("{}: {first}", source.place(number)));
            }
        }
    }
    none(&problems, "an export of a foreign crate");
}

#[test]
fn every_module_folder_says_what_it_is() {
    let mut problems = Vec::new();
    for source in published().into_iter().filter(|source| source.path.ends_with("mod.rs")) {
        if !source.text.starts_with("//!") {
            problems.push(source.place(1));
        }
    }
    none(&problems, "a mod.rs without a head");
}

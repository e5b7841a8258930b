//! The bodies of the fuzz targets on the committed corpora and on random inputs.
//!
//! Each random input grows from a seed of its own. One that fails prints it; `SEED=<n>` runs that
//! input alone, on every target.

mod random;

use std::fs;
use std::path::{Path, PathBuf};

use fuzz_bodies::{Body, TARGETS};
use random::{Random, TOKENS};

/// Random inputs for each target.
const INPUTS: u64 = 20_000;

/// Length of a long input, in bytes.
const LONG: usize = 100_000;

/// Tells how to run a failing input again.
struct Replay<'a> {
    target: &'a str,
    how: String,
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("target {}, {}", self.target, self.how);
        }
    }
}

fn run(target: &str, body: Body, input: &[u8], how: String) {
    let _replay = Replay { target, how };
    body(input);
}

/// The committed inputs of a target, in the order of their names.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("readable"))).collect()
}

fn seeds() -> std::ops::RangeInclusive<u64> {
    match std::env::var("SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SEED is a number");
            seed..=seed
        }
        Err(_) => 1..=INPUTS,
    }
}

#[test]
fn the_corpora_break_nothing() {
    for (target, body) in TARGETS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target} has no corpus");
        for (path, input) in corpus {
            run(target, body, &input, format!("input {}", path.display()));
        }
    }
}

#[test]
fn the_corpora_cut_short_break_nothing() {
    for (target, body) in TARGETS {
        for (path, input) in corpus(target) {
            for end in 0..input.len().min(200) {
                let how = format!("input {} cut at {end}", path.display());
                run(target, body, &input[..end], how);
            }
        }
    }
}

#[test]
fn random_inputs_break_nothing() {
    for (target, body) in TARGETS {
        let corpus: Vec<_> = corpus(target).into_iter().map(|(_, input)| input).collect();
        for seed in seeds() {
            let input = Random::new(seed).input(&corpus);
            run(target, body, &input, format!("SEED={seed}"));
        }
    }
}

/// Quadratic work shows itself here: the test takes minutes instead of a second.
#[test]
fn long_inputs_break_nothing() {
    for (target, body) in TARGETS {
        for (token, start) in TOKENS.iter().flat_map(|token| [(token, ""), (token, "2[\"a\",")]) {
            let input = [start.as_bytes(), &token.repeat(LONG / token.len())].concat();
            let token = token.escape_ascii();
            run(target, body, &input, format!("{LONG} bytes of {token} behind {start:?}"));
        }
    }
}

//! Puts the figures that tests have printed into `conformance/reliability.md`, and tells how many of
//! its rows are shown, explained, left for later, and not run.
//!
//! ```text
//! reliability [FILE...]          figures from what tests printed: files, or standard input
//! reliability --rows FILE...     rows, each instead of the one with the same id
//! ```
//!
//! Never runs a test, and never changes another column than that of the figures unless it is given
//! rows.

#![expect(clippy::print_stdout, reason = "the counts are its answer")]

use std::io::{self, Read};
use std::process::ExitCode;
use std::{env, fs};

use conformance::{reliability, table};

fn main() -> ExitCode {
    match run(env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reliability: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut files: Vec<String>) -> io::Result<()> {
    let are_rows = files.first().is_some_and(|first| first == "--rows");
    if are_rows {
        files.remove(0);
    }
    let text = read(&files)?;
    let path = table::root().join("conformance/reliability.md");
    let page = fs::read_to_string(&path)?;
    let (page, unknown) = if are_rows {
        reliability::with_rows(&page, &text)
    } else {
        reliability::with_figures(&page, &reliability::figures(text.lines()))
    };
    for id in unknown {
        eprintln!("reliability: {id} has no row");
    }
    fs::write(path, &page)?;
    let (rows, _) = table::rows(&page, reliability::SHAPE);
    println!("{}", table::counts(&rows, &reliability::GROUPS));
    Ok(())
}

fn read(files: &[String]) -> io::Result<String> {
    if files.is_empty() {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    files.iter().map(fs::read_to_string).collect()
}

//! Counts what the workloads cost, and compares that with what it should be.
//!
//! ```text
//! bench-counts list                 the workloads
//! bench-counts check [NAME...]      counts them all, or these; fails if one costs more than expected
//! bench-counts write [NAME...]      the same, and what was counted is expected from now on
//! bench-counts profile NAME         the functions in which a workload spends its instructions
//! bench-counts run NAME TIMES       does a workload so many times, and counts nothing
//! ```
//!
//! Needs `valgrind`, and Linux on x86-64: what other machines count is something else.

#![expect(clippy::print_stdout, reason = "a program with something to tell")]

mod expected;
mod valgrind;
mod verdict;

use std::process::ExitCode;

use bench_counts::{RECEIVER, WORKLOADS, Workload, workload};

use expected::{BUILT_WITH, Figures, Kind};
use verdict::Verdict;

/// What an error says to whoever started the program.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match command(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn command(arguments: &[String]) -> Outcome {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["list"] => {
            WORKLOADS
                .iter()
                .for_each(|workload| println!("{:20} {}", workload.name, workload.about));
            Ok(())
        }
        ["check", names @ ..] => check(names),
        ["write", names @ ..] => write(names),
        ["profile", name] => valgrind::profile(named(name)?),
        ["run", name, times] => {
            let times = times.parse().map_err(|_| format!("no number: {times}"))?;
            (named(name)?.prepare)()(times);
            Ok(())
        }
        _ => Err("usage: bench-counts list | check | write | profile | run".to_owned()),
    }
}

fn named(name: &str) -> Outcome<&'static Workload> {
    workload(name).ok_or_else(|| format!("no workload {name}: see `bench-counts list`"))
}

fn chosen(names: &[&str]) -> Outcome<Vec<&'static Workload>> {
    match names {
        [] => Ok(WORKLOADS.iter().collect()),
        names => names.iter().map(|name| named(name)).collect(),
    }
}

fn check(names: &[&str]) -> Outcome {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("expected.toml is of Linux on x86-64: nothing counted, nothing compared");
        return Ok(());
    }
    let expected = Figures::read()?;
    let counted = count(&chosen(names)?)?;
    let verdict = Verdict::of(&expected, &counted, names.is_empty());
    println!("{verdict}");
    if verdict.is_good() { Ok(()) } else { Err("a count is not as expected".to_owned()) }
}

fn write(names: &[&str]) -> Outcome {
    let mut figures = match names {
        [] => Figures::default(),
        _ => Figures::read()?,
    };
    let counted = count(&chosen(names)?)?;
    figures.replace(counted);
    figures.write()
}

fn count(workloads: &[&Workload]) -> Outcome<Figures> {
    let mut figures = Figures::of(BUILT_WITH);
    for workload in workloads {
        figures.set(Kind::Instructions, workload.name, valgrind::instructions(workload)?);
        if workload.is_served {
            let calls = valgrind::system_calls(workload)?;
            figures.set(Kind::SystemCalls, workload.name, calls.all);
            figures.set(Kind::Writes, workload.name, calls.writes);
        }
    }
    let (name, few, many, difference) = RECEIVER;
    for kind in Kind::ALL {
        if let (Some(few), Some(many)) = (figures.get(kind, few), figures.get(kind, many)) {
            figures.set(kind, name, (many - few) / difference as f64);
        }
    }
    Ok(figures)
}

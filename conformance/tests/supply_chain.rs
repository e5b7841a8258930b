//! What the published crates are made of: their dependencies, each with its reason, and no `unsafe`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use conformance::table::root;

/// Direct dependencies that the default features may have.
const MOST_DIRECT: usize = 35;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The crates that others use in their programs, with default features: names, each once.
fn tree(depth: &str) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(["tree", "--locked", "--offline", "-p", "sockeye"]);
    command.args(["--edges", "normal", "--prefix", "none", "--depth", depth, "--format", "{p}"]);
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are text");
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| !name.starts_with("sockeye")).map(str::to_owned).collect()
}

/// The dependencies that a manifest names.
fn named(manifest: &str) -> BTreeSet<String> {
    let manifest = read(manifest);
    let list = manifest.split("[dependencies]").nth(1).expect("dependencies");
    let list = list.split("\n[").next().unwrap_or_default();
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    let foreign = names.filter(|name| !name.is_empty() && !name.starts_with("sockeye"));
    foreign.map(str::to_owned).collect()
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let mut direct = named("crates/sockeye/Cargo.toml");
    direct.extend(named("crates/sockeye-proto/Cargo.toml"));
    let page = read("ARCHITECTURE.md");
    let section = page.split("\n## Dependencies\n").nth(1).expect("a section on dependencies");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<_> = rows
        .filter_map(|row| row.split(" | ").next())
        .flat_map(|names| names.split(", ").map(|name| name.trim_matches('`').to_owned()))
        .collect();
    assert_eq!(direct, explained);
    assert!(direct.len() <= MOST_DIRECT);
    println!(
        "figure X7: {} direct dependencies, {} crates in all with the default features",
        direct.len(),
        tree("99").len()
    );
}

#[test]
fn unsafe_is_forbidden_in_every_crate_of_the_workspace() {
    let workspace = read("Cargo.toml");
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    let members = workspace.split("members = [").nth(1).and_then(|rest| rest.split(']').next());
    let members = members.expect("members").lines().filter_map(|line| line.split('"').nth(1));
    let mut count = 0;
    for member in members {
        let manifest = read(&format!("{member}/Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{member} has lints of its own");
        count += 1;
    }
    assert!(count >= 4, "{count} members");
    for id in ["X2", "X02"] {
        println!("figure {id}: forbidden in all {count} crates of the workspace");
    }
}

#[test]
fn what_is_banned_is_banned_by_name() {
    let deny = read("deny.toml");
    for name in ["openssl-sys", "native-tls", "aws-lc-sys", "async-std"] {
        assert!(deny.contains(&format!("crate = \"{name}\"")), "{name}");
    }
    for name in ["hyper", "rustls", "http"] {
        let lock = read("Cargo.lock");
        let versions = lock.matches(&format!("\nname = \"{name}\"\n")).count();
        assert_eq!(versions, 1, "{name} is there {versions} times");
    }
}

/// The files of a release, packed into this folder: names and bytes.
fn release(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()).args(["package", "--locked", "--offline", "--quiet"]);
    // Also before a commit; what is packed builds, which other tests show.
    command.args(["--allow-dirty", "--no-verify", "-p", "sockeye-proto", "-p", "sockeye"]);
    let output = command.arg("--target-dir").arg(folder).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ["sockeye-proto", "sockeye"]
        .map(|name| format!("{name}-{}.crate", env!("CARGO_PKG_VERSION")))
        .map(|name| {
            let file = folder.join("package").join(&name);
            (name, fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        })
        .into()
}

#[test]
fn a_release_is_the_same_bytes_wherever_and_whenever_it_is_packed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (first, second) = (release(&folder.join("first")), release(&folder.join("second")));
    for ((name, first), (_, second)) in first.iter().zip(&second) {
        assert!(first == second, "{name} differs");
    }
    let bytes: usize = first.iter().map(|(_, bytes)| bytes.len()).sum();
    println!("figure X8: packed twice, in two folders: the same {} kB", bytes / 1000);
}

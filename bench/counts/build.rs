//! Tells the program which compiler has built it: counts depend on that.

use std::process::Command;

fn main() {
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(compiler).arg("--version").output().map(|output| output.stdout);
    let version = String::from_utf8(output.unwrap_or_default()).unwrap_or_default();
    println!("cargo::rustc-env=BUILT_WITH={}", version.trim());
    println!("cargo::rerun-if-changed=build.rs");
}

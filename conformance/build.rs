//! Makes a program of the Rust in the documents, so that `tests/documents.rs` compiles it.
//!
//! A document becomes a module, and each of its blocks an item there: blocks of `use` lines alone
//! count for the whole module, a block with a `main` is a module of its own, and any other one is the
//! body of a function, which has as parameters what the text speaks of.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Module, and the document that it is made of.
const DOCUMENTS: &[(&str, &str)] =
    &[("readme", "README.md"), ("from_socket_io_client", "docs/from-socket.io-client.md")];

/// What a snippet may speak of without saying where it comes from.
const PARAMETERS: &str = "socket: sockeye::client::Socket, manager: sockeye::client::Manager, \
    url: &str, photo: bytes::Bytes";

/// What a snippet may call.
const FUNCTIONS: &str = "async fn fresh_token() -> std::io::Result<String> { Ok(String::new()) }";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    let mut program =
        String::from("type FreshToken = std::future::Ready<std::io::Result<String>>;\n");
    for (module, path) in DOCUMENTS {
        let document = root.join(path);
        println!("cargo::rerun-if-changed={}", document.display());
        writeln!(program, "mod {module} {{\n{FUNCTIONS}")?;
        for (line, block) in rust_blocks(&fs::read_to_string(document)?) {
            writeln!(program, "// {path}:{line}\n{}", item(line, &block))?;
        }
        program += "}\n";
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("documents.rs"), program)?;
    Ok(())
}

/// The blocks of Rust in a document, with the line on which each begins.
fn rust_blocks(document: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut block = None;
    for (index, line) in document.lines().enumerate() {
        match (line, &mut block) {
            ("```rust", None) => block = Some((index + 2, String::new())),
            ("```", _) => blocks.extend(block.take()),
            (_, Some((_, text))) => {
                *text += line;
                text.push('\n');
            }
            (_, None) => {}
        }
    }
    blocks
}

fn item(line: usize, block: &str) -> String {
    let is_import =
        block.split(';').all(|item| item.trim().is_empty() || item.trim().starts_with("use "));
    if is_import {
        block.to_owned()
    } else if block.contains("fn main()") {
        format!("mod line_{line} {{\n{block}}}")
    } else {
        format!(
            "async fn line_{line}({PARAMETERS}) -> Result<(), Box<dyn std::error::Error>> \
             {{\n{block}Ok(())\n}}"
        )
    }
}

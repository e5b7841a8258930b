//! The load rig's contract (`bench/README.md`) on this project's server.

fn main() {}

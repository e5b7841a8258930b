//! How long the workloads of `bench/counts` take, one by one: `cargo bench -p bench-micro`, or with part of
//! a name behind it, `cargo bench -p bench-micro -- packet`.
//!
//! For whoever makes one of them faster, on a quiet machine. The test command compiles this and never
//! runs it: what it holds is counted, not timed. A workload with a server includes what the client does.

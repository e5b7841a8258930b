//! See the crate.

use std::time::Instant;

use bench_counts::WORKLOADS;
use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for workload in WORKLOADS {
        // Prepared when it has its turn, and only if it was asked for.
        criterion.bench_function(workload.name, |bencher| {
            let mut work = (workload.prepare)();
            bencher.iter_custom(|times| {
                let start = Instant::now();
                work(times);
                start.elapsed()
            });
        });
    }
    criterion.final_summary();
}

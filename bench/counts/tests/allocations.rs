//! How often memory is asked for, which is exact: the goals, and then every workload.
//!
//! What is counted is the thread that serves; the clients have their own.

use allocation_counter::measure;
use bench_counts::{Serving, WORKLOADS, workload};
use sockeye::Value;

/// Enough for buffers to grow to the size that they keep.
const WARM_UP: u64 = 128;
const TIMES: u64 = 256;

/// Allocations of one operation: what so many more of them cost.
fn allocations(name: &str) -> f64 {
    let mut work = (workload(name).expect("a workload").prepare)();
    work(WARM_UP);
    let mut count = |times| measure(|| work(times)).count_total;
    let (few, many) = (count(TIMES), count(2 * TIMES));
    many.saturating_sub(few) as f64 / TIMES as f64
}

#[test]
fn to_emit_to_an_open_socket_allocates_nothing() {
    let serving = Serving::new(|_| {});
    let (_clients, sockets) = serving.join(1);
    let emit = || sockets[0].emit("news", ("Good morning", 17)).expect("it is connected");
    emit();
    let count = measure(|| (0..100).for_each(|_| emit())).count_total;
    println!("allocations of 100 emits: {count}");
    assert_eq!(count, 0);
}

#[test]
fn to_emit_bytes_to_an_open_socket_allocates_nothing() {
    let serving = Serving::new(|_| {});
    let (_clients, sockets) = serving.join(1);
    let bytes = Value::Binary(vec![7; 1_024].into());
    let emit = || sockets[0].emit("news", (&bytes, 17, &bytes)).expect("it is connected");
    emit();
    let count = measure(|| (0..100).for_each(|_| emit())).count_total;
    println!("allocations of 100 emits of two attachments: {count}");
    assert_eq!(count, 0);
}

#[test]
fn one_more_receiver_of_a_broadcast_allocates_nothing() {
    let count = |receivers| {
        let serving = Serving::new(|_| {});
        let (_clients, sockets) = serving.join(receivers);
        let emit = || sockets[0].namespace().emit("news", "Good morning").expect("written");
        emit();
        measure(emit).count_total
    };
    let few = count(2);
    let many = count(202);
    println!("allocations of a broadcast to 2 and to 202: {few} and {many}");
    assert_eq!((few, many), (1, 1), "one packet, shared by all");
}

#[test]
fn a_received_event_allocates_its_handlers_future_and_what_the_handler_takes() {
    const TAKEN: f64 = 2.0;
    // Of 64 events the last is acknowledged, so that the batch has an end.
    const END: f64 = 2.0 / 64.0;
    let each = allocations("event-typed");
    println!("allocations of a received event, 2 of them its strings: {each:.3}");
    assert!(each <= 1.0 + TAKEN + END, "{each}");
}

/// The most that one operation of each workload may allocate, with its part of what a batch costs: to
/// answer its last event, or to have a thread read.
const MOST: &[(&str, f64)] = &[
    ("packet-decode", 0.0),
    ("packet-encode", 0.0),
    ("packet-encode-shared", 1.0),
    ("packet-binary", 4.0),
    ("arguments-decode", 2.0),
    ("relay-json", 1.0),
    // In each of 15 objects its keys, its members, a text and a list; the list around them, which grows, and a text in it.
    ("value-decode", 64.0),
    ("value-encode", 0.0),
    ("frame-decode-16", 0.0),
    ("frame-decode-1k", 0.0),
    ("frame-encode-16", 1.0),
    ("frame-encode-1k", 1.0),
    ("payload-decode", 0.0),
    ("payload-encode", 5.0),
    ("event-typed", 3.02),
    ("echo-16", 2.0),
    ("echo-16-alone", 2.0),
    ("echo-1k", 2.0),
    ("echo-16k", 2.0),
    ("acknowledge-16", 2.0),
    ("burst", 1.0),
    ("emit", 0.2),
    ("broadcast-10", 1.2),
    ("broadcast-110", 1.2),
    ("join-leave", 0.0),
    ("join-leave-alone", 4.0),
];

#[test]
fn no_operation_allocates_more_than_it_has_to() {
    let mut too_many = Vec::new();
    for (name, most) in MOST {
        let each = allocations(name);
        println!("allocations of {name}: {each:.2}");
        if each > *most {
            too_many.push(format!("{name}: {each:.3}, at most {most} expected"));
        }
    }
    assert!(too_many.is_empty(), "{too_many:#?}");
}

#[test]
fn every_workload_has_its_limit() {
    assert!(WORKLOADS.iter().map(|workload| workload.name).eq(MOST.iter().map(|(name, _)| *name)));
}

//! Workloads of which can be counted what they cost: by `valgrind` how many instructions and system
//! calls, by a counting allocator how many allocations. `bench/micro` takes the time of the same.
//!
//! Each does one thing a given number of times, so that the difference between two numbers is free of
//! what comes before and after. A server runs on the thread that runs the workload, and nothing else
//! does; clients and the clock of the heartbeats have threads of their own. Nothing here measures
//! anything.

mod client;
mod codec;
mod exchanges;
mod sending;
mod serving;

pub use client::Client;
pub use serving::Serving;

/// Does its one thing so many times.
pub type Work = Box<dyn FnMut(u64)>;

/// Something whose cost is counted.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a table, read within the workspace")]
pub struct Workload {
    /// What it is called, here and in `expected.toml`.
    pub name: &'static str,
    /// What is done once.
    pub about: &'static str,
    /// How often it is done for a count: so often that what varies does not matter.
    pub times: u64,
    /// Whether a server with its connections does it, so that there are system calls.
    pub is_served: bool,
    /// Prepares it.
    pub prepare: fn() -> Work,
}

const fn codec(name: &'static str, about: &'static str, prepare: fn() -> Work) -> Workload {
    Workload { name, about, times: 4_096, is_served: false, prepare }
}

const fn served(
    name: &'static str,
    times: u64,
    about: &'static str,
    prepare: fn() -> Work,
) -> Workload {
    Workload { name, about, times, is_served: true, prepare }
}

/// All of them.
pub const WORKLOADS: &[Workload] = &[
    codec("packet-decode", "an event packet read, its arguments not", codec::packet_decode),
    codec("packet-encode", "an event packet written for one receiver", codec::packet_encode),
    codec(
        "packet-encode-shared",
        "an event packet written for several",
        codec::packet_encode_shared,
    ),
    codec("packet-binary", "an event with an attachment read", codec::packet_binary),
    codec(
        "arguments-decode",
        "a number and a struct taken from arguments",
        codec::arguments_decode,
    ),
    codec("relay-json", "1 KiB of small objects read and written as they are", codec::relay_json),
    codec("value-decode", "the same read, made a tree, and freed", codec::value_decode),
    codec("value-encode", "that tree written", codec::value_encode),
    codec("frame-decode-16", "a masked frame of 16 B read", || codec::frame_decode(16)),
    codec("frame-decode-1k", "a masked frame of 1 KiB read", || codec::frame_decode(1_024)),
    codec("frame-encode-16", "a frame of 16 B made", || codec::frame_encode(16)),
    codec("frame-encode-1k", "a frame of 1 KiB made", || codec::frame_encode(1_024)),
    codec("payload-decode", "a polling payload of 8 packets read", codec::payload_decode),
    codec("payload-encode", "a polling payload of 8 packets made", codec::payload_encode),
    served("event-typed", 4_096, "an event received, of 64, by a typed handler", exchanges::typed),
    served("echo-16", 4_096, "an event of 16 B echoed, 8 on their way", || exchanges::echo(16, 8)),
    served("echo-16-alone", 1_024, "the same, one on its way", || exchanges::echo(16, 1)),
    served("echo-1k", 2_048, "an event of 1 KiB echoed, 8 on their way", || {
        exchanges::echo(1_024, 8)
    }),
    served("echo-16k", 512, "an event of 16 KiB echoed, one on its way", || {
        exchanges::echo(16_384, 1)
    }),
    served("acknowledge-16", 4_096, "an event of 16 B acknowledged, 8 on their way", || {
        exchanges::acknowledge(16, 8)
    }),
    served("burst", 512, "an event whose handler emits 8", exchanges::burst),
    served("emit", 2_048, "an event emitted to one socket, and written", sending::emit),
    served("broadcast-10", 512, "an event broadcast to 10 sockets", || sending::broadcast(10)),
    served("broadcast-110", 128, "an event broadcast to 110 sockets", || sending::broadcast(110)),
    served("join-leave", 2_048, "a room with 10 others entered and left", || {
        sending::join_and_leave(10)
    }),
    served("join-leave-alone", 2_048, "a room made by entering it, and left", || {
        sending::join_and_leave(0)
    }),
];

/// What one more receiver of a broadcast costs: the difference of two workloads, by so many receivers.
pub const RECEIVER: (&str, &str, &str, u64) =
    ("broadcast-receiver", "broadcast-10", "broadcast-110", 100);

/// The workload of this name.
#[must_use]
pub fn workload(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

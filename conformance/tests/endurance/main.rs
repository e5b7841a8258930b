//! A server under strain: readers that do not read, connections that are silent, storms, no file
//! descriptors, clocks that jump, clients that leave in every way, limits that are all full at once, and networks
//! that are slow and lose packets.
//!
//! The server is a process of its own (`fault-server`), so that its memory, its files and its work
//! can be seen, which is done in `/proc`: on other systems than Linux nothing of this is run. With
//! `SOCKEYE_LONG=1` the same tests have larger bounds. Ids are those of `conformance/reliability.md`.

#![cfg(target_os = "linux")]

mod clocks;
mod connecting;
mod leaving;
mod limits;
mod networks;
mod silence;
mod slow_readers;
mod support;

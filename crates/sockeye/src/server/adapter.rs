use std::fmt;

use sockeye_proto::socket::Encoded;

use super::rooms::{Rooms, Target};
use crate::engine::Delivery;

/// Where broadcasts and changes of rooms go: to this process, or to a cluster as well.
///
/// Chosen when the server is built, so that no type of it shows in anybody's signature.
pub(super) trait Adapter: fmt::Debug + Send + Sync + 'static {
    /// Sends a packet to the sockets of `target` in a namespace.
    fn broadcast(&self, rooms: &Rooms, packet: &Encoded, target: &Target, flags: Flags);
}

/// How a broadcast goes out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) delivery: Delivery,
    /// Only on this node.
    pub(super) local: bool,
}

/// All sockets are in this process.
#[derive(Debug)]
pub(super) struct InMemoryAdapter;

impl Adapter for InMemoryAdapter {
    fn broadcast(&self, rooms: &Rooms, packet: &Encoded, target: &Target, flags: Flags) {
        rooms.for_each(target, |socket| {
            // One who is gone, or too slow, has been told so; the others are not concerned.
            let _ = socket.send_shared(packet, flags.delivery);
        });
    }
}

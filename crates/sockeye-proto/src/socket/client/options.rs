use std::time::Duration;

/// What one namespace may hold on its client's side, and how often it tries.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "whoever makes one by hand must see each limit")]
pub struct ClientNamespaceOptions {
    /// How often a packet of the retry queue is sent again before it is dropped; so it is sent
    /// once more than this (C-049). Default 0.
    pub retries: u32,
    /// Time in which a packet of the retry queue must be answered before it is sent again (C-047).
    /// Without one it is sent again only on the next connection. Default none.
    pub ack_timeout: Option<Duration>,
    /// Bytes of packets that wait: for the connection (C-043), or for their turn in the retry
    /// queue. Default 4 MiB, as much as a server of this project keeps for a client.
    pub max_buffered_bytes: usize,
    /// What happens to a packet for which there is no room. Default [`Overflow::Refuse`].
    pub overflow: Overflow,
    /// Acknowledgements that may be awaited at a time. Default 10 000.
    pub max_pending_acknowledgements: usize,
    /// Bytes of events that a server may send before it lets the client in (S-085): all that was
    /// missed, if it lets it come back. Default 64 MiB; more ends the connection.
    pub max_received_before_connect: usize,
}

impl Default for ClientNamespaceOptions {
    fn default() -> Self {
        Self {
            retries: 0,
            ack_timeout: None,
            max_buffered_bytes: 4 << 20,
            overflow: Overflow::Refuse,
            max_pending_acknowledgements: 10_000,
            max_received_before_connect: 64 << 20,
        }
    }
}

/// What happens to a packet when as much is waiting as may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "either the new packet or the old ones go")]
pub enum Overflow {
    /// The new one is refused.
    #[default]
    Refuse,
    /// The oldest are dropped, and told of, until there is room. The retry queue keeps what it has.
    DropOldest,
}

//! How much one peer may send before it is stopped. Never a limit in time.

/// What one message may cost its receiver.
///
/// Passed to each call of [`Decoder::decode`](super::Decoder::decode), so that one value serves
/// all connections and an idle decoder stays small.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message, in payload bytes over all its fragments.
    ///
    /// A peer that keeps a message unfinished makes its decoder hold what it really sent of it,
    /// with up to as much again in reserve, and never more for an announcement alone. Checked
    /// when a frame announces its length, before its payload arrives.
    pub max_message_bytes: usize,
    /// Most frames that a fragmented message may come in. A whole message in one frame is always
    /// taken.
    ///
    /// Empty fragments cost no memory, but each costs time and none of them counts as bytes.
    pub max_fragments: u32,
}

impl Limits {
    /// A limit in bytes, with [`DEFAULT_MAX_FRAGMENTS`].
    #[must_use]
    pub const fn new(max_message_bytes: usize) -> Self {
        Self { max_message_bytes, max_fragments: DEFAULT_MAX_FRAGMENTS }
    }
}

/// Most frames of one message unless said otherwise: the default of the reference server `ws`.
pub const DEFAULT_MAX_FRAGMENTS: u32 = 16_384;

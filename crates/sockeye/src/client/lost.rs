use sockeye_proto::socket::{DropReason, Encoded};

use crate::codec::with_event;

/// An event that had been accepted and will not be sent.
#[derive(Clone, Debug)]
pub struct LostEvent {
    name: String,
    reason: DropReason,
}

impl LostEvent {
    pub(super) fn new(packet: &Encoded, reason: DropReason) -> Self {
        let mut name = String::new();
        with_event(packet, |event, _| event.clone_into(&mut name));
        Self { name, reason }
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it is lost.
    #[must_use]
    pub const fn reason(&self) -> DropReason {
        self.reason
    }
}

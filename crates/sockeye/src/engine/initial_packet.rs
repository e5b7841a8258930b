use sockeye_proto::websocket::{Frame, Opcode};

/// A message that every session begins with, right behind the handshake (E-009): over polling it
/// comes in the first answer, so it saves a round trip.
///
/// It is for bare Engine.IO. A Socket.IO client would take it for a packet of its own.
#[derive(Clone, Debug)]
pub struct InitialPacket(Frame);

impl InitialPacket {
    /// A text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(Frame::from_parts(Opcode::Text, &[b"4", text.as_bytes()]))
    }

    /// A binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        Self(Frame::binary(data))
    }

    pub(super) const fn frame(&self) -> &Frame {
        &self.0
    }
}

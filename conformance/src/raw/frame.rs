//! WebSocket frames written by hand, right or wrong.

/// The opcodes that RFC 6455 defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Opcode {
    /// Goes on with a fragmented message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// Begins or ends the closing handshake.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xa,
}

/// A client's frame: finished, masked and honest about its length unless told otherwise.
#[derive(Clone, Debug)]
pub struct Frame {
    first: u8,
    masked: bool,
    announced: Option<u64>,
    payload: Vec<u8>,
}

impl Frame {
    /// A frame with a defined opcode.
    pub fn new(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Self {
        Self::with_first_byte(0x80 | opcode as u8, payload)
    }

    /// A frame that begins with this byte: FIN, RSV1 to RSV3, opcode.
    pub fn with_first_byte(first: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { first, masked: true, announced: None, payload: payload.into() }
    }

    /// A close frame.
    #[must_use]
    pub fn close(code: u16, reason: &[u8]) -> Self {
        Self::new(Opcode::Close, [&code.to_be_bytes(), reason].concat())
    }

    /// Clears FIN: more fragments follow.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    /// Leaves out the mask.
    #[must_use]
    pub fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// Announces another length than that of the payload, in the 64-bit form.
    #[must_use]
    pub fn announcing(mut self, length: u64) -> Self {
        self.announced = Some(length);
        self
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
        let mut bytes = vec![self.first];
        self.push_length(&mut bytes);
        if self.masked {
            bytes.extend_from_slice(&MASK);
            bytes
                .extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend_from_slice(&self.payload);
        }
        bytes
    }

    /// Writes the shortest form of the length, or the announced one.
    fn push_length(&self, bytes: &mut Vec<u8>) {
        let mask_bit = u8::from(self.masked) << 7;
        let length = self.payload.len();
        if let Some(announced) = self.announced {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&announced.to_be_bytes());
        } else if let Some(short) = u8::try_from(length).ok().filter(|short| *short < 126) {
            bytes.push(mask_bit | short);
        } else if let Ok(medium) = u16::try_from(length) {
            bytes.push(mask_bit | 126);
            bytes.extend_from_slice(&medium.to_be_bytes());
        } else {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

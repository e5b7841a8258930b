//! The first 2 to 14 bytes of a frame (RFC 6455 section 5.2). Never looks at a payload.

use super::decoder::Role;
use super::error::DecodeError;
use super::opcode::{MAX_CONTROL_BYTES, Opcode};

/// What the header of an incoming frame says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Whether the frame is the last of its message.
    pub(super) finished: bool,
    pub(super) opcode: Opcode,
    /// Whether the message is compressed, of which this is the first frame (RFC 7692 section 6).
    pub(super) compressed: bool,
    /// Announced payload length, in bytes.
    pub(super) length: u64,
    /// Mask key. `None`: the payload is as it is.
    pub(super) key: Option<[u8; 4]>,
}

impl Header {
    /// Reads a header from the front of `bytes` and tells how many bytes it takes. `None`: more
    /// bytes are needed. `deflate`: messages may be compressed.
    #[inline]
    pub(super) fn read(
        bytes: &[u8],
        role: Role,
        deflate: bool,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (finished, opcode, compressed) = read_first(*first, deflate)?;
        let short = second & !MASKED;
        if opcode.is_control() {
            check_control(finished, short)?;
        }
        let masked = second & MASKED != 0;
        check_role(role, masked)?;
        let Some((length, rest)) = read_length(short, rest)? else { return Ok(None) };
        let (key, rest) = if masked {
            let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*key), rest)
        } else {
            (None, rest)
        };
        let header = Self { finished, opcode, compressed, length, key };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Whether the frame is the whole of a message, or a control frame.
    pub(super) fn is_message(&self) -> bool {
        self.finished && self.opcode != Opcode::Continuation
    }
}

#[inline]
fn read_first(first: u8, deflate: bool) -> Result<(bool, Opcode, bool), DecodeError> {
    let reserved = first & RESERVED;
    // An extension that is negotiated allows its bits here, and only here.
    if reserved != 0 && !(deflate && reserved == COMPRESSED) {
        return Err(DecodeError::ReservedBits);
    }
    let bits = first & 0x0f;
    let opcode = Opcode::from_bits(bits).ok_or(DecodeError::ReservedOpcode(bits))?;
    if reserved != 0 && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        return Err(DecodeError::ReservedBits);
    }
    Ok((first & FINISHED != 0, opcode, reserved != 0))
}

fn check_control(finished: bool, short: u8) -> Result<(), DecodeError> {
    if !finished {
        return Err(DecodeError::FragmentedControl);
    }
    if usize::from(short) > MAX_CONTROL_BYTES {
        return Err(DecodeError::ControlTooLong);
    }
    Ok(())
}

fn check_role(role: Role, masked: bool) -> Result<(), DecodeError> {
    match (role, masked) {
        (Role::Server, false) => Err(DecodeError::Unmasked),
        (Role::Client, true) => Err(DecodeError::Masked),
        (Role::Server, true) | (Role::Client, false) => Ok(()),
    }
}

#[inline]
fn read_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    Ok(match short {
        LENGTH_16 => rest
            .split_first_chunk()
            .map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest)),
        LENGTH_64 => match rest.split_first_chunk() {
            Some((length, rest)) => {
                let length = u64::from_be_bytes(*length);
                if length > i64::MAX.unsigned_abs() {
                    return Err(DecodeError::InvalidLength);
                }
                Some((length, rest))
            }
            None => None,
        },
        short => Some((u64::from(short), rest)),
    })
}

/// The bytes of a header: a finished one to send, or a part of one that arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeaderBytes {
    bytes: [u8; MAX_HEADER_BYTES],
    length: u8,
}

impl HeaderBytes {
    /// The header of a frame that is the whole of its message.
    pub(super) fn new(opcode: Opcode, length: usize, key: Option<[u8; 4]>) -> Self {
        let first = FINISHED | opcode.bits();
        let masked = if key.is_some() { MASKED } else { 0 };
        let mut header = match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < LENGTH_16 => Self::from_array([first, masked | short]),
            (_, Ok(medium)) => {
                let [a, b] = medium.to_be_bytes();
                Self::from_array([first, masked | LENGTH_16, a, b])
            }
            _ => {
                let [a, b, c, d, e, f, g, h] = (length as u64).to_be_bytes();
                Self::from_array([first, masked | LENGTH_64, a, b, c, d, e, f, g, h])
            }
        };
        if let Some(key) = key {
            header.append(&key);
        }
        header
    }

    fn from_array<const N: usize>(start: [u8; N]) -> Self {
        let mut header = Self { bytes: [0; MAX_HEADER_BYTES], length: N as u8 };
        for (slot, byte) in header.bytes.iter_mut().zip(start) {
            *slot = byte;
        }
        header
    }

    /// Appends as much of `more` as a header can have.
    pub(super) fn append(&mut self, more: &[u8]) {
        let free = self.bytes.get_mut(usize::from(self.length)..).unwrap_or_default();
        for (slot, byte) in free.iter_mut().zip(more) {
            *slot = *byte;
            self.length += 1;
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.length)
    }
}

/// Writes the header of an unmasked frame to the end of `room`; where it begins. `None`: there is too
/// little room.
pub(super) fn write_header_before(
    room: &mut [u8],
    opcode: Opcode,
    compressed: bool,
    length: usize,
) -> Option<usize> {
    let first = FINISHED | opcode.bits() | if compressed { COMPRESSED } else { 0 };
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < LENGTH_16 => put(room, [first, short]),
        (_, Ok(medium)) => {
            let [a, b] = medium.to_be_bytes();
            put(room, [first, LENGTH_16, a, b])
        }
        _ => {
            let [a, b, c, d, e, f, g, h] = (length as u64).to_be_bytes();
            put(room, [first, LENGTH_64, a, b, c, d, e, f, g, h])
        }
    }
}

fn put<const N: usize>(room: &mut [u8], header: [u8; N]) -> Option<usize> {
    let start = room.len().checked_sub(N)?;
    *room.last_chunk_mut()? = header;
    Some(start)
}

/// How many bytes the header of an unmasked frame takes, by its second byte.
pub(super) const fn unmasked_header_bytes(second: u8) -> usize {
    match second {
        LENGTH_16 => 4,
        LENGTH_64 => 10,
        _ => 2,
    }
}

/// How many bytes the unmasked frame takes that `bytes` begin with. `None`: its header is not there.
pub(super) fn unmasked_frame_bytes(bytes: &[u8]) -> Option<usize> {
    let [_, second, rest @ ..] = bytes else { return None };
    let (length, payload) = read_length(*second, rest).ok()??;
    usize::try_from(length).ok()?.checked_add(bytes.len() - payload.len())
}

/// Two bytes, a 64-bit length and a mask key.
const MAX_HEADER_BYTES: usize = 14;
const FINISHED: u8 = 0x80;
const RESERVED: u8 = 0x70;
/// The first reserved bit, where permessage-deflate is negotiated.
pub(super) const COMPRESSED: u8 = 0x40;
const MASKED: u8 = 0x80;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

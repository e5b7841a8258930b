use std::collections::VecDeque;
use std::io::{self, IoSlice};

use sockeye_proto::engine::PayloadEncoder;
use sockeye_proto::websocket::{Frame, Opcode};

use super::scratch;

/// Frames below this total are copied into one buffer: a copy is cheaper than a list of slices.
const COPIED_BYTES: usize = 32 * 1024;
/// Slices that one vectored write takes.
const SLICES: usize = 64;
/// Room for this many frames is kept when the outbox is empty.
const KEPT_FRAMES: usize = 4;

/// What is queued for one peer: finished frames that may be shared with any number of other peers.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<Frame>,
    /// How much of the first frame has been written.
    written: usize,
    /// How much is left to write.
    bytes: usize,
    /// Whether one of the frames may be compressed by who carries them.
    compressible: bool,
    /// Packets that were written, until somebody counts them.
    written_packets: u32,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            written: 0,
            bytes: 0,
            compressible: false,
            written_packets: 0,
        }
    }

    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    /// The same for a frame that nobody has asked not to compress.
    pub(super) fn push_compressible(&mut self, frame: Frame) {
        self.compressible = true;
        self.push(frame);
    }

    /// Puts what another outbox holds behind what this one does.
    pub(super) fn append(&mut self, mut other: Self) {
        self.bytes += other.bytes;
        self.compressible |= other.compressible;
        self.frames.append(&mut other.frames);
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self { written_packets: self.written_packets, ..Self::new() };
    }

    /// Throws away what the peer has seen nothing of. A frame of which it has a part must be
    /// completed, or what comes after it would be taken for the rest.
    pub(super) fn clear_unstarted(&mut self) {
        let started = self.frames.front().filter(|_| self.written > 0).cloned();
        let written = self.written;
        self.clear();
        if let Some(frame) = started {
            self.bytes = frame.len() - written;
            self.written = written;
            self.frames.push_back(frame);
        }
    }

    /// Whether one of the frames may be compressed by who carries them.
    pub(super) const fn is_compressible(&self) -> bool {
        self.compressible
    }

    /// Whether one of the frames is binary.
    pub(super) fn has_binary(&self) -> bool {
        self.frames.iter().any(|frame| frame.opcode() == Opcode::Binary)
    }

    /// How many packets were written since the last time; what WebSocket itself says is none.
    pub(super) const fn take_written_packets(&mut self) -> u32 {
        std::mem::replace(&mut self.written_packets, 0)
    }

    /// Moves everything into the payload that answers a poll: how many packets that was.
    pub(super) fn drain_into(&mut self, payload: &mut PayloadEncoder) -> usize {
        let packets = self.frames.len();
        for frame in &self.frames {
            payload.push(frame);
        }
        self.clear();
        packets
    }

    /// Writes until everything is written or the writer does not take all.
    ///
    /// `write` gets one slice or several; an error, also `WouldBlock`, leaves the rest queued.
    pub(super) fn write_with(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.frames.is_empty() {
            let count = self.write_once(&mut write)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.advance(count);
        }
        Ok(())
    }

    /// What is left to write, frame by frame.
    pub(super) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.frames.front().and_then(|frame| frame.as_bytes().get(self.written..));
        first.into_iter().chain(self.frames.iter().skip(1).map(Frame::as_bytes))
    }

    fn write_once(
        &self,
        write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.frames.len() == 1 {
            return write(&[self.first_slice()]);
        }
        if self.bytes <= COPIED_BYTES {
            return scratch::with_write(|buffer| {
                self.slices().for_each(|slice| buffer.extend_from_slice(&slice));
                write(&[IoSlice::new(buffer)])
            });
        }
        let mut list = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (place, slice) in list.iter_mut().zip(self.slices()) {
            *place = slice;
            count += 1;
        }
        write(list.get(..count).unwrap_or_default())
    }

    fn first_slice(&self) -> IoSlice<'_> {
        let first = self.frames.front().map_or(&[][..], Frame::as_bytes);
        IoSlice::new(first.get(self.written..).unwrap_or_default())
    }

    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        let others = self.frames.iter().skip(1).map(|frame| IoSlice::new(frame.as_bytes()));
        std::iter::once(self.first_slice()).chain(others)
    }

    fn advance(&mut self, count: usize) {
        self.bytes -= count;
        self.written += count;
        while let Some(first) = self.frames.front()
            && self.written >= first.len()
        {
            self.written -= first.len();
            self.written_packets += u32::from(!first.opcode().is_control());
            self.frames.pop_front();
        }
        if self.frames.is_empty() && self.frames.capacity() > KEPT_FRAMES {
            self.frames = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that takes `sizes` bytes call by call and then blocks.
    fn write(outbox: &mut Outbox, sizes: &[usize]) -> Vec<u8> {
        let mut sizes = sizes.iter();
        let mut taken = Vec::new();
        let result = outbox.write_with(|slices| {
            let room = *sizes.next().ok_or(io::ErrorKind::WouldBlock)?;
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let count = room.min(all.len());
            taken.extend_from_slice(&all[..count]);
            Ok(count)
        });
        assert_eq!(result.is_ok(), outbox.is_empty());
        taken
    }

    #[test]
    fn nothing_is_lost_or_repeated_however_little_the_writer_takes() {
        for (frame_bytes, rooms) in
            [(1, [1, 2, 3]), (300, [1, 7, 1_000]), (20_000, [999, 10_000, 33_000])]
        {
            let frames: Vec<_> = (0..5).map(|n| Frame::binary(&vec![n; frame_bytes])).collect();
            let expected: Vec<u8> = frames.iter().flat_map(|f| f.as_bytes().to_vec()).collect();
            for room in rooms {
                let mut outbox = Outbox::default();
                frames.iter().for_each(|frame| outbox.push(frame.clone()));
                assert_eq!(outbox.bytes(), expected.len());
                let mut taken = Vec::new();
                while !outbox.is_empty() {
                    taken.extend(write(&mut outbox, &[room, room]));
                }
                assert_eq!(taken, expected);
                assert_eq!(outbox.bytes(), 0);
                assert_eq!(outbox.take_written_packets(), 5);
                assert_eq!(outbox.take_written_packets(), 0);
            }
        }
    }

    #[test]
    fn a_frame_that_was_begun_is_completed_when_the_rest_is_thrown_away() {
        let mut outbox = Outbox::default();
        (0..3).for_each(|n| outbox.push(Frame::binary(&[n; 10])));
        write(&mut outbox, &[15]);
        outbox.clear_unstarted();
        assert_eq!(outbox.bytes(), 9);
        outbox.push(Frame::close(None, ""));
        assert_eq!(write(&mut outbox, &[99]), [&[1; 9][..], &[0x88, 0]].concat());
        outbox.push(Frame::binary(&[7]));
        outbox.clear_unstarted();
        assert!(outbox.is_empty());
        assert_eq!(outbox.take_written_packets(), 2, "a close frame is no packet");
    }

    #[test]
    fn small_frames_go_out_in_one_write() {
        let mut outbox = Outbox::default();
        (0..16).for_each(|_| outbox.push(Frame::text(b"x")));
        write(&mut outbox, &[usize::MAX]);
        assert!(outbox.is_empty());
    }
}

mod pieces;

use std::io::{self, IoSlice};

use sockeye_proto::engine::PayloadEncoder;
use sockeye_proto::websocket::{Frame, FrameRef, Opcode};

use super::batch::Batch;
use super::scratch;
use pieces::{Piece, Pieces};

/// Pieces below this total are copied into one buffer: a copy is cheaper than a list of slices.
const COPIED_BYTES: usize = 32 * 1024;
/// Slices that one vectored write takes.
const SLICES: usize = 64;

/// What is queued for one peer: finished frames.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: Pieces,
    /// How much of the first piece has been written.
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
            pieces: Pieces::new(),
            written: 0,
            bytes: 0,
            compressible: false,
            written_packets: 0,
        }
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.pieces.push(Piece::Shared(frame));
    }

    /// Copies a frame that only this peer gets.
    #[inline]
    pub(crate) fn push_own(&mut self, frame: FrameRef<'_>) {
        self.bytes += frame.as_bytes().len();
        match self.pieces.last_mut() {
            Some(Piece::Own(batch)) if batch.has_room() => batch.push(frame),
            _ => self.pieces.push(Piece::Own(Batch::of(frame))),
        }
    }

    /// Nobody has asked not to compress what is queued.
    pub(super) const fn allow_compression(&mut self) {
        self.compressible = true;
    }

    /// Puts what another outbox holds behind what this one does.
    pub(super) fn append(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.compressible |= other.compressible;
        self.pieces.append(other.pieces);
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self { written_packets: self.written_packets, ..Self::new() };
    }

    /// Throws away what the peer has seen nothing of. A frame of which it has a part must be
    /// completed, or what comes after it would be taken for the rest.
    pub(super) fn clear_unstarted(&mut self) {
        let mut started = self.pieces.pop_first().filter(|_| self.written > 0);
        let written = self.written;
        self.clear();
        if let Some(Piece::Own(batch)) = &mut started {
            batch.cut_behind(written);
        }
        if let Some(piece) = started {
            self.bytes = piece.as_bytes().len() - written;
            self.written = written;
            self.pieces.push(piece);
        }
    }

    /// Whether one of the frames may be compressed by who carries them.
    pub(super) const fn is_compressible(&self) -> bool {
        self.compressible
    }

    /// Whether one of the frames is binary.
    pub(super) fn has_binary(&self) -> bool {
        let mut frames = self.pieces.iter().flat_map(Piece::frames);
        frames.any(|frame| frame.opcode() == Opcode::Binary)
    }

    /// How many packets were written since the last time; what WebSocket itself says is none.
    pub(super) const fn take_written_packets(&mut self) -> u32 {
        std::mem::replace(&mut self.written_packets, 0)
    }

    /// Moves everything into the payload that answers a poll: how many packets that was.
    pub(super) fn drain_into(&mut self, payload: &mut PayloadEncoder) -> usize {
        let frames = self.pieces.iter().flat_map(Piece::frames);
        let packets = frames.map(|frame| payload.push(frame)).count();
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
        while !self.pieces.is_empty() {
            match self.write_once(&mut write) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) => {
                    self.settle();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// What is left to write, piece by piece.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.first_piece()).chain(self.pieces.iter().skip(1).map(Piece::as_bytes))
    }

    fn write_once(
        &self,
        write: &mut impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.pieces.is_one() {
            return write(&[IoSlice::new(self.first_piece())]);
        }
        if self.bytes <= COPIED_BYTES {
            return scratch::with_write(|buffer| {
                self.pieces().for_each(|piece| buffer.extend_from_slice(piece));
                write(&[IoSlice::new(buffer)])
            });
        }
        let mut list = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (place, piece) in list.iter_mut().zip(self.pieces()) {
            *place = IoSlice::new(piece);
            count += 1;
        }
        write(list.get(..count).unwrap_or_default())
    }

    fn first_piece(&self) -> &[u8] {
        let first = self.pieces.first().map_or(&[][..], Piece::as_bytes);
        first.get(self.written..).unwrap_or_default()
    }

    fn advance(&mut self, count: usize) {
        self.bytes -= count;
        self.written += count;
        while let Some(first) = self.pieces.first().map(|piece| piece.as_bytes().len())
            && self.written >= first
        {
            self.written -= first;
            self.written_packets += self.pieces.pop_first().map_or(0, Piece::retire);
        }
    }

    /// What is left waits for its peer, and takes no more memory than it needs.
    fn settle(&mut self) {
        if let Some(Piece::Own(batch)) = self.pieces.last_mut() {
            batch.shrink();
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

    /// Text that only this peer gets.
    fn push_own(outbox: &mut Outbox, text: &[u8]) {
        let frame = Frame::text(text);
        outbox.push_own((&frame).into());
    }

    #[test]
    fn shared_frames_and_those_of_one_peer_keep_their_order() {
        for room in [1, 2, 3, 5, 7, 100] {
            let mut outbox = Outbox::default();
            push_own(&mut outbox, b"a");
            push_own(&mut outbox, b"b");
            outbox.push(Frame::text(b"c"));
            push_own(&mut outbox, b"d");
            outbox.push(Frame::binary(b"e"));
            assert!(outbox.has_binary());
            let mut taken = Vec::new();
            while !outbox.is_empty() {
                taken.extend(write(&mut outbox, &[room]));
            }
            assert_eq!(taken, b"\x81\x01a\x81\x01b\x81\x01c\x81\x01d\x82\x01e");
            assert_eq!((outbox.bytes(), outbox.take_written_packets()), (0, 5));
        }
    }

    #[test]
    fn of_the_frames_of_one_peer_only_what_was_begun_is_completed() {
        let mut outbox = Outbox::default();
        ["abc", "def", "ghi"].iter().for_each(|text| push_own(&mut outbox, text.as_bytes()));
        assert_eq!(write(&mut outbox, &[6]), b"\x81\x03abc\x81");
        outbox.clear_unstarted();
        assert_eq!(outbox.bytes(), 4);
        assert_eq!(write(&mut outbox, &[99]), b"\x03def");
        assert_eq!(outbox.take_written_packets(), 2);
    }

    #[test]
    fn a_poll_takes_all_frames_one_by_one() {
        let mut outbox = Outbox::default();
        push_own(&mut outbox, b"4a");
        push_own(&mut outbox, b"4b");
        outbox.push(Frame::text(b"4c"));
        let mut payload = PayloadEncoder::new();
        assert_eq!(outbox.drain_into(&mut payload), 3);
        assert_eq!(payload.finish(), b"4a\x1e4b\x1e4c");
    }

    #[test]
    fn small_frames_go_out_in_one_write() {
        let mut outbox = Outbox::default();
        (0..16).for_each(|_| outbox.push(Frame::text(b"x")));
        write(&mut outbox, &[usize::MAX]);
        assert!(outbox.is_empty());
    }
}

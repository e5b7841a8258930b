use std::collections::VecDeque;
use std::iter;

use sockeye_proto::websocket::{Frame, FrameRef};

use crate::engine::batch::Batch;

/// Room for this many pieces is kept when there are none.
const KEPT: usize = 4;

/// What lies together in memory: frames.
#[derive(Debug)]
pub(super) enum Piece {
    /// A frame that may be queued for any number of other peers too.
    Shared(Frame),
    /// Frames that only this peer gets.
    Own(Box<Batch>),
}

impl Piece {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Shared(frame) => frame.as_bytes(),
            Self::Own(batch) => batch.as_bytes(),
        }
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = FrameRef<'_>> {
        let mut rest = self.as_bytes();
        iter::from_fn(move || {
            let (frame, behind) = FrameRef::split_first(rest)?;
            rest = behind;
            Some(frame)
        })
    }

    /// It was written: how many packets that is.
    pub(super) fn retire(self) -> u32 {
        match self {
            Self::Shared(frame) => u32::from(!frame.opcode().is_control()),
            Self::Own(batch) => batch.retire(),
        }
    }
}

/// A queue of pieces. The first one needs no memory of its own, and there is hardly ever another.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    first: Option<Piece>,
    /// None without a first one.
    others: VecDeque<Piece>,
}

impl Pieces {
    pub(super) const fn new() -> Self {
        Self { first: None, others: VecDeque::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn is_one(&self) -> bool {
        self.first.is_some() && self.others.is_empty()
    }

    pub(super) const fn first(&self) -> Option<&Piece> {
        self.first.as_ref()
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Piece> {
        self.others.back_mut().or(self.first.as_mut())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.first.iter().chain(&self.others)
    }

    pub(super) fn push(&mut self, piece: Piece) {
        if self.first.is_none() {
            self.first = Some(piece);
        } else {
            self.others.push_back(piece);
        }
    }

    pub(super) fn pop_first(&mut self) -> Option<Piece> {
        let first = self.first.take();
        self.first = self.others.pop_front();
        if self.first.is_none() && self.others.capacity() > KEPT {
            self.others = VecDeque::new();
        }
        first
    }

    pub(super) fn append(&mut self, other: Self) {
        other.first.into_iter().chain(other.others).for_each(|piece| self.push(piece));
    }
}

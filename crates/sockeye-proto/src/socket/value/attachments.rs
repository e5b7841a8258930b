//! The attachments that a tree of values may name.

use std::cell::Cell;

use bytes::Bytes;
use serde::de;

/// All that is named together may be so many times as large as the attachments, or [`ALWAYS`].
const TIMES: usize = 4;
const ALWAYS: usize = 1024 * 1024;

/// Attachments, and how many bytes of them may still be named.
///
/// A type that owns its data gets a copy for each time that one is named, and a short text can name a
/// large one tens of thousands of times.
pub(in crate::socket) struct Nameable<'a> {
    attachments: &'a [Bytes],
    left: Cell<usize>,
}

impl<'a> Nameable<'a> {
    /// Without any, what looks like a placeholder is just an object.
    #[inline]
    pub(in crate::socket) const fn none() -> Self {
        Self { attachments: &[], left: Cell::new(0) }
    }

    pub(in crate::socket) fn new(attachments: &'a [Bytes]) -> Self {
        let bytes = attachments.iter().fold(0_usize, |sum, bytes| sum.saturating_add(bytes.len()));
        Self { attachments, left: Cell::new(bytes.saturating_mul(TIMES).max(ALWAYS)) }
    }

    #[inline]
    pub(in crate::socket) const fn is_empty(&self) -> bool {
        self.attachments.is_empty()
    }

    /// The attachment of this number; `None` is none.
    pub(super) fn take<E: de::Error>(&self, number: Option<usize>) -> Result<Bytes, E> {
        let attachment = number.and_then(|number| self.attachments.get(number));
        let attachment = attachment.ok_or_else(|| E::custom("illegal attachments"))?;
        let left = self.left.get().checked_sub(attachment.len());
        self.left.set(left.ok_or_else(|| {
            E::custom(
                "the sender names its attachments so often that they would take too much memory",
            )
        })?);
        Ok(attachment.clone())
    }
}

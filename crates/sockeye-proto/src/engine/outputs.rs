/// The longest answer of a server's session: an overlapping GET refused, the waiting one answered, a
/// candidate closed, the link closed, the end told, the session released. A client's are shorter.
const MOST: usize = 8;

/// The outputs of one `handle`: few and small, so they need no heap.
#[derive(Debug)]
pub(super) struct Outputs<T> {
    slots: [Option<T>; MOST],
    first: u8,
    len: u8,
}

impl<T> Default for Outputs<T> {
    fn default() -> Self {
        Self { slots: [const { None }; MOST], first: 0, len: 0 }
    }
}

impl<T> Outputs<T> {
    pub(super) fn push(&mut self, output: T) {
        let free = self.slots.get_mut(usize::from(self.first) + usize::from(self.len));
        debug_assert!(free.is_some(), "poll() was not called until None");
        if let Some(slot) = free {
            *slot = Some(output);
            self.len += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            self.first = 0;
            return None;
        }
        let output = self.slots.get_mut(usize::from(self.first)).and_then(Option::take);
        self.first += 1;
        self.len -= 1;
        output
    }
}

/// The number that ties an acknowledgement to its event (S-059).
pub type AcknowledgementId = u64;

/// What waits for acknowledgements, each under its id.
///
/// Ids are given by the namespace and never reused. Few wait at a time, so a list in the order of
/// asking is smaller and faster than a map; answers mostly come in that order too.
#[derive(Debug)]
pub struct PendingAcknowledgements<T> {
    waiting: Vec<(AcknowledgementId, T)>,
}

impl<T> Default for PendingAcknowledgements<T> {
    fn default() -> Self {
        Self { waiting: Vec::new() }
    }
}

impl<T> PendingAcknowledgements<T> {
    /// Keeps `waiting` until `id` is answered.
    pub fn insert(&mut self, id: AcknowledgementId, waiting: T) {
        let place = self.waiting.partition_point(|(known, _)| *known < id);
        self.waiting.insert(place, (id, waiting));
    }

    /// Removes what waits for `id`. `None` for an id that is unknown, answered or given up (S-060).
    pub fn take(&mut self, id: AcknowledgementId) -> Option<T> {
        let place = self.waiting.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let (_, waiting) = self.waiting.remove(place);
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
        Some(waiting)
    }

    /// Removes everything, because no answer can come any more.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.waiting).into_iter().map(|(_, waiting)| waiting)
    }

    /// How many answers are awaited.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no answer is awaited.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_once_and_in_any_order() {
        let mut pending = PendingAcknowledgements::default();
        for id in [3, 8, 7] {
            pending.insert(id, id * 10);
        }
        assert_eq!(pending.take(7), Some(70));
        assert_eq!(pending.take(7), None);
        assert_eq!(pending.take(4), None);
        assert_eq!(pending.take(3), Some(30));
        assert_eq!(pending.drain().collect::<Vec<_>>(), [80]);
        assert!(pending.is_empty());
    }
}

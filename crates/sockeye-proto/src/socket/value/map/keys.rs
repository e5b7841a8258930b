//! The keys of a map. Never looks at its values.

use std::collections::BTreeMap;
use std::mem;

use super::Member;

/// With more members than this there is an index of their keys.
pub(super) const FEW: usize = 16;

/// All of them, one behind the other; where each ends, its [`Member`] says.
#[derive(Clone)]
pub(super) enum Keys {
    Few(String),
    Many(Box<Many>),
}

#[derive(Clone)]
pub(super) struct Many {
    all: String,
    places: BTreeMap<String, usize>,
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self::Few(String::new())
    }

    #[inline]
    pub(super) fn all(&self) -> &str {
        match self {
            Self::Few(all) => all,
            Self::Many(many) => &many.all,
        }
    }

    #[inline]
    fn all_mut(&mut self) -> &mut String {
        match self {
            Self::Few(all) => all,
            Self::Many(many) => &mut many.all,
        }
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.all_mut().reserve(bytes);
    }

    /// Which of the members has this key.
    #[inline]
    pub(super) fn place(&self, key: &str, members: &[Member]) -> Option<usize> {
        let all = match self {
            Self::Few(all) => all.as_bytes(),
            Self::Many(many) => return many.places.get(key).copied(),
        };
        let mut start = 0;
        members.iter().position(|member| {
            let place = start..member.key_end;
            start = member.key_end;
            place.len() == key.len() && all.get(place) == Some(key.as_bytes())
        })
    }

    /// Adds a key behind those of `members`: where it ends.
    #[inline]
    pub(super) fn push(&mut self, key: &str, members: &[Member]) -> usize {
        if members.len() >= FEW {
            self.note_place(key, members);
        }
        let all = self.all_mut();
        all.push_str(key);
        all.len()
    }

    #[inline(never)]
    fn note_place(&mut self, key: &str, members: &[Member]) {
        if let Self::Few(all) = self {
            let all = mem::take(all);
            let mut keys = EachKey::of(&all);
            let keys = members.iter().map(|member| keys.up_to(member.key_end).to_owned());
            let places = keys.zip(0..).collect();
            *self = Self::Many(Box::new(Many { all, places }));
        }
        if let Self::Many(many) = self {
            many.places.insert(key.to_owned(), members.len());
        }
    }

    /// Takes out a key that ends at `end`: of the member that was at `place`, before `left` were left.
    pub(super) fn remove(&mut self, key: &str, end: usize, place: usize, left: usize) {
        self.all_mut().replace_range(end - key.len()..end, "");
        let Self::Many(many) = self else { return };
        if left <= FEW {
            *self = Self::Few(mem::take(&mut many.all));
            return;
        }
        many.places.remove(key);
        many.places.values_mut().filter(|other| **other > place).for_each(|other| *other -= 1);
    }
}

/// Gives keys that lie one behind the other one by one, each where it ends.
#[derive(Clone, Debug)]
pub(super) struct EachKey<'a> {
    all: &'a str,
    start: usize,
}

impl<'a> EachKey<'a> {
    pub(super) const fn of(all: &'a str) -> Self {
        Self { all, start: 0 }
    }

    #[inline]
    pub(super) fn up_to(&mut self, end: usize) -> &'a str {
        self.all.get(mem::replace(&mut self.start, end)..end).unwrap_or_default()
    }
}

use std::{fmt, mem, slice, vec};

use super::keys::{EachKey, Keys};
use super::{Map, Member};
use crate::socket::Value;

/// The members of a [`Map`], in their order.
#[derive(Clone)]
pub struct MapIter<'a> {
    pub(super) keys: EachKey<'a>,
    pub(super) members: slice::Iter<'a, Member>,
}

impl<'a> Iterator for MapIter<'a> {
    type Item = (&'a str, &'a Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let member = self.members.next()?;
        Some((self.keys.up_to(member.key_end), &member.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.members.size_hint()
    }
}

impl ExactSizeIterator for MapIter<'_> {}

impl fmt::Debug for MapIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a str, &'a Value);
    type IntoIter = MapIter<'a>;

    fn into_iter(self) -> MapIter<'a> {
        self.iter()
    }
}

/// The members of a [`Map`] that is taken apart, in their order.
pub struct MapIntoIter {
    keys: Keys,
    start: usize,
    members: vec::IntoIter<Member>,
}

impl Iterator for MapIntoIter {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let Member { key_end, value } = self.members.next()?;
        let key = self.keys.all().get(mem::replace(&mut self.start, key_end)..key_end);
        Some((key.unwrap_or_default().to_owned(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.members.size_hint()
    }
}

impl ExactSizeIterator for MapIntoIter {}

impl fmt::Debug for MapIntoIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapIntoIter").field("left", &self.members.len()).finish_non_exhaustive()
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = MapIntoIter;

    fn into_iter(self) -> MapIntoIter {
        MapIntoIter { keys: self.keys, start: 0, members: self.members.into_iter() }
    }
}

//! Objects.

use std::collections::HashMap;
use std::{fmt, mem, slice, vec};

use serde::ser::{Serialize, Serializer};

use super::Value;

/// Room for so many members is made for the first.
const FEW: usize = 8;

/// With more members than this, keys are looked up by their hash.
const SOME: usize = 16;

/// The members of an object, each key once, in the order in which they came: as in JavaScript, but
/// that keys which are numbers have no place of their own.
///
/// A member is found in constant time, or among the few there are.
#[derive(Clone, Default)]
pub struct Map {
    members: Vec<(String, Value)>,
    /// Where each key is, if there are more than [`SOME`].
    #[expect(clippy::box_collection, reason = "nearly all are small, and have none")]
    places: Option<Box<HashMap<String, usize>>>,
}

impl Map {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Vec::new(), places: None }
    }

    /// How many members there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let place = self.place(key)?;
        self.members.get(place).map(|(_, value)| value)
    }

    /// The value of a member, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let place = self.place(key)?;
        self.members.get_mut(place).map(|(_, value)| value)
    }

    /// Whether there is such a member.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Adds a member behind the others. If it is there already, its value is replaced where it is, and the
    /// one that it had returned.
    pub fn insert(&mut self, key: impl AsRef<str>, value: Value) -> Option<Value> {
        let (count, place) = (self.len(), self.place_of(key.as_ref()));
        let old = mem::replace(place, value);
        (self.len() == count).then_some(old)
    }

    /// Where the value of a member lies. It is added behind the others, if it was not there.
    #[inline]
    pub(super) fn place_of(&mut self, key: &str) -> &mut Value {
        match self.place(key) {
            Some(place) => &mut self.members[place].1,
            None => self.push(key),
        }
    }

    #[inline]
    fn push(&mut self, key: &str) -> &mut Value {
        match self.members.len() {
            0 => self.members.reserve(FEW),
            SOME.. => self.note_place(key),
            _ => {}
        }
        &mut self.members.push_mut((key.into(), Value::Null)).1
    }

    /// One more is to be found by its hash.
    #[inline(never)]
    fn note_place(&mut self, key: &str) {
        let members = &self.members;
        let places = self.places.get_or_insert_with(|| Box::new(places_of(members)));
        places.insert(key.into(), members.len());
    }

    /// Takes a member out; those behind it move up, which takes time for each of them.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.place(key)?;
        let (_, value) = self.members.remove(place);
        self.forget_place(key, place);
        Some(value)
    }

    fn forget_place(&mut self, key: &str, place: usize) {
        let Some(places) = &mut self.places else { return };
        if self.members.len() <= SOME {
            self.places = None;
            return;
        }
        places.remove(key);
        places.values_mut().filter(|other| **other > place).for_each(|other| *other -= 1);
    }

    /// The members, in their order.
    pub fn iter(&self) -> MapIter<'_> {
        MapIter(self.members.iter())
    }

    /// The members, in their order, and their values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        self.members.iter_mut().map(|(key, value)| (key.as_str(), value))
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.members.iter().map(|(key, _)| key.as_str())
    }

    /// The values, in their order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.members.iter().map(|(_, value)| value)
    }

    #[inline]
    fn place(&self, key: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(key).copied(),
            None => self.members.iter().position(|(other, _)| other == key),
        }
    }
}

fn places_of(members: &[(String, Value)]) -> HashMap<String, usize> {
    members.iter().enumerate().map(|(place, (key, _))| (key.clone(), place)).collect()
}

/// What is equal has the same members, in whatever order.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<K: AsRef<str>> Extend<(K, Value)> for Map {
    fn extend<I: IntoIterator<Item = (K, Value)>>(&mut self, members: I) {
        members.into_iter().for_each(|(key, value)| {
            self.insert(key, value);
        });
    }
}

impl<K: AsRef<str>> FromIterator<(K, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, Value)>>(members: I) -> Self {
        let mut map = Self::new();
        map.extend(members);
        map
    }
}

impl<K: AsRef<str>, const N: usize> From<[(K, Value); N]> for Map {
    fn from(members: [(K, Value); N]) -> Self {
        members.into_iter().collect()
    }
}

/// The members of a [`Map`], in their order.
#[derive(Clone, Debug)]
pub struct MapIter<'a>(slice::Iter<'a, (String, Value)>);

impl<'a> Iterator for MapIter<'a> {
    type Item = (&'a str, &'a Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key.as_str(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for MapIter<'_> {}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a str, &'a Value);
    type IntoIter = MapIter<'a>;

    fn into_iter(self) -> MapIter<'a> {
        self.iter()
    }
}

/// The members of a [`Map`] that is taken apart, in their order.
#[derive(Debug)]
pub struct MapIntoIter(vec::IntoIter<(String, Value)>);

impl Iterator for MapIntoIter {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for MapIntoIter {}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = MapIntoIter;

    fn into_iter(self) -> MapIntoIter {
        MapIntoIter(self.members.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn numbered(keys: impl IntoIterator<Item = u32>) -> Map {
        keys.into_iter().map(|key| (format!("key {key}"), Value::Number(key.into()))).collect()
    }

    fn keys(map: &Map) -> Vec<String> {
        map.keys().map(str::to_owned).collect()
    }

    #[test]
    fn members_keep_the_order_in_which_they_came_however_many_there_are() {
        for count in [1, SOME as u32, SOME as u32 + 1, 200] {
            let map = numbered((0..count).rev());
            let expected: Vec<_> = (0..count).rev().map(|key| format!("key {key}")).collect();
            assert_eq!(keys(&map), expected);
            assert_eq!(map.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_key_given_twice_stays_at_its_place_and_has_the_last_value() {
        for count in [2, SOME as u32, 40] {
            let mut map = numbered(0..count);
            assert_eq!(map.insert("key 0", Value::Null), Some(Value::Number(0.into())));
            assert_eq!(map, {
                let mut other = numbered((0..count).rev());
                other.insert("key 0", Value::Null);
                other
            });
            assert_eq!(map.keys().next(), Some("key 0"));
            assert_eq!(map.len(), count as usize);
        }
    }

    /// Some of what may be done, in an order that a number gives.
    #[test]
    fn it_is_a_map_whatever_is_done_in_whatever_order() {
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % below
        };
        let (mut map, mut expected) = (Map::new(), BTreeMap::new());
        for step in 0..20_000_u64 {
            let key = format!("{}", next(if step % 1_000 < 500 { 24 } else { 60 }));
            if next(3) == 0 {
                assert_eq!(map.remove(&key), expected.remove(&key));
            } else {
                let value = Value::Number(step.into());
                assert_eq!(map.insert(&key, value.clone()), expected.insert(key, value));
            }
            assert_eq!(map.len(), expected.len());
            assert_eq!(map.places.is_some(), map.len() > SOME);
            if step % 50 == 0 {
                for (key, value) in &mut expected {
                    assert_eq!(map.get(key), Some(&*value));
                    assert_eq!(map.get_mut(key), Some(value));
                }
            }
        }
    }

    #[test]
    fn those_are_equal_that_have_the_same_members() {
        assert_eq!(numbered(0..30), numbered((0..30).rev()));
        assert_ne!(numbered(0..30), numbered(1..31));
        assert_ne!(numbered(0..3), numbered(0..4));
    }
}

//! Objects.

use std::{fmt, mem};

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use super::Value;

mod iter;
mod keys;
#[cfg(test)]
mod tests;

pub use iter::{MapIntoIter, MapIter};
use keys::{EachKey, Keys};

/// Room for so many members, and for so many bytes of keys, is made with the first.
const ROOM: usize = 8;
const ROOM_BYTES: usize = 32;

/// The members of an object, each key once, in the order in which they came: as in JavaScript, but
/// that keys which are numbers have no place of their own.
///
/// The keys of up to 16 members take one allocation, and are looked at one by one; those of more have an
/// index.
#[derive(Clone, Default)]
pub struct Map {
    keys: Keys,
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    /// Where its key ends, which begins where that of the member before it ends.
    key_end: usize,
    value: Value,
}

impl Map {
    /// An object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: Keys::new(), members: Vec::new() }
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
        self.members.get(place).map(|member| &member.value)
    }

    /// The value of a member, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let place = self.place(key)?;
        self.members.get_mut(place).map(|member| &mut member.value)
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
            Some(place) => &mut self.members[place].value,
            None => self.push(key),
        }
    }

    #[inline]
    fn push(&mut self, key: &str) -> &mut Value {
        if self.members.is_empty() {
            self.keys.reserve(ROOM_BYTES);
            self.members.reserve(ROOM);
        }
        let key_end = self.keys.push(key, &self.members);
        &mut self.members.push_mut(Member { key_end, value: Value::Null }).value
    }

    /// Takes a member out; those behind it move up, which takes time for each of them: to take out
    /// several, see [`retain`](Self::retain).
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.place(key)?;
        let Member { key_end, value } = self.members.remove(place);
        let behind = self.members.get_mut(place..).unwrap_or_default();
        behind.iter_mut().for_each(|member| member.key_end -= key.len());
        self.keys.remove(key, key_end, place, self.members.len());
        Some(value)
    }

    /// Keeps only the members of which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        let members = mem::take(self).into_iter();
        self.extend(
            members.filter_map(|(key, mut value)| keep(&key, &mut value).then_some((key, value))),
        );
    }

    /// The members, in their order.
    pub fn iter(&self) -> MapIter<'_> {
        MapIter { keys: EachKey::of(self.keys.all()), members: self.members.iter() }
    }

    /// The members, in their order, and their values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        let mut keys = EachKey::of(self.keys.all());
        self.members.iter_mut().map(move |member| (keys.up_to(member.key_end), &mut member.value))
    }

    /// The keys, in their order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in their order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.members.iter().map(|member| &member.value)
    }

    #[inline]
    fn place(&self, key: &str) -> Option<usize> {
        self.keys.place(key, &self.members)
    }
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

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(map) => Ok(map),
            _ => Err(de::Error::custom("no object, where one was expected")),
        }
    }
}

impl<K: AsRef<str>> Extend<(K, Value)> for Map {
    fn extend<I: IntoIterator<Item = (K, Value)>>(&mut self, members: I) {
        members.into_iter().for_each(|(key, value)| *self.place_of(key.as_ref()) = value);
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

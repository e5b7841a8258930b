use std::collections::BTreeMap;

use super::keys::FEW;
use super::*;

fn numbered(keys: impl IntoIterator<Item = u32>) -> Map {
    keys.into_iter().map(|key| (format!("key {key}"), Value::Number(key.into()))).collect()
}

fn keys(map: &Map) -> Vec<String> {
    map.keys().map(str::to_owned).collect()
}

#[test]
fn members_keep_the_order_in_which_they_came_however_many_there_are() {
    for count in [1, FEW as u32, FEW as u32 + 1, 200] {
        let map = numbered((0..count).rev());
        let expected: Vec<_> = (0..count).rev().map(|key| format!("key {key}")).collect();
        assert_eq!(keys(&map), expected);
        assert_eq!(map.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_key_given_twice_stays_at_its_place_and_has_the_last_value() {
    for count in [2, FEW as u32, 40] {
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
        assert_eq!(matches!(map.keys, Keys::Many(_)), map.len() > FEW);
        if step % 50 == 0 {
            for (key, value) in &mut expected {
                assert_eq!(map.get(key), Some(&*value));
                assert_eq!(map.get_mut(key), Some(value));
            }
            let mut members: Vec<_> = map.clone().into_iter().collect();
            assert!(map.iter().eq(members.iter().map(|(key, value)| (&**key, value))));
            assert!(map.iter_mut().eq(members.iter_mut().map(|(key, value)| (&**key, value))));
            members.sort_by(|one, other| one.0.cmp(&other.0));
            assert!(members.into_iter().eq(expected.clone()));
        }
    }
}

#[test]
fn those_are_equal_that_have_the_same_members() {
    assert_eq!(numbered(0..30), numbered((0..30).rev()));
    assert_ne!(numbered(0..30), numbered(1..31));
    assert_ne!(numbered(0..3), numbered(0..4));
}

#[test]
fn a_value_takes_48_bytes() {
    assert_eq!((size_of::<Map>(), size_of::<Value>()), (48, 48));
}

#[test]
fn what_is_kept_keeps_its_order() {
    for count in [3, 40] {
        let mut map = numbered((0..count).rev());
        map.retain(|_, value| !matches!(value, Value::Number(n) if n.as_u64() == Some(1)));
        assert_eq!(map.len(), count as usize - 1);
        assert_eq!(keys(&map), keys(&numbered((0..count).rev().filter(|key| *key != 1))));
        map.retain(|_, _| false);
        assert!(map.is_empty());
    }
}

#[test]
fn an_object_is_decoded_as_a_map_and_nothing_else_is() {
    let map: Map = serde_json::from_str(r#"{"b":1,"a":{"c":[]},"b":2}"#).unwrap();
    assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"b":2,"a":{"c":[]}}"#);
    assert!(serde_json::from_str::<Map>("[1]").is_err());
}

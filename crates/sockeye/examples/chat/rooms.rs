//! Who sits where, and what was said: the chat without its network.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

/// What a page asks for when it wants to enter a room.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Join {
    nickname: String,
    room: String,
    /// Secret of the page, by which it proves that a seat is its own.
    key: String,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Message {
    pub(crate) room: String,
    pub(crate) nickname: String,
    pub(crate) text: String,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
}

/// Somebody's place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seat {
    pub(crate) room: String,
    pub(crate) nickname: String,
}

/// What changed when somebody entered a room.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) seat: Seat,
    /// The seat in which the member was before.
    pub(crate) left: Option<Seat>,
    /// The member, lost but not known to be, whose seat it was.
    pub(crate) replaced: Option<String>,
    /// Whether there is one more in the room. Who comes back to a seat is no news.
    pub(crate) is_news: bool,
}

/// All rooms. Members are known by the ids of their sockets.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: HashMap<String, Room>,
    seats: HashMap<String, Seat>,
}

#[derive(Debug, Default)]
struct Room {
    /// By nickname: sorted, as pages are told.
    holders: BTreeMap<String, Holder>,
    history: VecDeque<Message>,
}

/// Who has a nickname in a room.
#[derive(Debug)]
struct Holder {
    member: String,
    key: String,
}

impl Rooms {
    /// Gives a member a seat, in place of the one it has.
    ///
    /// The error is a sentence for the reader; nothing has changed then.
    pub(crate) fn enter(&mut self, member: &str, join: &Join) -> Result<Entry, String> {
        let nickname = checked("nickname", &join.nickname, MAX_NICKNAME)?;
        let name = checked("room", &join.room, MAX_ROOM)?;
        let seat = Seat { room: name.to_owned(), nickname: nickname.to_owned() };
        let holder = self.rooms.get(name).and_then(|room| room.holders.get(nickname));
        if holder.is_some_and(|holder| holder.member != member && holder.key != join.key) {
            return Err(format!("The nickname {nickname} is taken in {name}."));
        }
        let holder = Holder { member: member.to_owned(), key: join.key.clone() };
        let room = self.rooms.entry(seat.room.clone()).or_default();
        let previous = room.holders.insert(seat.nickname.clone(), holder);
        let is_news = previous.is_none();
        let replaced = previous.map(|holder| holder.member).filter(|replaced| replaced != member);
        if let Some(replaced) = &replaced {
            self.seats.remove(replaced);
        }
        let left = self.seats.insert(member.to_owned(), seat.clone()).filter(|left| *left != seat);
        if let Some(left) = &left {
            self.give_up(left);
        }
        Ok(Entry { seat, left, replaced, is_news })
    }

    /// Takes a member out; the seat it had.
    pub(crate) fn leave(&mut self, member: &str) -> Option<Seat> {
        let seat = self.seats.remove(member)?;
        self.give_up(&seat);
        Some(seat)
    }

    /// Where a member sits.
    pub(crate) fn seat(&self, member: &str) -> Option<&Seat> {
        self.seats.get(member)
    }

    /// Keeps what a member says.
    ///
    /// The error is a sentence for the reader.
    pub(crate) fn say(&mut self, member: &str, text: &str, at: u64) -> Result<Message, String> {
        let text = checked("message", text, MAX_TEXT)?.to_owned();
        let seat = self.seats.get(member).cloned().ok_or("Join a room first.")?;
        let message = Message { room: seat.room, nickname: seat.nickname, text, at };
        let room = self.rooms.entry(message.room.clone()).or_default();
        if room.history.len() == MAX_HISTORY {
            room.history.pop_front();
        }
        room.history.push_back(message.clone());
        Ok(message)
    }

    /// The nicknames in a room, sorted.
    pub(crate) fn online(&self, room: &str) -> Vec<String> {
        self.rooms.get(room).map(|room| room.holders.keys().cloned().collect()).unwrap_or_default()
    }

    /// The last messages of a room, oldest first.
    pub(crate) fn history(&self, room: &str) -> Vec<Message> {
        self.rooms.get(room).map(|room| room.history.iter().cloned().collect()).unwrap_or_default()
    }

    /// Frees a seat. Nobody remembers a room in which nobody is.
    fn give_up(&mut self, seat: &Seat) {
        let Some(room) = self.rooms.get_mut(&seat.room) else { return };
        room.holders.remove(&seat.nickname);
        if room.holders.is_empty() {
            self.rooms.remove(&seat.room);
        }
    }
}

/// What was written, trimmed, if it is neither empty nor too long.
fn checked<'a>(what: &str, text: &'a str, max: usize) -> Result<&'a str, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(format!("The {what} is empty.")),
        length if length > max => Err(format!("The {what} is longer than {max} characters.")),
        _ => Ok(text),
    }
}

/// Longest nickname, in characters.
const MAX_NICKNAME: usize = 24;
/// Longest name of a room, in characters.
const MAX_ROOM: usize = 32;
/// Longest message, in characters.
const MAX_TEXT: usize = 2_000;
/// Messages that a room remembers.
const MAX_HISTORY: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn join(nickname: &str, room: &str, key: &str) -> Join {
        Join { nickname: nickname.into(), room: room.into(), key: key.into() }
    }

    fn seat(nickname: &str, room: &str) -> Seat {
        Seat { nickname: nickname.into(), room: room.into() }
    }

    #[test]
    fn a_member_is_in_one_room_at_a_time() {
        let mut rooms = Rooms::default();
        let entry = rooms.enter("1", &join(" Ada ", "tea", "k1")).unwrap();
        assert_eq!((entry.seat, entry.left, entry.is_news), (seat("Ada", "tea"), None, true));
        rooms.enter("2", &join("Bob", "tea", "k2")).unwrap();
        let entry = rooms.enter("1", &join("Ada", "milk", "k1")).unwrap();
        assert_eq!(entry.left, Some(seat("Ada", "tea")));
        assert_eq!(rooms.online("tea"), ["Bob"]);
        assert_eq!(rooms.online("milk"), ["Ada"]);
    }

    #[test]
    fn a_refused_join_changes_nothing() {
        let mut rooms = Rooms::default();
        rooms.enter("1", &join("Ada", "tea", "k1")).unwrap();
        rooms.enter("2", &join("Ada", "milk", "k2")).unwrap();
        let refused = [
            join("Ada", "tea", "k2"),
            join(" ", "tea", "k2"),
            join("Ada", "", "k2"),
            join(&"a".repeat(25), "tea", "k2"),
            join("Ada", &"é".repeat(33), "k2"),
        ];
        for join in refused {
            assert!(rooms.enter("2", &join).unwrap_err().ends_with('.'));
            assert_eq!(rooms.seat("2"), Some(&seat("Ada", "milk")));
            assert_eq!(rooms.online("tea"), ["Ada"]);
        }
        rooms.enter("2", &join(&"é".repeat(24), &"é".repeat(32), "k2")).unwrap();
    }

    #[test]
    fn who_has_the_key_takes_the_seat_of_its_lost_connection() {
        let mut rooms = Rooms::default();
        rooms.enter("old", &join("Ada", "tea", "k")).unwrap();
        let entry = rooms.enter("new", &join("Ada", "tea", "k")).unwrap();
        assert_eq!(entry.replaced.as_deref(), Some("old"));
        assert!(!entry.is_news);
        assert_eq!(rooms.leave("old"), None);
        assert_eq!(rooms.online("tea"), ["Ada"]);
        assert_eq!(rooms.leave("new"), Some(seat("Ada", "tea")));
    }

    #[test]
    fn joining_again_is_no_news_and_a_new_nickname_is() {
        let mut rooms = Rooms::default();
        rooms.enter("1", &join("Ada", "tea", "k")).unwrap();
        rooms.say("1", "hello", 1).unwrap();
        let entry = rooms.enter("1", &join("Ada", "tea", "another")).unwrap();
        assert!(!entry.is_news && entry.left.is_none() && entry.replaced.is_none());
        let entry = rooms.enter("1", &join("Eve", "tea", "k")).unwrap();
        assert!(entry.is_news);
        assert_eq!(entry.left, Some(seat("Ada", "tea")));
        assert_eq!(rooms.online("tea"), ["Eve"]);
        assert_eq!(rooms.history("tea").len(), 1);
    }

    #[test]
    fn the_last_fifty_messages_are_kept_until_the_last_member_leaves() {
        let mut rooms = Rooms::default();
        rooms.enter("1", &join("Ada", "tea", "k")).unwrap();
        (0..60).for_each(|at| drop(rooms.say("1", " hello\n", at).unwrap()));
        let history = rooms.history("tea");
        assert_eq!(
            history.iter().map(|message| message.at).collect::<Vec<_>>(),
            Vec::from_iter(10..60)
        );
        assert_eq!(history[0].text, "hello");
        rooms.leave("1");
        rooms.enter("1", &join("Ada", "tea", "k")).unwrap();
        assert_eq!(rooms.history("tea"), []);
    }

    #[test]
    fn messages_are_refused_before_a_join_or_when_empty_or_too_long() {
        let mut rooms = Rooms::default();
        assert_eq!(rooms.say("1", "hello", 1).unwrap_err(), "Join a room first.");
        rooms.enter("1", &join("Ada", "tea", "k")).unwrap();
        rooms.say("1", "\n ", 1).unwrap_err();
        rooms.say("1", &"x".repeat(2_001), 1).unwrap_err();
        rooms.say("1", &"x".repeat(2_000), 1).unwrap();
    }
}

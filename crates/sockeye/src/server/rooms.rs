use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashTable};
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::socket::Socket;
use crate::engine::Id;

/// Locks that the rooms of a namespace are spread over, so that joining one room does not wait
/// for another.
const SHARDS: usize = 16;

/// A list of sockets that can be walked without a lock, and changed while somebody walks it.
#[derive(Debug, Default)]
pub(super) struct SocketSet {
    list: Arc<Vec<Socket>>,
    /// Places in the list, found by the hash of the socket's id.
    index: HashTable<u32>,
    hasher: RandomState,
}

impl SocketSet {
    pub(super) fn insert(&mut self, socket: Socket) -> bool {
        if self.get(socket.id()).is_some() {
            return false;
        }
        let Self { list, index, hasher } = self;
        let list = Arc::make_mut(list);
        let place = u32::try_from(list.len()).expect("fewer than 2^32 sockets in a namespace");
        let hash = |id: &Id| hasher.hash_one(id);
        let hash_of_new = hash(socket.key());
        list.push(socket);
        index.insert_unique(hash_of_new, place, |place| hash(list[*place as usize].key()));
        true
    }

    /// Puts a socket in the place of another one with its id; `false` if there is none.
    fn replace(&mut self, socket: &Socket) -> bool {
        let hash = self.hasher.hash_one(socket.id());
        let place = self.index.find(hash, |place| self.list[*place as usize].id() == socket.id());
        if let Some(place) = place {
            Arc::make_mut(&mut self.list)[*place as usize] = socket.clone();
        }
        place.is_some()
    }

    pub(super) fn remove(&mut self, id: &Id) -> Option<Socket> {
        let Self { list, index, hasher } = self;
        let hash = hasher.hash_one(id);
        let entry = index.find_entry(hash, |place| list[*place as usize].key() == id).ok()?;
        let (place, _) = entry.remove();
        let list = Arc::make_mut(list);
        let last = list.len() as u32 - 1;
        if place != last {
            let hash = hasher.hash_one(list[last as usize].key());
            if let Some(moved) = index.find_mut(hash, |entry| *entry == last) {
                *moved = place;
            }
        }
        let removed = list.swap_remove(place as usize);
        if list.capacity() > 64 && list.len() < list.capacity() / 4 {
            list.shrink_to_fit();
            index.shrink_to_fit(|place| hasher.hash_one(list[*place as usize].key()));
        }
        Some(removed)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Socket> {
        let hash = self.hasher.hash_one(id);
        let place = self.index.find(hash, |place| self.list[*place as usize].id() == id)?;
        self.list.get(*place as usize)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The sockets as they are now; costs one reference.
    pub(super) fn snapshot(&self) -> Arc<Vec<Socket>> {
        Arc::clone(&self.list)
    }
}

type Shard = HashMap<Arc<str>, Mutex<SocketSet>, RandomState>;

/// The rooms of one namespace.
///
/// That each socket is in a room with its own id (S-049) costs nothing: such a room is looked up
/// among the sockets.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    everyone: Mutex<SocketSet>,
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

impl Rooms {
    /// A socket is connected, perhaps in the place of one that its client had before.
    pub(super) fn add(&self, socket: Socket) {
        let mut everyone = self.everyone.lock();
        if !everyone.replace(&socket) {
            everyone.insert(socket);
        }
    }

    /// A socket is no longer connected. `false` if it was not, or is not the one with its id.
    pub(super) fn remove(&self, socket: &Socket) -> bool {
        let mut everyone = self.everyone.lock();
        everyone.get(socket.id()) == Some(socket) && everyone.remove(socket.key()).is_some()
    }

    pub(super) fn socket(&self, id: &str) -> Option<Socket> {
        self.everyone.lock().get(id).cloned()
    }

    /// Everybody who is connected.
    pub(super) fn everyone(&self) -> Arc<Vec<Socket>> {
        self.everyone.lock().snapshot()
    }

    /// Puts a socket into a room; `None` if it was in already.
    pub(super) fn join(&self, room: &str, socket: &Socket) -> Option<Joined> {
        let mut shard = self.shard(room).lock();
        if let Some((name, members)) = shard.get_key_value(room) {
            let name = Arc::clone(name);
            return members
                .lock()
                .insert(socket.clone())
                .then_some(Joined { name, created: false });
        }
        let name: Arc<str> = room.into();
        let mut members = SocketSet::default();
        members.insert(socket.clone());
        shard.insert(Arc::clone(&name), Mutex::new(members));
        Some(Joined { name, created: true })
    }

    /// Puts a socket in the place of the one that its client had before. Whether that was the only
    /// one in the room: then the room is there again.
    pub(super) fn replace(&self, room: &str, socket: &Socket) -> bool {
        let created = !self.is_inhabited(room);
        let replaced = self.shard(room).lock().get(room).map(|room| room.lock().replace(socket));
        if replaced != Some(true) {
            self.join(room, socket);
        }
        created
    }

    /// Takes a socket out of a room; an empty room is gone: whether it is.
    pub(super) fn leave(&self, room: &str, id: &Id) -> bool {
        let mut shard = self.shard(room).lock();
        let Some(members) = shard.get(room) else { return false };
        let mut members = members.lock();
        members.remove(id);
        let empty = members.is_empty();
        drop(members);
        if empty {
            shard.remove(room);
        }
        empty
    }

    /// Whether anybody is in a room, beside those who may come back.
    pub(super) fn is_inhabited(&self, room: &str) -> bool {
        self.members(room).iter().any(Socket::is_connected)
    }

    /// The members of a room as they are now.
    pub(super) fn members(&self, room: &str) -> Arc<Vec<Socket>> {
        let joined = self.shard(room).lock().get(room).map(|members| members.lock().snapshot());
        match (joined, self.socket(room)) {
            (Some(joined), None) => joined,
            (None, Some(own)) => Arc::new(vec![own]),
            (Some(joined), Some(own)) => {
                let mut both = Vec::clone(&joined);
                if !both.contains(&own) {
                    both.push(own);
                }
                Arc::new(both)
            }
            (None, None) => Arc::default(),
        }
    }

    /// Calls `visit` for each connected socket that `target` names, once.
    pub(super) fn for_each(&self, target: &Target, mut visit: impl FnMut(&Socket)) {
        self.for_each_receiver(target, |socket| {
            if socket.is_connected() {
                visit(socket);
            }
        });
    }

    /// The same, and also for those whose client may come back.
    pub(super) fn for_each_receiver(&self, target: &Target, mut visit: impl FnMut(&Socket)) {
        let excepted = self.excepted(target);
        let skipped = |socket: &Socket| {
            // One that a middleware has put into a room is not there before it is connected.
            !socket.takes_events()
                || target.sender.as_ref() == Some(socket)
                || excepted.contains(socket.id())
        };
        match target.rooms.as_slice() {
            [] => self.everyone().iter().filter(|socket| !skipped(socket)).for_each(visit),
            [room] => self.members(room).iter().filter(|socket| !skipped(socket)).for_each(visit),
            rooms => {
                let mut seen = HashSet::new();
                for room in rooms {
                    for socket in self.members(room).iter() {
                        if !skipped(socket) && seen.insert(socket.key().clone()) {
                            visit(socket);
                        }
                    }
                }
            }
        }
    }

    fn excepted(&self, target: &Target) -> HashSet<Id> {
        let mut excepted = HashSet::new();
        for room in &target.except {
            excepted.extend(self.members(room).iter().map(|socket| socket.key().clone()));
        }
        excepted
    }

    fn shard(&self, room: &str) -> &Mutex<Shard> {
        let hash = self.hasher.hash_one(room) as usize;
        &self.shards[hash % SHARDS]
    }
}

/// A socket's entry into a room.
pub(super) struct Joined {
    /// The room's name as all its members share it.
    pub(super) name: Arc<str>,
    /// It is the first one there.
    pub(super) created: bool,
}

/// What happened to a room (S-051): see [`Namespace::on_room_event`](crate::Namespace::on_room_event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the official server has exactly these events")]
pub enum RoomEvent<'a> {
    /// `create-room`: the first socket is about to be told of as joined.
    Created {
        /// The room.
        room: &'a str,
    },
    /// `join-room`.
    Joined {
        /// The room.
        room: &'a str,
        /// The socket's id.
        socket: &'a str,
    },
    /// `leave-room`.
    Left {
        /// The room.
        room: &'a str,
        /// The socket's id.
        socket: &'a str,
    },
    /// `delete-room`: the last socket has left.
    Deleted {
        /// The room.
        room: &'a str,
    },
}

/// Whom a broadcast is for.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    /// Members of any of these; of none, everybody.
    pub(super) rooms: SmallVec<[Box<str>; 1]>,
    /// But not members of any of these.
    pub(super) except: SmallVec<[Box<str>; 1]>,
    /// And not this one.
    pub(super) sender: Option<Socket>,
}

/// One room or several: a name, or a list of names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name rooms",
    note = "a room is a `&str` or `String`; several are an array, slice or `Vec` of them"
)]
pub trait RoomNames {
    /// Calls `visit` for each name.
    fn for_each_name(&self, visit: impl FnMut(&str));
}

impl RoomNames for &str {
    fn for_each_name(&self, mut visit: impl FnMut(&str)) {
        visit(self);
    }
}

impl RoomNames for String {
    fn for_each_name(&self, mut visit: impl FnMut(&str)) {
        visit(self);
    }
}

impl RoomNames for &String {
    fn for_each_name(&self, mut visit: impl FnMut(&str)) {
        visit(self);
    }
}

impl<T: AsRef<str>> RoomNames for Vec<T> {
    fn for_each_name(&self, visit: impl FnMut(&str)) {
        self.iter().map(AsRef::as_ref).for_each(visit);
    }
}

impl<T: AsRef<str>> RoomNames for &[T] {
    fn for_each_name(&self, visit: impl FnMut(&str)) {
        self.iter().map(AsRef::as_ref).for_each(visit);
    }
}

impl<T: AsRef<str>, const N: usize> RoomNames for [T; N] {
    fn for_each_name(&self, visit: impl FnMut(&str)) {
        self.iter().map(AsRef::as_ref).for_each(visit);
    }
}

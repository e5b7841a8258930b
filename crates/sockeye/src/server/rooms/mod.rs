//! Who is in which room of a namespace, and what those are told who watch this.

mod members;
mod news;

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::socket::Socket;
use crate::engine::Id;
use members::SocketSet;

pub use news::RoomEvent;
pub(super) use news::RoomNews;

/// Locks that the rooms of a namespace are spread over, so that joining one room does not wait
/// for another.
const SHARDS: usize = 16;

/// How many sockets' memory is fetched at once.
const AHEAD: usize = 16;

type Shard = HashMap<Arc<str>, Room, RandomState>;

/// Who is in a room.
#[derive(Debug, Default)]
struct Room {
    members: SocketSet,
    /// How many of them are there, and not only expected back. Who watches knows of these.
    present: usize,
}

/// The rooms of one namespace.
///
/// That each socket is in a room with its own id (S-049) costs nothing: such a room is looked up
/// among the sockets.
///
/// What happens to them is put down in `news`, if anybody wants to know, while they are locked: so
/// it is told in its order.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    everyone: Mutex<SocketSet>,
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

impl Rooms {
    /// A socket is connected.
    pub(super) fn add(&self, socket: &Socket, news: Option<&RoomNews>) {
        let mut everyone = self.everyone.lock();
        if !everyone.replace(socket) {
            everyone.insert(socket.clone());
            note(news, |news| news.joined(&socket.id().into(), socket, true));
        }
    }

    /// A socket takes the place of one with its id, which `was_there`, or was only expected back.
    pub(super) fn add_for(&self, socket: &Socket, was_there: bool, news: Option<&RoomNews>) {
        let mut everyone = self.everyone.lock();
        if !everyone.replace(socket) {
            everyone.insert(socket.clone());
        }
        if !was_there {
            note(news, |news| news.joined(&socket.id().into(), socket, true));
        }
    }

    /// A socket is no longer connected, but expected back.
    pub(super) fn step_out(&self, socket: &Socket, news: Option<&RoomNews>) {
        let everyone = self.everyone.lock();
        if everyone.get(socket.id()) == Some(socket) {
            note(news, |news| news.left(&socket.id().into(), socket, true));
        }
    }

    /// A socket is no longer connected, unless another one with its id has taken its place.
    pub(super) fn remove(&self, socket: &Socket, was_there: bool, news: Option<&RoomNews>) {
        let mut everyone = self.everyone.lock();
        if everyone.remove(socket) && was_there {
            note(news, |news| news.left(&socket.id().into(), socket, true));
        }
    }

    pub(super) fn socket(&self, id: &str) -> Option<Socket> {
        self.everyone.lock().get(id).cloned()
    }

    /// Everybody who is connected, or expected back.
    pub(super) fn everyone(&self) -> Arc<Vec<Socket>> {
        self.everyone.lock().snapshot()
    }

    /// Puts a socket into a room: the room's name as all its members share it. `None` if it was in
    /// already.
    pub(super) fn join(
        &self,
        name: &str,
        socket: &Socket,
        news: Option<&RoomNews>,
    ) -> Option<Arc<str>> {
        let mut shard = self.shard(name).lock();
        let (shared, room) = match shard.get_key_value_mut(name) {
            Some((shared, room)) => (Arc::clone(shared), room),
            None => {
                let shared: Arc<str> = name.into();
                let room = shard.entry(Arc::clone(&shared)).or_default();
                (shared, room)
            }
        };
        if !room.members.insert(socket.clone()) {
            return None;
        }
        room.present += 1;
        note(news, |news| news.joined(&shared, socket, room.present == 1));
        Some(shared)
    }

    /// Puts a socket in the place of the one that its client had before, which `was_there`, or was
    /// only expected back.
    pub(super) fn join_for(
        &self,
        name: &Arc<str>,
        socket: &Socket,
        was_there: bool,
        news: Option<&RoomNews>,
    ) {
        let mut shard = self.shard(name).lock();
        let Some(room) = shard.get_mut(name) else { return };
        room.members.replace(socket);
        if !was_there {
            room.present += 1;
            note(news, |news| news.joined(name, socket, room.present == 1));
        }
    }

    /// A socket is no longer there, but expected back.
    pub(super) fn go_from(&self, name: &Arc<str>, socket: &Socket, news: Option<&RoomNews>) {
        if let Some(room) = self.shard(name).lock().get_mut(name) {
            room.present -= 1;
            note(news, |news| news.left(name, socket, room.present == 0));
        }
    }

    /// Takes a socket out of a room, where it `was_there`, or was only expected back. A room
    /// without members is gone.
    pub(super) fn leave(
        &self,
        name: &Arc<str>,
        socket: &Socket,
        was_there: bool,
        news: Option<&RoomNews>,
    ) {
        let mut shard = self.shard(name).lock();
        let Some(room) = shard.get_mut(name) else { return };
        if room.members.remove(socket) && was_there {
            room.present -= 1;
            note(news, |news| news.left(name, socket, room.present == 0));
        }
        if room.members.is_empty() {
            shard.remove(name);
        }
    }

    /// The members of a room as they are now.
    pub(super) fn members(&self, room: &str) -> Arc<Vec<Socket>> {
        let joined = self.shard(room).lock().get(room).map(|room| room.members.snapshot());
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

    /// How many rooms there are, without those of the sockets' ids.
    pub(super) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
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
            // A client that has come back is the same sender, though it has another socket.
            !socket.takes_events()
                || target.sender.as_ref().is_some_and(|sender| sender.key() == socket.key())
                || excepted.contains(socket.id().as_bytes())
        };
        match target.rooms.as_slice() {
            [] => ahead(&self.everyone()).filter(|socket| !skipped(socket)).for_each(visit),
            [room] => ahead(&self.members(room)).filter(|socket| !skipped(socket)).for_each(visit),
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

/// Walks a list, and has the memory of the next ones fetched all at once: of thousands of sockets it is in
/// no cache, and a lock lets nothing be fetched that comes behind it.
fn ahead(sockets: &[Socket]) -> impl Iterator<Item = &Socket> {
    sockets.chunks(AHEAD).flat_map(|next| {
        next.iter().for_each(Socket::prefetch);
        next
    })
}

fn note(news: Option<&RoomNews>, note: impl FnOnce(&RoomNews)) {
    if let Some(news) = news {
        note(news);
    }
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

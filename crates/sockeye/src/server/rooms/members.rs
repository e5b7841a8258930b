use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use crate::engine::Id;
use crate::server::socket::Socket;

/// A list of sockets that can be walked without a lock, and changed while somebody walks it.
#[derive(Debug, Default)]
pub(super) struct SocketSet {
    list: Arc<Vec<Socket>>,
    /// Places in the list, found by the hash of the socket's id.
    index: HashTable<u32>,
    hasher: RandomState,
}

impl SocketSet {
    /// Adds a socket; `false` if there is one with its id.
    pub(super) fn insert(&mut self, socket: Socket) -> bool {
        if self.place_of(socket.key().as_bytes()).is_some() {
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
    pub(super) fn replace(&mut self, socket: &Socket) -> bool {
        let place = self.place_of(socket.key().as_bytes());
        if let Some(place) = place {
            Arc::make_mut(&mut self.list)[place] = socket.clone();
        }
        place.is_some()
    }

    /// Takes a socket out; `false` if it is not in, though another one with its id may be.
    ///
    /// The caller has it, so nothing is dropped here for good.
    pub(super) fn remove(&mut self, socket: &Socket) -> bool {
        let Self { list, index, hasher } = self;
        let hash = hasher.hash_one(socket.key());
        let found = index.find_entry(hash, |place| list[*place as usize] == *socket);
        let Ok(entry) = found else { return false };
        let (place, _) = entry.remove();
        let list = Arc::make_mut(list);
        let last = list.len() as u32 - 1;
        if place != last {
            let hash = hasher.hash_one(list[last as usize].key());
            if let Some(moved) = index.find_mut(hash, |entry| *entry == last) {
                *moved = place;
            }
        }
        list.swap_remove(place as usize);
        if list.capacity() > 64 && list.len() < list.capacity() / 4 {
            list.shrink_to_fit();
            index.shrink_to_fit(|place| hasher.hash_one(list[*place as usize].key()));
        }
        true
    }

    pub(super) fn get(&self, id: &str) -> Option<&Socket> {
        self.list.get(self.place_of(id.as_bytes())?)
    }

    /// Where the socket with this id is.
    fn place_of(&self, id: &[u8]) -> Option<usize> {
        let key = |place: &u32| self.list[*place as usize].key();
        // An id is hashed as its bytes are.
        let hash = self.hasher.hash_one(id);
        self.index.find(hash, |place| key(place).as_bytes() == id).map(|place| *place as usize)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The sockets as they are now; costs one reference.
    pub(super) fn snapshot(&self) -> Arc<Vec<Socket>> {
        Arc::clone(&self.list)
    }
}

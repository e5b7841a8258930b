//! Small models of what threads do to each other in the server, run under many schedules by `shuttle`.
//!
//! They stand for code that cannot run there itself, because its locks are parking_lot's and its tasks
//! tokio's. Each says which code it follows, step by step and lock by lock; whoever changes that code
//! changes the model. Every access to a lock is a place where another thread may go on. A wake-up that is
//! lost shows itself as a deadlock, which `shuttle` reports with the schedule that leads there.
//!
//! What they leave out: the order in which processors see relaxed accesses, and everything that is not named.

#![cfg(feature = "server")]
#![expect(clippy::print_stdout, reason = "figures are read from there")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use shuttle::sync::{Mutex, RwLock};
use shuttle::{future, thread};

/// Runs a model under schedules drawn at random, and under those that change rarely but where it hurts.
fn explore(name: &str, model: impl Fn() + Send + Sync + Copy + 'static) {
    let schedules = if std::env::var_os("SOCKEYE_LONG").is_some() { 100_000 } else { 2_000 };
    shuttle::check_random(model, schedules);
    shuttle::check_pct(model, schedules / 2, 3);
    println!("figure L01: {name}: {} schedules", schedules + schedules / 2);
}

/// What a connection takes: `engine/session/flush.rs`, over a TCP socket whose buffer holds two packets.
mod outbox {
    use super::*;

    const ROOM: usize = 2;

    /// The system's end of a socket.
    #[derive(Default)]
    pub(super) struct Socket {
        buffer: VecDeque<(usize, usize)>,
        /// Who waits until it is writable.
        waits: Option<Waker>,
    }

    #[derive(Default)]
    pub(super) struct State {
        outbox: VecDeque<(usize, usize)>,
        /// The system takes no more; the driver waits until it does.
        blocked: bool,
    }

    #[derive(Default)]
    pub(super) struct Session {
        pub(super) state: Mutex<State>,
        pub(super) socket: Mutex<Socket>,
        driver: AtomicWaker,
    }

    impl Session {
        /// `Outbox::write_with` over `try_write`: `false` if not all was taken.
        fn write(&self, state: &mut State) -> bool {
            while let Some(packet) = state.outbox.front() {
                let mut socket = self.socket.lock().expect("no panic");
                if socket.buffer.len() == ROOM {
                    return false;
                }
                socket.buffer.push_back(*packet);
                state.outbox.pop_front();
            }
            true
        }

        /// `Session::send`, and `flush` in it: whoever emits writes at once, unless the driver waits.
        pub(super) fn send(&self, packet: (usize, usize)) {
            let mut state = self.state.lock().expect("no panic");
            state.outbox.push_back(packet);
            if state.blocked {
                return;
            }
            state.blocked = !self.write(&mut state);
            if state.blocked {
                self.driver.wake();
            }
        }

        /// `Session::poll_flush`: the driver writes, or is woken when the socket is writable.
        fn poll_flush(&self, cx: &Context<'_>) {
            let mut state = self.state.lock().expect("no panic");
            if !state.blocked {
                return;
            }
            loop {
                if self.write(&mut state) {
                    state.blocked = false;
                    return;
                }
                // `poll_write_vectored` of tokio: it asks again after it has registered.
                let mut socket = self.socket.lock().expect("no panic");
                if socket.buffer.len() == ROOM {
                    socket.waits = Some(cx.waker().clone());
                    state.blocked = true;
                    return;
                }
            }
        }

        /// `Driver::turn`: it registers before it looks.
        pub(super) fn turn(&self, cx: &Context<'_>) {
            self.driver.register(cx.waker());
            self.poll_flush(cx);
        }

        /// The peer reads one packet.
        pub(super) fn read(&self) -> Option<(usize, usize)> {
            let mut socket = self.socket.lock().expect("no panic");
            let packet = socket.buffer.pop_front();
            if let Some(waiting) = socket.waits.take() {
                waiting.wake();
            }
            packet
        }
    }
}

/// Emitters write at once or leave it to the driver, the driver waits for the socket: nothing is lost, repeated
/// or out of order, and the driver is never left asleep.
#[test]
fn what_is_handed_to_the_driver_is_written_and_its_wake_up_is_never_lost() {
    const EMITTERS: usize = 2;
    const PACKETS: usize = 4;
    explore("outbox and driver", || {
        let session = Arc::new(outbox::Session::default());
        let driven = Arc::clone(&session);
        let driver = future::spawn(poll_fn(move |cx| {
            driven.turn(cx);
            Poll::<()>::Pending
        }));
        let emitters: Vec<_> = (0..EMITTERS)
            .map(|emitter| {
                let session = Arc::clone(&session);
                thread::spawn(move || {
                    (0..PACKETS).for_each(|number| session.send((emitter, number)))
                })
            })
            .collect();
        let mut next = [0; EMITTERS];
        let mut idle = 0;
        while next != [PACKETS; EMITTERS] {
            let Some((emitter, number)) = session.read() else {
                idle += 1;
                assert!(idle < 10_000, "nobody writes what is queued: {next:?}");
                thread::yield_now();
                continue;
            };
            assert_eq!(number, next[emitter], "of emitter {emitter}");
            next[emitter] += 1;
        }
        emitters.into_iter().for_each(|emitter| emitter.join().expect("no panic"));
        driver.abort();
    });
}

/// Who is in a room: `server/rooms/mod.rs` and `server/socket/membership.rs`.
mod rooms {
    use super::*;

    #[derive(Default)]
    pub(super) struct Rooms {
        /// One shard; a room's members are a list that is shared with whoever walks it.
        pub(super) shard: Mutex<HashMap<&'static str, Arc<Vec<usize>>>>,
    }

    #[derive(Default)]
    pub(super) struct Member {
        state: Mutex<State>,
        /// Whether it takes events: `Standing`.
        pub(super) connected: Mutex<bool>,
        pub(super) heard: Mutex<Vec<usize>>,
    }

    #[derive(Default)]
    struct State {
        rooms: Vec<&'static str>,
        gone: bool,
    }

    pub(super) struct World {
        pub(super) rooms: Rooms,
        pub(super) members: Vec<Member>,
    }

    impl World {
        pub(super) fn new(members: usize) -> Arc<Self> {
            let members = std::iter::repeat_with(Member::default).take(members).collect();
            let world = Self { rooms: Rooms::default(), members };
            world.members.iter().for_each(|it| *it.connected.lock().expect("no panic") = true);
            Arc::new(world)
        }

        /// `Socket::join`.
        pub(super) fn join(&self, member: usize, room: &'static str) {
            let mut state = self.members[member].state.lock().expect("no panic");
            if state.gone {
                return;
            }
            let mut shard = self.rooms.shard.lock().expect("no panic");
            let members = Arc::make_mut(shard.entry(room).or_default());
            if !members.contains(&member) {
                members.push(member);
                state.rooms.push(room);
            }
        }

        /// `Rooms::leave`.
        fn leave_room(&self, member: usize, room: &str) {
            let mut shard = self.rooms.shard.lock().expect("no panic");
            let Some(members) = shard.get_mut(room) else { return };
            Arc::make_mut(members).retain(|other| *other != member);
            if members.is_empty() {
                shard.remove(room);
            }
        }

        /// `Socket::leave`.
        pub(super) fn leave(&self, member: usize, room: &str) {
            let mut state = self.members[member].state.lock().expect("no panic");
            let Some(place) = state.rooms.iter().position(|name| *name == room) else { return };
            state.rooms.swap_remove(place);
            self.leave_room(member, room);
        }

        /// `Socket::leaving`, then `leave_for_good`.
        pub(super) fn disconnect(&self, member: usize) {
            *self.members[member].connected.lock().expect("no panic") = false;
            let mut state = self.members[member].state.lock().expect("no panic");
            state.gone = true;
            for room in std::mem::take(&mut state.rooms) {
                self.leave_room(member, room);
            }
        }

        /// `Rooms::for_each_receiver`: the list is taken under the lock and walked without it.
        pub(super) fn broadcast(&self, room: &str, event: usize) {
            let list = self.rooms.shard.lock().expect("no panic").get(room).cloned();
            for member in list.unwrap_or_default().iter() {
                let member = &self.members[*member];
                if *member.connected.lock().expect("no panic") {
                    member.heard.lock().expect("no panic").push(event);
                }
            }
        }
    }
}

/// S31: whatever joins, leaves, broadcasts and goes at the same time, no room is left without members, no member
/// that is gone is left in a room, and who stays in a room gets each event once and in order.
#[test]
fn a_room_has_no_member_that_is_gone_and_is_gone_without_members() {
    explore("rooms", || {
        let world = rooms::World::new(3);
        world.join(0, "a");
        let act = |act: fn(&rooms::World)| {
            let world = Arc::clone(&world);
            thread::spawn(move || act(&world))
        };
        let threads = [
            act(|world| {
                world.join(1, "a");
                world.join(1, "b");
                world.leave(1, "a");
            }),
            act(|world| world.disconnect(1)),
            act(|world| {
                world.join(2, "b");
                world.disconnect(2);
            }),
            act(|world| (0..3).for_each(|event| world.broadcast("a", event))),
        ];
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let shard = world.rooms.shard.lock().expect("no panic");
        let left: BTreeMap<_, _> =
            shard.iter().map(|(room, list)| (*room, list.to_vec())).collect();
        assert_eq!(left, BTreeMap::from([("a", vec![0])]));
        assert_eq!(*world.members[0].heard.lock().expect("no panic"), [0, 1, 2]);
        let heard = world.members[1].heard.lock().expect("no panic");
        assert!(heard.is_sorted_by(|one, next| one < next), "{heard:?}");
    });
}

/// Namespaces that clients make: `Server::find`, `make` and `forget` in `server/namespaces.rs`.
mod namespaces {
    use super::*;

    #[derive(Default)]
    pub(super) struct Server {
        pub(super) table: RwLock<HashMap<&'static str, Weak<Namespace>>>,
        pub(super) made: Mutex<usize>,
    }

    pub(super) struct Namespace {
        server: Arc<Server>,
        pub(super) number: usize,
    }

    /// `OnDrop`, which the last to let go of a namespace calls.
    impl Drop for Namespace {
        fn drop(&mut self) {
            let mut table = self.server.table.write().expect("no panic");
            if table.get("n").is_some_and(|known| known.strong_count() == 0) {
                table.remove("n");
            }
        }
    }

    impl Server {
        pub(super) fn find(self: &Arc<Self>) -> Arc<Namespace> {
            let known = self.table.read().expect("no panic").get("n").and_then(Weak::upgrade);
            known.unwrap_or_else(|| self.make())
        }

        fn make(self: &Arc<Self>) -> Arc<Namespace> {
            let mut table = self.table.write().expect("no panic");
            if let Some(known) = table.get("n").and_then(Weak::upgrade) {
                return known;
            }
            let mut made = self.made.lock().expect("no panic");
            *made += 1;
            let namespace = Arc::new(Namespace { server: Arc::clone(self), number: *made });
            table.insert("n", Arc::downgrade(&namespace));
            namespace
        }
    }
}

/// Of clients that ask at once all get the same namespace; one that nobody holds is forgotten, and never one that
/// was made again.
#[test]
fn one_namespace_is_made_for_all_who_ask_and_forgotten_after_the_last() {
    explore("namespaces", || {
        let server = Arc::new(namespaces::Server::default());
        let held: Arc<Mutex<Vec<usize>>> = Arc::default();
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let (server, held) = (Arc::clone(&server), Arc::clone(&held));
                thread::spawn(move || {
                    for _ in 0..2 {
                        let namespace = server.find();
                        held.lock().expect("no panic").push(namespace.number);
                        thread::yield_now();
                        let mut all = held.lock().expect("no panic");
                        assert!(all.iter().all(|other| *other == namespace.number), "{all:?}");
                        all.pop();
                        drop(all);
                        drop(namespace);
                    }
                })
            })
            .collect();
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
        assert!(server.table.read().expect("no panic").is_empty());
    });
}

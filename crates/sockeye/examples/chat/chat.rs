//! The chat's events. The wire protocol is described at the top of `chat.js`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sockeye::{BroadcastOperator, Data, Namespace, Socket};

use crate::rooms::{Entry, Join, Message, Rooms, Seat};

/// The chat of one namespace.
///
/// Rooms stay locked while pages are told of a change, so that all are told in the same order.
/// Telling never waits.
#[derive(Clone, Default)]
struct Chat(Arc<Mutex<Rooms>>);

/// Adds the chat to a namespace.
pub(crate) fn add_to(namespace: &Namespace) {
    let chat = Chat::default();
    let [joining, talking, typing, leaving] = std::array::from_fn(|_| chat.clone());
    namespace
        .on("join", move |socket: Socket, Data(join): Data<Join>| {
            let joined = joining.join(&socket, &join);
            async { Reply::from(joined) }
        })
        .on("message", move |socket: Socket, Data(text): Data<String>| {
            let said = talking.say(&socket, &text);
            async { Reply::from(said) }
        })
        .on("typing", move |socket: Socket, Data(is_typing): Data<bool>| {
            typing.typing(&socket, is_typing);
            async {}
        })
        .on_disconnect(move |socket: Socket| {
            leaving.leave(&socket);
            async {}
        });
}

impl Chat {
    fn join(&self, socket: &Socket, join: &Join) -> Result<Joined, String> {
        let mut rooms = self.rooms();
        let Entry { seat, left, replaced, is_news } = rooms.enter(socket.id(), join)?;
        if let Some(replaced) = replaced.and_then(|id| socket.namespace().socket(&id)) {
            replaced.leave(&seat.room);
        }
        if let Some(left) = left {
            if left.room != seat.room {
                socket.leave(&left.room);
            }
            tell_of(&rooms, &socket.to(&left.room), &left, "left");
        }
        socket.join(&seat.room);
        if is_news {
            tell_of(&rooms, &socket.to(&seat.room), &seat, "joined");
        }
        let (online, history) = (rooms.online(&seat.room), rooms.history(&seat.room));
        Ok(Joined { room: seat.room, online, history })
    }

    fn say(&self, socket: &Socket, text: &str) -> Result<Said, String> {
        let mut rooms = self.rooms();
        let message = rooms.say(socket.id(), text, now())?;
        tell(&socket.namespace().to(&message.room), "message", &message);
        Ok(Said {})
    }

    fn typing(&self, socket: &Socket, typing: bool) {
        let rooms = self.rooms();
        // Who is in no room types for nobody.
        let Some(Seat { room, nickname }) = rooms.seat(socket.id()) else { return };
        tell(&socket.to(room).volatile(), "typing", Typing { room, nickname, typing });
    }

    fn leave(&self, socket: &Socket) {
        let mut rooms = self.rooms();
        // The seat may have been taken by a newer connection of the same page.
        if let Some(seat) = rooms.leave(socket.id()) {
            tell_of(&rooms, &socket.to(&seat.room), &seat, "left");
        }
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells a room that somebody came or went.
fn tell_of(rooms: &Rooms, members: &BroadcastOperator, seat: &Seat, what: &str) {
    let Seat { room, nickname } = seat;
    tell(members, "notice", Notice { room, text: format!("{nickname} {what}"), at: now() });
    tell(members, "online", Online { room, nicknames: rooms.online(room) });
}

fn tell(members: &BroadcastOperator, event: &str, what: impl Serialize) {
    members.emit(event, what).expect("the chat's own types are JSON");
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// An acknowledgement: `ok`, and either the answer or the error.
#[derive(Serialize)]
struct Reply<T> {
    ok: bool,
    #[serde(flatten)]
    answer: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl<T> From<Result<T, String>> for Reply<T> {
    fn from(result: Result<T, String>) -> Self {
        match result {
            Ok(answer) => Self { ok: true, answer: Some(answer), error: None },
            Err(error) => Self { ok: false, answer: None, error: Some(error) },
        }
    }
}

#[derive(Serialize)]
struct Joined {
    room: String,
    online: Vec<String>,
    history: Vec<Message>,
}

#[derive(Serialize)]
struct Said {}

#[derive(Serialize)]
struct Online<'a> {
    room: &'a str,
    nicknames: Vec<String>,
}

#[derive(Serialize)]
struct Notice<'a> {
    room: &'a str,
    text: String,
    at: u64,
}

#[derive(Serialize)]
struct Typing<'a> {
    room: &'a str,
    nickname: &'a str,
    typing: bool,
}

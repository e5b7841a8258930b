use smallvec::SmallVec;

use super::packet::{Packet, Payload};
use super::{AcknowledgementId, Arguments};
use crate::Moment;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The server's side of Socket.IO on one connection: which namespaces the client is in, which it
/// is joining, and what it may send (S-022 to S-031).
///
/// `S` is the driver's handle of a socket, kept where it is needed to find the socket of a packet.
/// Each input has at most one consequence, so it is the return value of the call that brings it.
///
/// ```text
///             CONNECT                 accept
///   absent ────────────► connecting ──────────► connected(S)
///     ▲                      │ refuse                │ DISCONNECT, leave
///     └──────────────────────┴───────────────────────┘
/// ```
#[derive(Debug)]
pub struct Connection<S> {
    namespaces: SmallVec<[Namespace<S>; 1]>,
    /// When a client that has joined nothing is closed; `None` once it has.
    deadline: Option<Moment>,
    /// When a client whose packet misses attachments is closed, unless it sends something.
    attachments: Option<Moment>,
}

#[derive(Debug)]
struct Namespace<S> {
    name: Arc<str>,
    state: State<S>,
}

#[derive(Debug)]
enum State<S> {
    /// The application decides whether the client may join.
    Connecting,
    /// The client is in.
    Connected(S),
}

/// Bytes that the name of a namespace may have.
const MAX_NAMESPACE_BYTES: usize = 1024;

/// What one connection may hold.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "each limit must be chosen")]
pub struct ConnectionLimits {
    /// Namespaces that a client may be in, or be joining, at the same time.
    pub namespaces: usize,
    /// Bytes that a client's JSON object may have which comes with a CONNECT.
    pub auth_bytes: usize,
    /// Time in which a client must have joined a namespace (S-022).
    pub connect_timeout: Duration,
    /// Time in which a client must send something while attachments are missing that it has announced.
    pub attachment_timeout: Duration,
}

/// What a packet asks for.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "drivers must handle each")]
pub enum Action<'p, 's, S> {
    /// Decide whether the client may join; answer with `accept` or `refuse`.
    Connect {
        /// The namespace, not yet known to exist.
        namespace: &'p str,
        /// The client's JSON object, if it gave one.
        auth: Option<&'p str>,
    },
    /// Refuse the CONNECT: the client is in as many namespaces as it may be.
    TooManyNamespaces {
        /// The namespace asked for.
        namespace: &'p str,
    },
    /// Refuse the CONNECT: more comes with it than may be kept.
    AuthTooLong {
        /// The namespace asked for.
        namespace: &'p str,
    },
    /// Call the handlers of an event.
    Event {
        /// Whose event.
        socket: &'s S,
        /// Its name.
        name: &'p str,
        /// The id to answer to, if an answer is wanted.
        id: Option<AcknowledgementId>,
        /// Its arguments.
        arguments: Arguments<'p>,
    },
    /// Resolve what waits for this answer.
    Acknowledgement {
        /// Whose answer.
        socket: &'s S,
        /// To what.
        id: AcknowledgementId,
        /// The answer.
        arguments: Arguments<'p>,
    },
    /// The client left the namespace.
    Left(S),
    /// Nothing.
    Ignore,
}

/// What a client did that closes its connection; its sockets see `forced close` (S-025).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A packet for a namespace that the client is not in.
    NotConnected,
    /// A CONNECT for a namespace that the client is in.
    AlreadyConnected,
    /// A CONNECT to a namespace whose name is longer than 1 KiB.
    NamespaceTooLong,
    /// A packet that only servers send.
    ServerPacket,
    /// No namespace was joined in time (S-022).
    ConnectTimeout,
    /// Attachments that were announced did not come.
    AttachmentTimeout,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "packet for a namespace that the client has not joined",
            Self::AlreadyConnected => "second CONNECT to the same namespace",
            Self::NamespaceTooLong => "namespace with a name above 1024 bytes",
            Self::ServerPacket => "CONNECT_ERROR from a client",
            Self::ConnectTimeout => "no namespace was joined in time (connect_timeout)",
            Self::AttachmentTimeout => "attachments did not come (attachment_timeout)",
        })
    }
}

impl std::error::Error for Violation {}

impl<S: Clone> Connection<S> {
    /// A connection whose client has joined nothing yet.
    #[must_use]
    pub fn new(now: Moment, limits: &ConnectionLimits) -> Self {
        let deadline = Some(now.after(limits.connect_timeout));
        Self { namespaces: SmallVec::new(), deadline, attachments: None }
    }

    /// Takes a packet from the client.
    ///
    /// # Errors
    /// A [`Violation`] closes the connection.
    #[inline]
    pub fn receive<'p>(
        &mut self,
        packet: &'p Packet<'_>,
        limits: &ConnectionLimits,
    ) -> Result<Action<'p, '_, S>, Violation> {
        let namespace = packet.namespace;
        match packet.payload {
            Payload::Connect(auth) => self.connect(namespace, auth, limits),
            Payload::ConnectError(_) => Err(Violation::ServerPacket),
            Payload::Disconnect => self.disconnected(namespace),
            Payload::Event { ref name, arguments } => {
                let socket = self.socket(namespace)?;
                Ok(Action::Event { socket, name, id: packet.id, arguments })
            }
            Payload::Acknowledgement(arguments) => {
                let socket = self.socket(namespace)?;
                Ok(packet.id.map_or(Action::Ignore, |id| Action::Acknowledgement {
                    socket,
                    id,
                    arguments,
                }))
            }
        }
    }

    /// The application lets the client into the namespace. `false` if the client has given up
    /// meanwhile; then there is no socket.
    #[must_use]
    pub fn accept(&mut self, namespace: &str, socket: S) -> bool {
        let Some(state @ State::Connecting) = self.find(namespace).map(|entry| &mut entry.state)
        else {
            return false;
        };
        *state = State::Connected(socket);
        self.deadline = None;
        true
    }

    /// The application does not let the client into the namespace. `false` as for `accept`.
    pub fn refuse(&mut self, namespace: &str) -> bool {
        match self.find(namespace).map(|entry| &entry.state) {
            Some(State::Connecting) => self.remove(namespace).is_some(),
            Some(State::Connected(_)) | None => false,
        }
    }

    /// The application has put the client out of the namespace.
    pub fn leave(&mut self, namespace: &str) -> Option<S> {
        match self.remove(namespace)? {
            State::Connected(socket) => Some(socket),
            State::Connecting => None,
        }
    }

    /// The connection is gone: the sockets that were on it.
    pub fn close(&mut self) -> impl Iterator<Item = S> + use<S> {
        self.deadline = None;
        self.attachments = None;
        std::mem::take(&mut self.namespaces).into_iter().filter_map(|namespace| {
            match namespace.state {
                State::Connected(socket) => Some(socket),
                State::Connecting => None,
            }
        })
    }

    /// The sockets on this connection.
    pub fn sockets(&self) -> impl Iterator<Item = &S> {
        self.namespaces.iter().filter_map(|namespace| match &namespace.state {
            State::Connected(socket) => Some(socket),
            State::Connecting => None,
        })
    }

    /// A packet came whose attachments are still to come.
    pub fn attachments_announced(&mut self, now: Moment, limits: &ConnectionLimits) {
        self.attachments = Some(now.after(limits.attachment_timeout));
    }

    /// All attachments have come.
    pub const fn attachments_complete(&mut self) {
        self.attachments = None;
    }

    /// The client has sent something since attachments were announced, or since this was said last:
    /// whoever sends a large one slowly sends it all the same.
    pub fn is_sending(&mut self, now: Moment, limits: &ConnectionLimits) {
        if self.attachments.is_some() {
            self.attachments_announced(now, limits);
        }
    }

    /// When [`Connection::deadline_passed`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.deadline.into_iter().chain(self.attachments).min()
    }

    /// Checks the deadlines.
    ///
    /// # Errors
    /// [`Violation::ConnectTimeout`], [`Violation::AttachmentTimeout`].
    pub fn deadline_passed(&mut self, now: Moment) -> Result<(), Violation> {
        if self.deadline.take_if(|deadline| *deadline <= now).is_some() {
            return Err(Violation::ConnectTimeout);
        }
        if self.attachments.take_if(|deadline| *deadline <= now).is_some() {
            return Err(Violation::AttachmentTimeout);
        }
        Ok(())
    }

    fn connect<'p>(
        &mut self,
        namespace: &'p str,
        auth: Option<&'p str>,
        limits: &ConnectionLimits,
    ) -> Result<Action<'p, '_, S>, Violation> {
        if namespace.len() > MAX_NAMESPACE_BYTES {
            return Err(Violation::NamespaceTooLong);
        }
        match self.find(namespace).map(|namespace| &namespace.state) {
            Some(State::Connected(_)) => return Err(Violation::AlreadyConnected),
            // The reference makes two sockets of two quick CONNECTs (S-026); one is what the
            // client can use.
            Some(State::Connecting) => return Ok(Action::Ignore),
            None => {}
        }
        if self.namespaces.len() >= limits.namespaces {
            return Ok(Action::TooManyNamespaces { namespace });
        }
        if auth.is_some_and(|auth| auth.len() > limits.auth_bytes) {
            return Ok(Action::AuthTooLong { namespace });
        }
        self.namespaces.push(Namespace { name: namespace.into(), state: State::Connecting });
        Ok(Action::Connect { namespace, auth })
    }

    /// A client that is still connecting is in no namespace that it could leave (S-025); so it
    /// cannot have more than one decision made about it at a time.
    fn disconnected<'p>(&mut self, namespace: &str) -> Result<Action<'p, '_, S>, Violation> {
        self.socket(namespace)?;
        Ok(self.leave(namespace).map_or(Action::Ignore, Action::Left))
    }

    fn socket(&self, namespace: &str) -> Result<&S, Violation> {
        let mut entries = self.namespaces.iter();
        match entries.find(|entry| *entry.name == *namespace).map(|entry| &entry.state) {
            Some(State::Connected(socket)) => Ok(socket),
            Some(State::Connecting) | None => Err(Violation::NotConnected),
        }
    }

    fn find(&mut self, namespace: &str) -> Option<&mut Namespace<S>> {
        self.namespaces.iter_mut().find(|entry| *entry.name == *namespace)
    }

    fn remove(&mut self, namespace: &str) -> Option<State<S>> {
        let place = self.namespaces.iter().position(|entry| *entry.name == *namespace)?;
        Some(self.namespaces.swap_remove(place).state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Decoder;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        namespaces: 3,
        auth_bytes: 20,
        connect_timeout: Duration::from_millis(45_000),
        attachment_timeout: Duration::from_millis(10_000),
    };

    fn connection() -> Connection<&'static str> {
        Connection::new(Moment::START, &LIMITS)
    }

    fn receive(connection: &mut Connection<&'static str>, text: &str) -> Result<String, Violation> {
        let packet = Decoder::new().text(text, 0).unwrap().unwrap();
        Ok(match connection.receive(&packet, &LIMITS)? {
            Action::Connect { namespace, auth } => {
                format!("connect {namespace} {}", auth.unwrap_or("-"))
            }
            Action::TooManyNamespaces { namespace } => format!("too many {namespace}"),
            Action::AuthTooLong { namespace } => format!("too long {namespace}"),
            Action::Event { socket, name, id, .. } => format!("event {name} of {socket} {id:?}"),
            Action::Acknowledgement { socket, id, .. } => format!("ack {id} of {socket}"),
            Action::Left(socket) => format!("left {socket}"),
            Action::Ignore => "ignore".into(),
        })
    }

    #[test]
    fn a_client_joins_talks_and_leaves() {
        let mut connection = connection();
        assert_eq!(receive(&mut connection, "0{\"a\":1}").unwrap(), "connect / {\"a\":1}");
        assert!(connection.accept("/", "root"));
        assert_eq!(receive(&mut connection, "0/chat,").unwrap(), "connect /chat -");
        assert!(connection.accept("/chat", "chat"));
        assert_eq!(receive(&mut connection, "2/chat,5[\"x\"]").unwrap(), "event x of chat Some(5)");
        assert_eq!(receive(&mut connection, "312[]").unwrap(), "ack 12 of root");
        assert_eq!(receive(&mut connection, "3[]").unwrap(), "ignore");
        assert_eq!(receive(&mut connection, "1/chat,").unwrap(), "left chat");
        assert_eq!(receive(&mut connection, "2[\"x\"]").unwrap(), "event x of root None");
        assert_eq!(connection.close().collect::<Vec<_>>(), ["root"]);
    }

    #[test]
    fn s_025_packets_out_of_order_are_violations() {
        assert_eq!(receive(&mut connection(), "2[\"x\"]"), Err(Violation::NotConnected));
        assert_eq!(receive(&mut connection(), "30[]"), Err(Violation::NotConnected));
        assert_eq!(receive(&mut connection(), "1"), Err(Violation::NotConnected));
        assert_eq!(receive(&mut connection(), "4{}"), Err(Violation::ServerPacket));
        let mut connection = connection();
        receive(&mut connection, "0").unwrap();
        assert_eq!(receive(&mut connection, "2[\"x\"]"), Err(Violation::NotConnected), "S-026");
        assert!(connection.accept("/", "root"));
        assert_eq!(receive(&mut connection, "0"), Err(Violation::AlreadyConnected));
    }

    #[test]
    fn a_second_connect_while_the_first_is_decided_makes_no_second_socket() {
        let mut connection = connection();
        receive(&mut connection, "0").unwrap();
        assert_eq!(receive(&mut connection, "0").unwrap(), "ignore");
        assert!(connection.accept("/", "root"));
        assert_eq!(connection.sockets().count(), 1);
    }

    #[test]
    fn s_025_a_client_that_is_still_connecting_cannot_leave() {
        let mut connection = connection();
        receive(&mut connection, "0").unwrap();
        assert_eq!(receive(&mut connection, "1"), Err(Violation::NotConnected));
        assert_eq!(connection.close().count(), 0);
        assert!(!connection.accept("/", "root"));
        assert!(!connection.refuse("/"));
    }

    #[test]
    fn a_late_refusal_does_not_touch_who_is_in() {
        let mut connection = connection();
        receive(&mut connection, "0").unwrap();
        assert!(connection.accept("/", "root"));
        assert!(!connection.refuse("/"));
        assert!(!connection.accept("/", "another"));
        assert_eq!(connection.sockets().collect::<Vec<_>>(), [&"root"]);
    }

    #[test]
    fn names_of_namespaces_are_limited() {
        let name = format!("0/{}", "n".repeat(MAX_NAMESPACE_BYTES));
        assert_eq!(receive(&mut connection(), &name), Err(Violation::NamespaceTooLong));
    }

    #[test]
    fn s_022_a_client_that_joins_nothing_is_closed_and_a_refused_one_too() {
        let mut connection = connection();
        receive(&mut connection, "0/nope").unwrap();
        assert!(connection.refuse("/nope"));
        let deadline = connection.deadline().unwrap();
        assert_eq!(deadline, Moment::from_millis(45_000));
        assert_eq!(connection.deadline_passed(Moment::from_millis(44_999)), Ok(()));
        assert_eq!(connection.deadline_passed(deadline), Err(Violation::ConnectTimeout));
    }

    #[test]
    fn joining_one_namespace_ends_the_deadline() {
        let mut connection = connection();
        receive(&mut connection, "0").unwrap();
        assert!(connection.accept("/", "root"));
        assert_eq!(connection.deadline(), None);
    }

    #[test]
    fn p_04_a_client_whose_attachments_do_not_come_is_closed_unless_it_is_sending() {
        let (mut connection, at) = (connection(), Moment::from_millis);
        assert!(receive(&mut connection, "0").is_ok() && connection.accept("/", "root"));
        connection.attachments_announced(at(1_000), &LIMITS);
        assert_eq!(connection.deadline(), Some(at(11_000)));
        connection.is_sending(at(11_000), &LIMITS);
        assert_eq!(connection.deadline_passed(at(20_999)), Ok(()));
        assert_eq!(connection.deadline_passed(at(21_000)), Err(Violation::AttachmentTimeout));
        assert_eq!(connection.deadline(), None);
    }

    #[test]
    fn p_04_attachments_that_came_are_not_waited_for() {
        let (mut connection, at) = (connection(), Moment::from_millis);
        connection.attachments_announced(at(0), &LIMITS);
        assert_eq!(connection.deadline(), Some(at(10_000)), "before that of CONNECT");
        connection.attachments_complete();
        connection.is_sending(at(1), &LIMITS);
        assert_eq!(connection.deadline(), Some(at(45_000)));
    }

    #[test]
    fn p_22_what_comes_with_connect_is_limited() {
        let mut connection = connection();
        let auth = |bytes: usize| format!("0{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
        assert_eq!(receive(&mut connection, &auth(21)).unwrap(), "too long /");
        assert!(receive(&mut connection, &auth(20)).unwrap().starts_with("connect /"));
    }

    #[test]
    fn namespaces_are_limited() {
        let mut connection = connection();
        for name in ["0/a", "0/b", "0/c"] {
            receive(&mut connection, name).unwrap();
        }
        assert_eq!(receive(&mut connection, "0/d").unwrap(), "too many /d");
        assert_eq!(connection.leave("/a"), None);
        assert_eq!(receive(&mut connection, "0/d").unwrap(), "connect /d -");
    }
}

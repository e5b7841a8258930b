use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashSet};
use parking_lot::{Mutex, RwLock};
use sockeye_proto::engine::{
    Dialect, Handshake as OpenPacket, PollBody, Session as Machine, Timing, TransportName,
};
use sockeye_proto::websocket::{DeflateAgreement, Frame, Opcode};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::application::Connector;
use super::bodies::Bodies;
use super::clock::Clock;
use super::counters::{Count, EngineCounters};
use super::deflate;
use super::driver::Driver;
use super::handshake::Handshake;
use super::id::Id;
use super::io::Ends;
use super::metrics::EngineMetrics;
use super::new_id::NewId;
use super::options::EngineOptions;
use super::places::{Place, Places};
use super::refusal::ConnectionErrorContext;
use super::service::EngineService;
use super::session::{Link, Session};
use super::wheel::{self, Wheel};

/// An Engine.IO server: all sessions, and what makes new ones.
///
/// Cheap to clone; all clones are the same server. It answers requests through its
/// [`service`](Engine::service).
pub struct Engine<C> {
    shared: Arc<Shared>,
    connector: Arc<C>,
}

/// What all sessions of a server share.
pub(super) struct Shared {
    pub(super) options: EngineOptions,
    pub(super) clock: Clock,
    pub(super) wheel: Arc<Wheel>,
    pub(super) control_frames: ControlFrames,
    pub(super) counters: EngineCounters,
    timing: Arc<Timing>,
    sessions: RwLock<HashMap<Id, Arc<Session>, RandomState>>,
    /// How many there are, as far as that is limited.
    pub(super) places: Places,
    pub(super) bodies: Bodies,
    /// Ids that `generate_id` chose for sessions that are not open yet.
    held_ids: Mutex<HashSet<Id, RandomState>>,
    closed: AtomicBool,
    /// Told when the last session is gone after the server was closed.
    emptied: Notify,
}

/// A session that is about to be opened.
pub(super) struct Opening {
    pub(super) handshake: Handshake,
    pub(super) place: Place,
    pub(super) id: NewId,
    pub(super) dialect: Dialect,
}

/// How long a drained server waits for those who do not go.
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// Frames that are the same for everybody.
pub(super) struct ControlFrames {
    pub(super) ping: Frame,
    pub(super) pong: Frame,
    pub(super) probe: Frame,
}

impl<C> Clone for Engine<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), connector: Arc::clone(&self.connector) }
    }
}

impl<C> fmt::Debug for Engine<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

impl<C: Connector> Engine<C> {
    /// A server that makes each session's application with `connector`.
    #[must_use]
    pub fn new(options: EngineOptions, connector: C) -> Self {
        let timing = Timing {
            ping_interval: options.ping_interval,
            ping_timeout: options.ping_timeout,
            upgrade_timeout: options.upgrade_timeout,
            write_timeout: options.write_timeout,
        };
        let shared = Shared {
            options,
            clock: Clock::start(),
            wheel: Arc::new(Wheel::new()),
            control_frames: ControlFrames {
                ping: Frame::text(b"2"),
                pong: Frame::text(b"3"),
                probe: Frame::text(b"3probe"),
            },
            counters: EngineCounters::new(),
            timing: Arc::new(timing),
            sessions: RwLock::default(),
            places: Places::default(),
            bodies: Bodies::default(),
            held_ids: Mutex::default(),
            closed: AtomicBool::new(false),
            emptied: Notify::new(),
        };
        Self { shared: Arc::new(shared), connector: Arc::new(connector) }
    }

    /// A `tower` service that answers requests to this server and 404 to others.
    #[must_use]
    pub fn service(&self) -> EngineService<C> {
        EngineService::new(self.clone())
    }

    /// How many sessions are open.
    #[must_use]
    pub fn clients_count(&self) -> usize {
        self.shared.sessions.read().len()
    }

    /// What the server has done since it was made, and what it holds now.
    ///
    /// Counting is going on anyway; asking costs a moment with each open session, about 0.1 µs, so
    /// ask every few seconds, not for each request.
    #[must_use]
    pub fn metrics(&self) -> EngineMetrics {
        let shared = &self.shared;
        EngineMetrics {
            deadlines: shared.wheel.entries() as u64,
            ids_held: shared.held_ids.lock().len() as u64,
            ..EngineMetrics::of(&shared.counters, &self.all_sessions())
        }
    }

    /// Ends all sessions at once and refuses new ones (E-098).
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        for session in self.sessions_in_order() {
            session.close();
        }
    }

    /// Refuses new sessions from now on, and ends those that are open one after the other, evenly
    /// over `spread` and in no particular order, each after what is queued for it was sent. Then
    /// waits five seconds at most for those whose peers are slow, and lets go of them.
    ///
    /// Cancel safety: dropped, it ends no more sessions; new ones are still refused.
    pub async fn drain(&self, spread: Duration) {
        self.shared.closed.store(true, Ordering::Relaxed);
        let sessions = self.sessions_in_order();
        let start = Instant::now();
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
        for (index, session) in (0..count).zip(sessions) {
            tokio::time::sleep_until(start + spread.mul_f64(f64::from(index) / f64::from(count)))
                .await;
            session.close();
        }
        if tokio::time::timeout(DRAIN_GRACE, self.emptied()).await.is_err() {
            self.sessions_in_order().iter().for_each(Session::abandon);
        }
    }

    /// Resolves when there are no sessions, after the server was closed.
    async fn emptied(&self) {
        let emptied = self.shared.emptied.notified();
        if self.clients_count() > 0 {
            emptied.await;
        }
    }

    /// The sessions as they are now. Nobody locks one while the table is locked.
    fn all_sessions(&self) -> Vec<Arc<Session>> {
        self.shared.sessions.read().values().cloned().collect()
    }

    /// The same in the order of their ids: in no particular one where ids are random, and each time in
    /// the same one where the program chooses them.
    fn sessions_in_order(&self) -> Vec<Arc<Session>> {
        let mut sessions = self.all_sessions();
        sessions.sort_unstable_by(|one, other| one.id().cmp(other.id()));
        sessions
    }

    pub(super) fn options(&self) -> &EngineOptions {
        &self.shared.options
    }

    pub(super) fn count_refusal(&self, context: &ConnectionErrorContext) {
        let counters = &self.shared.counters;
        counters.refused(context.rejection().code());
        if let ConnectionErrorContext::PayloadTooLarge { .. } = context {
            counters.add(Count::TooLarge, 1);
        }
    }

    pub(super) fn session(&self, sid: &str) -> Option<Arc<Session>> {
        self.shared.sessions.read().get(sid.as_bytes()).cloned()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Relaxed)
    }

    /// A place for a session, if there is one left.
    pub(super) fn take_place(
        &self,
        handshake: &Handshake,
    ) -> Result<Place, ConnectionErrorContext> {
        Place::take(&self.shared, handshake)
    }

    /// An id for a session that nobody has.
    pub(super) async fn new_id(
        &self,
        handshake: &Handshake,
    ) -> Result<NewId, ConnectionErrorContext> {
        NewId::make(&self.shared, handshake).await
    }

    /// Opens a session over polling; the body that answers the GET.
    pub(super) fn open_polling(&self, opening: Opening) -> PollBody {
        let session = self.open(opening, Link::Polling(None));
        let first = self.first_frames(&session, TransportName::Polling);
        let dialect = session.dialect();
        let binary = first.iter().any(|frame| frame.opcode() == Opcode::Binary);
        let mut payload = dialect.encoder(binary);
        first.iter().for_each(|frame| payload.push(frame));
        let body = dialect.finish(payload);
        self.shared.counters.sent(first.len() as u64, body.bytes.len());
        self.drive(session, Driver::polling);
        body
    }

    /// Opens a session over a WebSocket that has just been upgraded.
    pub(super) fn open_websocket(
        &self,
        opening: Opening,
        Ends { reader, writer, early }: Ends,
        deflate: Option<&DeflateAgreement>,
    ) {
        let session = self.open(opening, Link::WebSocket(writer));
        session.lock().deflate = deflate::context(deflate);
        let first = self.first_frames(&session, TransportName::WebSocket);
        session.send_first(first);
        self.drive(session, |session, application| {
            Driver::websocket(session, application, reader, early, deflate)
        });
    }

    fn open(&self, opening: Opening, link: Link) -> Arc<Session> {
        wheel::keep_turning(&self.shared.wheel, self.shared.clock);
        let transport = match link {
            Link::Polling(_) => TransportName::Polling,
            Link::WebSocket(_) | Link::Gone => TransportName::WebSocket,
        };
        self.shared.counters.opened(transport);
        let Opening { handshake, place, id: new_id, dialect } = opening;
        let timing = Arc::clone(&self.shared.timing);
        let now = self.shared.clock.now();
        let machine = Machine::open(now, timing, dialect.revision(), transport);
        let id = new_id.id().clone();
        let shared = Arc::clone(&self.shared);
        let session = Session::new(shared, id.clone(), dialect, handshake, machine, link);
        self.shared.sessions.write().insert(id, Arc::clone(&session));
        place.keep();
        // Only now: until the session is there, the id is held.
        drop(new_id);
        if self.is_closed() {
            // The server was closed while the handshake was on its way.
            session.close();
        }
        session
    }

    /// Gives a session its driver, unless nobody wants to serve it any more.
    fn drive(
        &self,
        session: Arc<Session>,
        driver: impl FnOnce(Arc<Session>, C::Application) -> Driver<C::Application>,
    ) {
        match self.connector.connect(&session) {
            Some(application) => drop(tokio::spawn(driver(session, application))),
            None => session.abandon(),
        }
    }

    /// What a session begins with, in its dialect.
    fn first_frames(&self, session: &Session, transport: TransportName) -> Vec<Frame> {
        let open = Frame::text(self.open_packet(session, transport).as_bytes());
        let initial = self.options().initial_packet.as_ref();
        let initial = initial.map(|packet| session.dialect().frame(packet.frame().clone()));
        std::iter::once(open).chain(initial).collect()
    }

    fn open_packet(&self, session: &Session, transport: TransportName) -> String {
        let options = self.options();
        let upgrades: &[TransportName] = match transport {
            TransportName::Polling if options.allow_upgrades && options.websocket => {
                &[TransportName::WebSocket]
            }
            _ => &[],
        };
        let milliseconds =
            |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        OpenPacket {
            sid: session.id(),
            upgrades,
            ping_interval: milliseconds(options.ping_interval),
            ping_timeout: milliseconds(options.ping_timeout),
            max_payload: options.max_http_buffer_size,
        }
        .to_string()
    }
}

impl Shared {
    /// Holds an id for a session. `false` if a session has it, or somebody holds it.
    pub(super) fn hold_id(&self, id: &Id) -> bool {
        let mut held = self.held_ids.lock();
        !self.sessions.read().contains_key(id) && held.insert(id.clone())
    }

    pub(super) fn let_go_of_id(&self, id: &Id) {
        self.held_ids.lock().remove(id);
    }

    /// Forgets a session that is over.
    pub(super) fn forget(&self, session: &Session) {
        self.wheel.remove(session);
        let mut sessions = self.sessions.write();
        if sessions.remove(session.key()).is_some() {
            self.places.leave(self, session.handshake());
        }
        if sessions.is_empty() && self.closed.load(Ordering::Relaxed) {
            self.emptied.notify_waiters();
        }
    }
}

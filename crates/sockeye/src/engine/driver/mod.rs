//! The task that reads, and calls the application.

mod deliver;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye_proto::engine::{Input, Link as LinkName, Packet, PayloadError, PayloadReader};
use sockeye_proto::websocket::{Decoder, DeflateAgreement, Limits, Message as Frame};

use tracing::Span;

use super::application::Application;
use super::cork::Cork;
use super::deflate::{self, LentInflater};
use super::io::{Reader, Stream, linger};
use super::outbox::Outbox;
use super::scratch;
use super::session::{Post, PostDone, Session};
use super::trace;
use super::turn::{Rest, Turn, give_way};
use deliver::{Read, deliver, frame};

/// The one task that owns a session's I/O and its application.
///
/// It waits for: something to read, room to write (only while there is none), and being woken.
pub(super) struct Driver<A: Application> {
    session: Arc<Session>,
    application: A,
    websocket: Option<WebSocket>,
    /// The rest of a request body that the application could not take at once.
    payload: Option<Box<Payload>>,
    /// The session knows that the application can take nothing more now.
    busy: bool,
    ended: bool,
    turn: Turn,
    /// What is logged while it works is said in here, if somebody wants to know.
    span: Option<Box<Span>>,
}

struct Payload {
    packets: PayloadReader,
    done: PostDone,
}

/// The WebSocket that is being read: the active link, or the candidate.
struct WebSocket {
    reader: Reader,
    decoder: Decoder,
    link: LinkName,
    /// Which of the session's candidates it was.
    serial: u32,
    /// What was read and could not be worked through at once.
    rest: Option<Rest>,
    /// Nothing it says matters any more; only its end does.
    over: bool,
}

impl WebSocket {
    fn new(
        reader: Reader,
        link: LinkName,
        serial: u32,
        deflate: Option<&DeflateAgreement>,
    ) -> Self {
        let decoder = deflate::decoder(deflate);
        Self { reader, decoder, link, serial, rest: None, over: false }
    }

    fn foreign(&mut self) -> Option<&mut dyn Stream> {
        match &mut self.reader {
            Reader::Foreign(stream) => Some(&mut **stream),
            Reader::Tcp(_) => None,
        }
    }
}

impl<A: Application> Unpin for Driver<A> {}

/// However a driver ends, with its runtime or by a panic, its session ends with it.
impl<A: Application> Drop for Driver<A> {
    fn drop(&mut self) {
        self.session.abandon();
    }
}

impl<A: Application> Future for Driver<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(span) = self.span.take() else { return self.turn(cx) };
        let turn = span.in_scope(|| self.turn(cx));
        self.span = Some(span);
        turn
    }
}

impl<A: Application> Driver<A> {
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.driver().register(cx.waker());
        self.turn = Turn::new();
        let cork = Cork::of_driver(&self.session);
        let Self { session, application, .. } = self;
        application.poll(session, cx);
        self.take_work(cx);
        self.read(cx);
        drop(cork);
        let released = self.wind_up(cx);
        if self.ended && released && self.application.is_finished() {
            drop(self.session.driver().take());
            return Poll::Ready(());
        }
        if self.turn.is_over() {
            give_way(cx);
        }
        Poll::Pending
    }

    pub(super) fn polling(session: Arc<Session>, application: A) -> Self {
        let span = trace::session_span(&session);
        let (websocket, payload, turn) = (None, None, Turn::new());
        Self { session, application, websocket, payload, busy: false, ended: false, turn, span }
    }

    pub(super) fn websocket(
        session: Arc<Session>,
        application: A,
        reader: Reader,
        early: Vec<u8>,
        deflate: Option<&DeflateAgreement>,
    ) -> Self {
        let mut driver = Self::polling(session, application);
        let mut websocket = WebSocket::new(reader, LinkName::Active, 0, deflate);
        websocket.rest = Rest::of(&early);
        driver.websocket = Some(websocket);
        driver
    }

    /// Takes what others have left with the session: the body of a POST, which must wait until the
    /// application can take it; a WebSocket that was opened for the session. Lets go of one that
    /// the session has done with.
    fn take_work(&mut self, cx: &mut Context<'_>) {
        let ready = self.payload.is_none() && self.application.is_ready();
        let mut state = self.session.lock();
        let ready = ready && self.session.takes_more(&mut state);
        let post = if ready { state.take_post() } else { None };
        let candidate = state.candidate.as_mut().and_then(|candidate| candidate.take_reader());
        let websocket = self.websocket.as_ref();
        let unwanted =
            websocket.is_some_and(|websocket| !state.reads(websocket.link, websocket.serial));
        let last_words = unwanted.then(|| state.last_words.take());
        let serial = state.candidates;
        drop(state);
        if let Some(last_words) = last_words {
            self.let_go(last_words);
        }
        if let Some(Post::Arrived { body, octets, done }) = post {
            self.session.shared().counters.received(0, body.len());
            let limit = self.session.shared().options.max_packets_per_payload;
            match self.session.dialect().read(body, octets, limit) {
                Ok(packets) => self.payload = Some(Box::new(Payload { packets, done })),
                Err(error) => self.undecodable(error),
            }
        }
        self.work_through_payload(cx);
        if let Some((reader, early, deflate)) = candidate {
            let mut websocket =
                WebSocket::new(reader, LinkName::Candidate, serial, deflate.as_ref());
            websocket.rest = Rest::of(&early);
            self.websocket = Some(websocket);
        }
    }

    /// Has a WebSocket say its last words, and reads it no more.
    fn let_go(&mut self, last_words: Option<Box<Outbox>>) {
        if let Some(websocket) = self.websocket.take() {
            tokio::spawn(linger(websocket.reader, last_words));
        }
    }

    fn undecodable(&self, error: PayloadError) {
        self.session.undecodable(LinkName::Active, &error);
    }

    /// Handles the packets of a request body for as long as the application can take them and the turn lasts.
    fn work_through_payload(&mut self, cx: &mut Context<'_>) {
        let Some(mut payload) = self.payload.take() else { return };
        let mut packets = 0;
        while !payload.packets.is_done() && !self.turn.is_over() && self.application.is_ready() {
            match payload.packets.next_packet() {
                Some(Ok(packet)) => {
                    packets += 1;
                    self.turn.spend(0);
                    self.packet(cx, LinkName::Active, packet);
                }
                Some(Err(error)) => self.undecodable(error),
                None => {}
            }
        }
        self.session.shared().counters.received(packets, 0);
        if !payload.packets.is_done() {
            self.payload = Some(payload);
            return;
        }
        self.session.handle(&mut self.session.lock(), Input::PostDone);
        payload.done.tell();
    }

    fn read(&mut self, cx: &mut Context<'_>) {
        while self.may_read() {
            if self.take_rest(cx) {
                continue;
            }
            let read = scratch::with_read(|buffer| {
                let websocket = self.websocket.as_mut()?;
                match websocket.reader.poll_read(cx, buffer) {
                    Poll::Pending => None,
                    Poll::Ready(Ok(count @ 1..)) => {
                        let used = self.received(cx, &mut buffer[..count]);
                        self.keep(Rest::of(&buffer[used..count]));
                        Some(true)
                    }
                    Poll::Ready(Ok(_) | Err(_)) => Some(false),
                }
            });
            match read {
                None => return,
                Some(true) => {}
                Some(false) => self.closed(),
            }
        }
    }

    /// Whether the turn lasts, and the application and the session can take more. The session remembers if it is the
    /// application that cannot: the peer is not to blame for what lies unread.
    fn may_read(&mut self) -> bool {
        if self.turn.is_over() {
            return false;
        }
        if self.ended {
            return true;
        }
        let ready = self.application.is_ready();
        if self.busy == ready {
            self.busy = !ready;
            self.session.lock().busy = !ready;
        }
        ready && self.session.takes_more(&mut self.session.lock())
    }

    /// Goes on with what was read before.
    fn take_rest(&mut self, cx: &mut Context<'_>) -> bool {
        let rest = self.websocket.as_mut().and_then(|websocket| websocket.rest.take());
        let Some(mut rest) = rest else { return false };
        let used = self.received(cx, rest.bytes());
        self.keep(rest.without(used));
        true
    }

    fn keep(&mut self, rest: Option<Rest>) {
        if let Some(websocket) = &mut self.websocket {
            websocket.rest = rest;
        }
    }

    /// Works through bytes of the WebSocket, as far as it may; how many are done with.
    fn received(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> usize {
        self.application.receiving();
        let (packets, used) = self.work_through(cx, bytes);
        self.session.shared().counters.received(packets, used);
        used
    }

    /// The same, and how many packets that was.
    fn work_through(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) -> (u64, usize) {
        let limits = Limits::new(self.session.shared().options.max_http_buffer_size);
        let mut read = Read::at(self.session.now());
        let decoder = self.websocket.as_ref().map(|websocket| &websocket.decoder);
        let mut inflater = decoder.and_then(LentInflater::for_decoder);
        let (mut packets, mut at) = (0, 0);
        loop {
            let Self { session, application, websocket, ended, turn, .. } = self;
            let Some(websocket) = websocket.as_mut().filter(|websocket| !websocket.over) else {
                return (packets, bytes.len());
            };
            let stops = turn.is_over() || (!*ended && !application.is_ready());
            if stops && at < bytes.len() {
                return (packets, at);
            }
            let decoder = &mut websocket.decoder;
            match deflate::decode(decoder, &mut bytes[at..], &limits, inflater.as_mut()) {
                Ok((_, None)) => return (packets, bytes.len()),
                Ok((used, Some(message))) => {
                    at += used;
                    turn.spend(used);
                    packets += u64::from(matches!(message, Frame::Text(_) | Frame::Binary(_)));
                    let mut link = websocket.link;
                    websocket.over = frame(session, application, cx, &mut read, &mut link, message);
                    websocket.link = link;
                }
                Err(error) => {
                    websocket.over = true;
                    session.broken(websocket.link, error);
                }
            }
        }
    }

    fn packet(&mut self, cx: &mut Context<'_>, mut link: LinkName, packet: Packet<'_>) {
        let mut read = Read::at(self.session.now());
        deliver(&self.session, &mut self.application, cx, &mut read, &mut link, packet);
    }

    /// The WebSocket ended without a close frame, or after it.
    fn closed(&mut self) {
        if let Some(websocket) = self.websocket.take() {
            let session = &self.session;
            let input = Input::LinkClosed { link: websocket.link };
            session.lock().drop_candidate_if(websocket.link);
            session.handle(&mut session.lock(), input);
        }
    }

    /// Writes what could not be written at once, and tells the application of the end. `true` if
    /// the session is forgotten.
    fn wind_up(&mut self, cx: &mut Context<'_>) -> bool {
        let Self { session, application, websocket, ended, .. } = self;
        match websocket.as_mut().and_then(WebSocket::foreign) {
            Some(stream) => session.poll_flush_foreign(cx, stream),
            None => session.poll_flush(cx),
        }
        let mut state = session.lock();
        let end = state.take_end();
        let last_words = state.is_released().then(|| state.last_words.take());
        drop(state);
        if let Some((reason, detail)) = end {
            let _cork = Cork::of_driver(session);
            *ended = true;
            trace::ended(reason, detail);
            application.ended(session, cx, reason, detail);
        }
        let Some(last_words) = last_words else { return false };
        if websocket.as_mut().and_then(WebSocket::foreign).is_some() {
            self.let_go(last_words);
        }
        self.websocket = None;
        true
    }
}

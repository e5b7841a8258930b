use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use sockeye_proto::Moment;
use sockeye_proto::engine::{
    CloseDetail, Input, Link as LinkName, Message, Packet, PayloadDecoder, Received,
};
use sockeye_proto::websocket::{DecodeError, Decoder, Limits, Message as Frame, Role};

use super::application::Application;
use super::cork::Cork;
use super::io::{Reader, Stream, linger};
use super::scratch;
use super::session::{Link, Post, Session};

/// The one task that owns a session's I/O and its application.
///
/// It waits for: something to read, room to write (only while there is none), and being woken.
pub(super) struct Driver<A> {
    session: Arc<Session>,
    application: A,
    websocket: Option<WebSocket>,
    ended: bool,
}

/// The WebSocket that is being read: the active link, or the candidate.
struct WebSocket {
    reader: Reader,
    decoder: Decoder,
    link: LinkName,
    /// Nothing it says matters any more; only its end does.
    over: bool,
}

impl WebSocket {
    const fn new(reader: Reader, link: LinkName) -> Self {
        Self { reader, decoder: Decoder::new(Role::Server), link, over: false }
    }

    fn foreign(&mut self) -> Option<&mut dyn Stream> {
        match &mut self.reader {
            Reader::Foreign(stream) => Some(&mut **stream),
            Reader::Tcp(_) => None,
        }
    }
}

impl<A> Unpin for Driver<A> {}

impl<A: Application> Future for Driver<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.session.driver().register(cx.waker());
        let cork = Cork::new();
        let Self { session, application, .. } = &mut *self;
        application.poll(session, cx);
        self.take_work(cx);
        self.read(cx);
        drop(cork);
        let released = self.wind_up(cx);
        if self.ended && released && self.application.is_finished() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<A: Application> Driver<A> {
    pub(super) const fn polling(session: Arc<Session>, application: A) -> Self {
        Self { session, application, websocket: None, ended: false }
    }

    pub(super) fn websocket(
        session: Arc<Session>,
        application: A,
        reader: Reader,
        early: &mut [u8],
    ) -> Self {
        let mut driver = Self::polling(session, application);
        driver.websocket = Some(WebSocket::new(reader, LinkName::Active));
        if !early.is_empty() {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            driver.received(&mut cx, early);
        }
        driver
    }

    /// Takes what others have left with the session: the body of a POST, which must wait until the
    /// application can take it; a WebSocket that was opened for the session. Lets go of one that
    /// the session has done with.
    fn take_work(&mut self, cx: &mut Context<'_>) {
        let ready = self.application.is_ready() && self.session.takes_more();
        let mut state = self.session.lock();
        let post = if ready { state.take_post() } else { None };
        let candidate = state.candidate.as_mut().and_then(|candidate| candidate.reader.take());
        let unwanted = self.websocket.take_if(|websocket| !state.reads(websocket.link));
        drop(state);
        if let Some(websocket) = unwanted {
            tokio::spawn(linger(websocket.reader));
        }
        if let Some(Post::Arrived { body, done }) = post {
            self.payload(cx, &body);
            self.session.handle(&mut self.session.lock(), Input::PostDone);
            // The request may have been given up.
            let _ = done.send(());
        }
        if let Some((reader, mut early)) = candidate {
            self.websocket = Some(WebSocket::new(reader, LinkName::Candidate));
            self.received(cx, &mut early);
        }
    }

    fn payload(&mut self, cx: &mut Context<'_>, body: &[u8]) {
        let undecodable = Input::Undecodable { link: LinkName::Active };
        let Ok(body) = std::str::from_utf8(body) else {
            self.session.handle(&mut self.session.lock(), undecodable);
            return;
        };
        for packet in PayloadDecoder::new(body) {
            match packet {
                Ok(packet) => self.packet(cx, LinkName::Active, packet),
                Err(error) => {
                    tracing::debug!(%error, session = ?self.session, "undecodable payload");
                    self.session.handle(&mut self.session.lock(), undecodable);
                }
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) {
        while self.ended || self.application.is_ready() && self.session.takes_more() {
            let read = scratch::with_read(|buffer| {
                let websocket = self.websocket.as_mut()?;
                match websocket.reader.poll_read(cx, buffer) {
                    Poll::Pending => None,
                    Poll::Ready(Ok(count @ 1..)) => {
                        self.received(cx, &mut buffer[..count]);
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

    /// Works through bytes of the WebSocket.
    fn received(&mut self, cx: &mut Context<'_>, bytes: &mut [u8]) {
        let limits = Limits::new(self.session.shared().options.max_http_buffer_size);
        // What came in one read came at one time.
        let now = self.session.now();
        let mut at = 0;
        loop {
            let Self { session, application, websocket: Some(websocket), .. } = self else {
                return;
            };
            if websocket.over {
                return;
            }
            match websocket.decoder.decode(&mut bytes[at..], &limits) {
                Ok((_, None)) => return,
                Ok((used, Some(message))) => {
                    at += used;
                    let mut link = websocket.link;
                    websocket.over = frame(session, application, cx, now, &mut link, message);
                    websocket.link = link;
                }
                Err(error) => {
                    websocket.over = true;
                    tracing::debug!(%error, ?session, "broken WebSocket");
                    session.fail(websocket.link, detail_of(error), error.close_code());
                }
            }
        }
    }

    fn packet(&mut self, cx: &mut Context<'_>, mut link: LinkName, packet: Packet<'_>) {
        let now = self.session.now();
        deliver(&self.session, &mut self.application, cx, now, &mut link, packet);
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
        let Self { session, application, websocket, ended } = self;
        match websocket.as_mut().and_then(WebSocket::foreign) {
            Some(stream) => session.poll_flush_foreign(cx, stream),
            None => session.poll_flush(cx),
        }
        let mut state = session.lock();
        let end = state.take_end();
        let released = state.is_released();
        drop(state);
        if let Some((reason, detail)) = end {
            let _cork = Cork::new();
            *ended = true;
            tracing::debug!(?session, %reason, %detail, "session ended");
            application.ended(session, cx, reason, detail);
        }
        if released {
            *websocket = None;
        }
        released
    }
}

/// One message of a WebSocket. `true` if nothing that follows matters.
fn frame<A: Application>(
    session: &Arc<Session>,
    application: &mut A,
    cx: &mut Context<'_>,
    now: Moment,
    link: &mut LinkName,
    message: Frame<'_>,
) -> bool {
    let packet = match message {
        Frame::Text(text) => Packet::decode(text),
        Frame::Binary(data) => Ok(Packet::binary(data)),
        Frame::Ping(data) => {
            session.answer_ping(*link, data);
            return false;
        }
        Frame::Pong(_) => return false,
        Frame::Close(frame) => {
            session.answer_close(*link, frame.map(|frame| frame.code));
            return true;
        }
    };
    match packet {
        Ok(packet) => deliver(session, application, cx, now, link, packet),
        Err(error) => {
            tracing::debug!(%error, ?session, "undecodable packet");
            session.handle(&mut session.lock(), Input::Undecodable { link: *link });
        }
    }
    false
}

/// One packet, from whatever link: to the machine, and on to the application if it says so.
fn deliver<A: Application>(
    session: &Arc<Session>,
    application: &mut A,
    cx: &mut Context<'_>,
    now: Moment,
    link: &mut LinkName,
    packet: Packet<'_>,
) {
    let mut state = session.lock();
    let received = Received::from(&packet);
    let verdict =
        session.handle_at(now, &mut state, Input::Packet { link: *link, packet: received });
    if *link == LinkName::Candidate && matches!(state.link, Link::WebSocket(_)) {
        *link = LinkName::Active;
    }
    drop(state);
    if verdict.deliver
        && let Packet::Message(message) = packet
    {
        let message: Message<'_> = message;
        application.message(session, cx, message);
    }
}

const fn detail_of(error: DecodeError) -> CloseDetail {
    match error {
        DecodeError::TooLarge { .. } => CloseDetail::PayloadTooLarge,
        _ => CloseDetail::InvalidFrame,
    }
}

//! A WebSocket: opened, read, written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use sockeye_proto::websocket::{
    AcceptKey, ClientKey, CloseCode, DecodeError, Decoder, DeflateAgreement, DeflateContext, Frame,
    Limits, Message, PerMessageDeflate, ResponseError, Role, UpgradeResponse, has_token,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::error::TransportCause;
use super::http::{self, HttpClient, Upgraded};
use super::outbox::{Outbox, Sendable};
use super::random;
use crate::engine::deflate::{self, LentInflater};
use crate::engine::scratch;
use crate::engine::turn::Rest;

/// Frames are masked until so many bytes are ready for one write.
const BATCH_BYTES: usize = 64 * 1024;

/// A WebSocket that is open. Idle it owns no buffer.
#[derive(Debug)]
pub(super) struct WebSocket {
    stream: Upgraded,
    decoder: Decoder,
    deflate: Option<Box<Deflate>>,
    /// What was read and could not be worked through at once.
    pub(super) rest: Option<Rest>,
    /// What was masked and the system did not take at once.
    unwritten: Vec<u8>,
    /// How much of it was written.
    written: usize,
    /// Something was written that a layer below may hold back.
    unflushed: bool,
    /// The answer to the last ping (RFC 6455 section 5.5.3: only the last one needs one).
    pong: Option<Frame>,
    goodbye: Goodbye,
    /// Nothing that the peer says matters any more.
    pub(super) over: bool,
}

/// How what is sent is compressed.
#[derive(Debug)]
struct Deflate {
    settings: PerMessageDeflate,
    context: DeflateContext,
}

/// What is asked for when a WebSocket is opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    /// Subprotocols (C-015).
    pub(super) protocols: Option<HeaderValue>,
    /// Compression (C-014).
    pub(super) deflate: Option<PerMessageDeflate>,
}

/// The close frame.
#[derive(Debug)]
enum Goodbye {
    NotYet,
    /// After everything else.
    Queued(Frame),
    Said,
}

impl WebSocket {
    /// Opens one with a request (RFC 6455 section 4.1).
    pub(super) async fn open(
        client: HttpClient,
        url: String,
        wishes: Wishes,
    ) -> Result<Self, TransportCause> {
        let key = ClientKey::new(random::bytes());
        let (answer, stream) = client.upgrade(url, request_headers(&key, &wishes)).await?;
        let agreement = verify(&answer, &key.accept(), wishes.deflate.as_ref())
            .map_err(|error| TransportCause::Handshake(error.to_string()))?;
        let decoder = match &agreement {
            Some(agreement) => Decoder::with_deflate(Role::Client, agreement),
            None => Decoder::new(Role::Client),
        };
        let deflate = agreement.zip(wishes.deflate).map(|(agreement, settings)| {
            Box::new(Deflate { settings, context: agreement.sending(Role::Client) })
        });
        Ok(Self {
            stream,
            decoder,
            deflate,
            rest: None,
            unwritten: Vec::new(),
            written: 0,
            unflushed: false,
            pong: None,
            goodbye: Goodbye::NotYet,
            over: false,
        })
    }

    /// The thread's inflater, if messages may come compressed.
    pub(super) fn inflater(&self) -> Option<LentInflater> {
        LentInflater::for_decoder(&self.decoder)
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    pub(super) fn decode<'a>(
        &'a mut self,
        input: &'a mut [u8],
        limits: &Limits,
        inflater: Option<&'a mut LentInflater>,
    ) -> Result<(usize, Option<Message<'a>>), DecodeError> {
        deflate::decode(&mut self.decoder, input, limits, inflater)
    }

    /// Has the answer to a ping written, in the place of one that was not written yet.
    pub(super) fn answer_ping(&mut self, pong: Frame) {
        self.pong = Some(pong);
    }

    /// Has a close frame written after what is queued, if there was none.
    pub(super) fn say_goodbye(&mut self, code: Option<CloseCode>) {
        if matches!(self.goodbye, Goodbye::NotYet) {
            self.goodbye = Goodbye::Queued(Frame::close(code, ""));
        }
    }

    /// Says the last word, as far as the system takes it: the WebSocket is about to be dropped.
    pub(super) fn hang_up(&mut self, cx: &mut Context<'_>, code: Option<CloseCode>) {
        self.over = true;
        self.say_goodbye(code);
        let _ = self.poll_write(cx, &mut Outbox::default());
    }

    /// Bytes that were taken from the outbox and not by the system.
    pub(super) fn unwritten_bytes(&self) -> usize {
        self.unwritten.len() - self.written
    }

    /// Writes everything that is to be written.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &mut Outbox,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_write_masked(cx))?;
        self.unwritten = Vec::new();
        while self.has_more(outbox) {
            ready!(self.poll_write_batch(cx, outbox))?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn has_more(&self, outbox: &Outbox) -> bool {
        match self.goodbye {
            Goodbye::NotYet => self.pong.is_some() || !outbox.is_empty(),
            Goodbye::Queued(_) => true,
            Goodbye::Said => false,
        }
    }

    /// Masks a batch of frames into the thread's buffer and writes it at once. Only if the system does
    /// not take all of it does the buffer become the connection's.
    fn poll_write_batch(
        &mut self,
        cx: &mut Context<'_>,
        outbox: &mut Outbox,
    ) -> Poll<io::Result<()>> {
        scratch::with_write(|buffer| {
            self.mask_batch(outbox, buffer);
            self.unwritten = std::mem::take(buffer);
            ready!(self.poll_write_masked(cx))?;
            *buffer = std::mem::take(&mut self.unwritten);
            Poll::Ready(Ok(()))
        })
    }

    fn mask_batch(&mut self, outbox: &mut Outbox, buffer: &mut Vec<u8>) {
        if let Some(pong) = self.pong.take() {
            pong.mask_into(buffer, random::bytes());
        }
        while buffer.len() < BATCH_BYTES {
            let Some(Sendable { frame, compress }) = outbox.pop() else {
                if let Goodbye::Queued(close) = &self.goodbye {
                    close.mask_into(buffer, random::bytes());
                    self.goodbye = Goodbye::Said;
                }
                return;
            };
            let compressed =
                self.deflate.as_mut().filter(|_| compress).and_then(|it| it.deflate(&frame));
            compressed.unwrap_or(frame).mask_into(buffer, random::bytes());
        }
    }

    fn poll_write_masked(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.unwritten.get(self.written..) {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.unflushed = true;
        }
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl Deflate {
    fn deflate(&mut self, frame: &Frame) -> Option<Frame> {
        deflate::with_deflater(|it| it.deflate(frame, &self.settings, &mut self.context))
    }
}

fn request_headers(key: &ClientKey, wishes: &Wishes) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, http::header(key.as_str()));
    if let Some(protocols) = &wishes.protocols {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocols.clone());
    }
    if let Some(settings) = &wishes.deflate {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, http::header(&settings.offer()));
    }
    headers
}

/// Whether the server understood, and takes nothing that was not offered. What it says about
/// compression.
fn verify(
    answer: &HeaderMap,
    expected: &AcceptKey,
    offered: Option<&PerMessageDeflate>,
) -> Result<Option<DeflateAgreement>, ResponseError> {
    let value = |name: HeaderName| answer.get(name).map(HeaderValue::as_bytes);
    let mut connection = answer.get_all(CONNECTION).iter();
    let response = UpgradeResponse {
        status: 101,
        connection_upgrade: connection.any(|value| has_token(value.as_bytes(), "upgrade")),
        upgrade: value(UPGRADE),
        accept: value(SEC_WEBSOCKET_ACCEPT),
    };
    response.verify(expected)?;
    match offered {
        Some(settings) => {
            let answered = answer.get_all(SEC_WEBSOCKET_EXTENSIONS);
            settings.accept(answered.iter().map(HeaderValue::as_bytes))
        }
        None if answer.contains_key(SEC_WEBSOCKET_EXTENSIONS) => Err(ResponseError::Extension),
        None => Ok(None),
    }
}

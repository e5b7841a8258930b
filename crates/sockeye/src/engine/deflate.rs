//! Compressing what is sent and inflating what is received (RFC 7692), with one compressor and one
//! inflater for each thread.

use std::cell::RefCell;
use std::iter;
use std::ops::{Deref, DerefMut};

use http::HeaderMap;
use http::header::{HeaderValue, SEC_WEBSOCKET_EXTENSIONS};
use sockeye_proto::engine::Dialect;
use sockeye_proto::websocket::{
    DecodeError, Decoder, DeflateAgreement, DeflateContext, Deflater, Frame, Inflater, Limits,
    Message, PerMessageDeflate, Role,
};

use super::outbox::Outbox;

thread_local! {
    static DEFLATER: RefCell<Deflater> = const { RefCell::new(Deflater::new()) };
    static INFLATER: RefCell<Inflater> = const { RefCell::new(Inflater::new()) };
}

/// The frames of a packet, as revision 4 writes them, with nothing to come between them.
pub(crate) trait PacketFrames {
    /// The frames in their order.
    fn frames(self) -> impl Iterator<Item = Frame>;

    /// The same for a packet that has many receivers: each frame, and its compressed form, which
    /// `deflate` makes for the first of them.
    fn deflated(
        &self,
        deflate: impl FnMut(&Frame) -> Option<Frame>,
    ) -> Option<impl Iterator<Item = (&Frame, &Frame)>> {
        drop(deflate);
        None::<iter::Empty<_>>
    }

    /// Queues the frames as they are, in this dialect.
    fn queue(self, dialect: &Dialect, outbox: &mut Outbox)
    where
        Self: Sized,
    {
        self.frames().for_each(|frame| outbox.push(dialect.frame(frame)));
    }
}

impl PacketFrames for Frame {
    fn frames(self) -> impl Iterator<Item = Self> {
        iter::once(self)
    }
}

/// Looks for an offer that can be taken, among the headers of a request to upgrade.
pub(super) fn negotiate(
    settings: Option<&PerMessageDeflate>,
    headers: &HeaderMap,
) -> Option<DeflateAgreement> {
    let offered = headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
    settings?.negotiate(offered.iter().map(HeaderValue::as_bytes))
}

/// A decoder for what the client sends on a WebSocket.
pub(super) fn decoder(agreement: Option<&DeflateAgreement>) -> Decoder {
    match agreement {
        Some(agreement) => Decoder::with_deflate(Role::Server, agreement),
        None => Decoder::new(Role::Server),
    }
}

/// What a session keeps for what it sends on a WebSocket.
pub(super) fn context(agreement: Option<&DeflateAgreement>) -> Option<Box<DeflateContext>> {
    agreement.map(|agreement| Box::new(agreement.sending(Role::Server)))
}

/// Queues a packet for a connection that has agreed on compression.
pub(super) fn push(
    packet: impl PacketFrames,
    dialect: &Dialect,
    settings: &PerMessageDeflate,
    context: &mut DeflateContext,
    outbox: &mut Outbox,
) {
    if !context.is_taken_over() && dialect.takes_frames_as_they_are() {
        let deflate = |frame: &Frame| {
            with_deflater(|it| it.deflate(frame, settings, &mut DeflateContext::default()))
        };
        if let Some(frames) = packet.deflated(deflate) {
            for (plain, compressed) in frames {
                let fits = context.takes_shared(plain.payload().len());
                outbox.push(if fits { compressed.clone() } else { plain.clone() });
            }
            return;
        }
    }
    with_deflater(|deflater| {
        for frame in packet.frames() {
            let frame = dialect.frame(frame);
            outbox.push(deflater.deflate(&frame, settings, context).unwrap_or(frame));
        }
    });
}

/// Lends the thread's compressor.
pub(super) fn with_deflater<R>(use_it: impl FnOnce(&mut Deflater) -> R) -> R {
    let mut deflater = DEFLATER.take();
    let result = use_it(&mut deflater);
    deflater.release();
    DEFLATER.set(deflater);
    result
}

/// The thread's inflater, while one connection has it.
pub(super) struct LentInflater(Inflater);

impl LentInflater {
    /// Takes the inflater for a decoder that needs one. Another taken meanwhile is a new one.
    pub(super) fn for_decoder(decoder: &Decoder) -> Option<Self> {
        decoder.inflates().then(|| Self(INFLATER.take()))
    }
}

impl Deref for LentInflater {
    type Target = Inflater;

    fn deref(&self) -> &Inflater {
        &self.0
    }
}

impl DerefMut for LentInflater {
    fn deref_mut(&mut self) -> &mut Inflater {
        &mut self.0
    }
}

impl Drop for LentInflater {
    fn drop(&mut self) {
        self.0.release();
        INFLATER.set(std::mem::take(&mut self.0));
    }
}

/// The next message, with the inflater if the connection may need it.
pub(super) fn decode<'a>(
    decoder: &'a mut Decoder,
    input: &'a mut [u8],
    limits: &Limits,
    inflater: Option<&'a mut LentInflater>,
) -> Result<(usize, Option<Message<'a>>), DecodeError> {
    match inflater {
        Some(inflater) => decoder.decode_with(input, limits, inflater),
        None => decoder.decode(input, limits),
    }
}

#[cfg(test)]
mod tests {
    use sockeye_proto::engine::Query;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A packet of one frame for many receivers, that counts how often it is compressed.
    #[derive(Default)]
    struct Broadcast {
        frame: OnceLock<Frame>,
        compressed: OnceLock<Frame>,
        count: AtomicUsize,
    }

    impl Broadcast {
        fn of(frame: Frame) -> Self {
            Self { frame: frame.into(), ..Self::default() }
        }
    }

    impl PacketFrames for &Broadcast {
        fn frames(self) -> impl Iterator<Item = Frame> {
            self.frame.get().cloned().into_iter()
        }

        fn deflated(
            &self,
            mut deflate: impl FnMut(&Frame) -> Option<Frame>,
        ) -> Option<impl Iterator<Item = (&Frame, &Frame)>> {
            let frame = self.frame.get()?;
            let compressed = self.compressed.get_or_init(|| {
                self.count.fetch_add(1, Ordering::Relaxed);
                deflate(frame).unwrap_or_else(|| frame.clone())
            });
            Some(iter::once((frame, compressed)))
        }
    }

    fn agree(settings: &PerMessageDeflate, offer: &str) -> DeflateAgreement {
        settings.negotiate([offer.as_bytes()]).unwrap()
    }

    fn queued(
        packet: impl PacketFrames,
        query: &str,
        settings: &PerMessageDeflate,
        offer: &str,
    ) -> Vec<u8> {
        let mut context = agree(settings, offer).sending(Role::Server);
        let dialect = Dialect::of(&Query::parse(query));
        let mut outbox = Outbox::new();
        push(packet, &dialect, settings, &mut context, &mut outbox);
        let queued = outbox.pieces().collect::<Vec<_>>().concat();
        assert_eq!(outbox.bytes(), queued.len());
        queued
    }

    const PLAIN: &str = "permessage-deflate";

    #[test]
    fn a_broadcast_is_compressed_once_for_all_who_keep_no_context() {
        let settings = PerMessageDeflate::new();
        let frame = Frame::text(&[b'4'; 5000]);
        let broadcast = Broadcast::of(frame.clone());
        let first = queued(&broadcast, "EIO=4", &settings, PLAIN);
        assert!(first.len() < 50 && first[0] == 0xc1);
        for _ in 0..999 {
            assert_eq!(queued(&broadcast, "EIO=4", &settings, PLAIN), first);
        }
        let narrow = "permessage-deflate; server_max_window_bits=10";
        assert_eq!(queued(&broadcast, "EIO=4", &settings, narrow), frame.as_bytes());
        assert_eq!(broadcast.count.load(Ordering::Relaxed), 1);
        let settings = settings.server_context_takeover(true);
        assert_eq!(queued(&broadcast, "EIO=4", &settings, PLAIN)[0], 0xc1);
        assert_eq!(broadcast.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_wants_other_frames_gets_those_compressed() {
        let settings = PerMessageDeflate::new();
        let broadcast = Broadcast::of(Frame::binary(&[7; 5000]));
        let bare = queued(&broadcast, "EIO=4", &settings, PLAIN);
        let base64 = queued(&broadcast, "EIO=4&b64=1", &settings, PLAIN);
        let revision_3 = queued(&broadcast, "EIO=3", &settings, PLAIN);
        assert_eq!([bare[0], base64[0], revision_3[0]], [0xc2, 0xc1, 0xc2]);
        assert_ne!(bare, revision_3);
        assert_eq!(queued(&broadcast, "EIO=4", &settings, PLAIN), bare);
    }

    #[test]
    fn a_packet_for_one_is_compressed_if_it_is_long() {
        let settings = PerMessageDeflate::new();
        let (short, long) = (Frame::text(&[b'4'; 1023]), Frame::text(&[b'4'; 1024]));
        assert_eq!(queued(short.clone(), "EIO=4", &settings, PLAIN), short.as_bytes());
        assert!(queued(long, "EIO=4", &settings, PLAIN).len() < 50);
    }
}

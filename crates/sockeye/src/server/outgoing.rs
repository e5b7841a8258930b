use std::sync::{Arc, OnceLock};

use sockeye_proto::engine::Dialect;
use sockeye_proto::socket::{Encoded, WrittenFrame};
use sockeye_proto::websocket::Frame;

use super::listeners::{Listener, OutgoingListener};
use super::recovery::{Recorded, Recovery};
use super::socket::Socket;
use crate::codec::{PacketForOne, with_event};
use crate::engine::{Outbox, PacketFrames, Panicked, catch};
use crate::limited::limited;

/// It is written behind what is queued for its receiver.
impl PacketFrames for PacketForOne<'_> {
    fn frames(self) -> impl Iterator<Item = Frame> {
        let packet = match self {
            Self::Written(packet) => packet.into_encoded(),
            Self::Translated(packet) => *packet,
        };
        packet.into_frames()
    }

    #[inline]
    fn queue(self, dialect: &Dialect, outbox: &mut Outbox) {
        match self {
            Self::Written(packet) => {
                // Text is the same in all dialects.
                outbox.push_own(packet.text());
                let as_it_is = dialect.takes_frames_as_they_are();
                for attachment in packet.attachments() {
                    match attachment {
                        WrittenFrame::Short(frame) if as_it_is => outbox.push_own(frame),
                        other => outbox.push(dialect.frame(other.to_frame())),
                    }
                }
            }
            Self::Translated(packet) => packet.queue(dialect, outbox),
        }
    }
}

/// A packet that nobody needs any more.
impl PacketFrames for Encoded {
    fn frames(self) -> impl Iterator<Item = Frame> {
        self.into_frames()
    }
}

/// A packet that may have many.
impl PacketFrames for &Encoded {
    fn frames(self) -> impl Iterator<Item = Frame> {
        Encoded::frames(self).cloned()
    }

    fn deflated(
        &self,
        deflate: impl FnMut(&Frame) -> Option<Frame>,
    ) -> Option<impl Iterator<Item = (&Frame, &Frame)>> {
        Some(Encoded::deflated(self, deflate))
    }
}

/// An event on its way out, written once, in the forms that its receivers need.
#[derive(Debug)]
pub(super) struct OutgoingEvent {
    packet: Encoded,
    /// With its offset, for those who may ask for it again.
    recorded: OnceLock<Arc<Recorded>>,
}

impl OutgoingEvent {
    pub(super) const fn new(packet: Encoded) -> Self {
        Self { packet, recorded: OnceLock::new() }
    }

    pub(super) const fn packet(&self) -> &Encoded {
        &self.packet
    }

    /// The form for those who may ask for it again.
    pub(super) fn recorded(&self, recovery: &Arc<Recovery>) -> &Arc<Recorded> {
        self.recorded.get_or_init(|| recovery.record(&self.packet))
    }

    /// Shows it to listeners of a socket; it is read back only if there are any.
    pub(super) fn show<'a>(
        &self,
        socket: &Socket,
        listeners: impl Iterator<Item = &'a Listener<OutgoingListener>>,
    ) {
        let mut listeners = listeners.peekable();
        if listeners.peek().is_none() {
            return;
        }
        with_event(&self.packet, |name, arguments| {
            for listener in listeners {
                let shown = catch(|| (listener.handler)(socket, name, arguments));
                if let Err(Panicked(message)) = shown {
                    limited!(
                        error,
                        message,
                        event = name,
                        "a listener of outgoing events panicked"
                    );
                }
            }
        });
    }
}

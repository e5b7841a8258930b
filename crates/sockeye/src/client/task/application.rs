use std::sync::Arc;
use std::task::Context;

use sockeye_proto::engine::{Message, TransportName};
use sockeye_proto::socket::{Incoming, Packet, TransportState};

use super::calls::Calls;
use super::{Asked, ask};
use crate::client::ManagerEvent;
use crate::client::shared::Shared;
use crate::client::socket::News;
use crate::codec::MessageDecoder;
use crate::engine::client::{ClientApplication, Outgoing, TransportError};

/// What a connection tells, on its way to the sockets.
pub(super) struct Application<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) decoder: &'a mut MessageDecoder,
    pub(super) calls: &'a mut Calls,
    pub(super) asking: &'a mut Asked,
    /// What the server sent is no Socket.IO packet, or not at this place (C-037).
    pub(super) violation: Option<String>,
}

impl ClientApplication for Application<'_> {
    fn opened(&mut self, _: &mut Context<'_>, outgoing: &mut Outgoing) {
        *self.decoder = self.shared.codec.decoder();
        let transport = outgoing.transport();
        self.shared.publish(TransportState::Writable, Some(transport));
        let attempt = self.shared.begin_connection();
        self.shared.tell(&ManagerEvent::Open { transport });
        if let Some(attempt) = attempt {
            self.shared.tell(&ManagerEvent::Reconnect(attempt));
        }
        for core in self.shared.sockets() {
            core.with_machine(|machine| machine.transport_opened());
        }
    }

    fn message(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing, message: Message<'_>) {
        if self.violation.is_some() {
            return;
        }
        let complete = match self.decoder.read(&message, self.shared.max_attachments) {
            Ok(Some(complete)) => complete,
            Ok(None) => return,
            Err(error) => return self.violated(error),
        };
        match complete.packet() {
            Ok(packet) => self.packet(cx, outgoing, packet),
            Err(error) => self.violated(error),
        }
    }

    fn pinged(&mut self) {
        self.shared.tell(&ManagerEvent::Ping);
    }

    fn upgraded(&mut self, transport: TransportName) {
        self.shared.tell(&ManagerEvent::Upgrade { transport });
    }

    fn upgrade_failed(&mut self, error: TransportError) {
        self.shared.tell(&ManagerEvent::UpgradeError(error));
    }

    /// What handlers and readers of streams have not kept up with stays in the kernel, and so with
    /// the server.
    fn takes_more(&self) -> bool {
        self.calls.len() < self.shared.max_running_handlers
            && self.calls.bytes() < self.shared.max_running_bytes
            && !self.shared.sockets().iter().any(|core| core.is_full())
    }
}

impl Application<'_> {
    fn packet(&mut self, cx: &mut Context<'_>, outgoing: &mut Outgoing, packet: Packet<'_>) {
        let Some(core) = self.shared.socket(packet.namespace) else { return };
        let now = self.shared.clock.now();
        let received = core.receive(now, packet);
        match received {
            Ok(Some(Incoming::Event { name, arguments, answer })) => {
                self.calls.event(cx, &core, &name, arguments, answer);
            }
            // Whoever waited may have given up just now.
            Ok(Some(Incoming::Answer { waiter, arguments })) => {
                drop(waiter.send(Ok(arguments.to_owned())));
            }
            Ok(None) => {}
            Err(violation) => return self.violated(violation),
        }
        while let Some(news) = core.next_news() {
            match news {
                News::AskAuth(request) => ask(self.shared, self.asking, &core, request),
                news => self.calls.news(cx, &core, news),
            }
        }
        outgoing.send(self.shared.take_outbox());
    }

    fn violated(&mut self, error: impl std::fmt::Display) {
        self.violation = Some(error.to_string());
    }
}

/// Whom a connection tells that says goodbye.
pub(super) struct Nobody;

impl ClientApplication for Nobody {
    fn opened(&mut self, _: &mut Context<'_>, _: &mut Outgoing) {}

    fn message(&mut self, _: &mut Context<'_>, _: &mut Outgoing, _: Message<'_>) {}
}

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sockeye_proto::Moment;
use sockeye_proto::socket::{
    Arguments, ClientNamespace, ClientNamespaceOptions, Decoder, Delivery, DropReason, Emit,
    Emitted, Encoded, Encoder, Outgoing, Overflow, Payload, Scratch, TransportState,
};

use super::network::{Event, Name, Network, Random};
use super::server::NAMES;

/// What became of an event that the program emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits to be sent.
    Kept,
    /// It was sent the last time in this connection.
    Sent(u32),
    /// It is lost, and the program knows.
    ToldLost,
}

/// One namespace of the client, and what its program knows.
pub(crate) struct Member {
    pub(crate) name: Name,
    pub(crate) machine: ClientNamespace<u32>,
    /// How often it has asked to be let in.
    pub(crate) connections: u32,
    /// What became of each event, by its number, and whether it is retried.
    pub(crate) fates: Vec<(Fate, bool)>,
    /// Numbers whose acknowledgements are awaited.
    pub(crate) waiters: BTreeSet<u32>,
    /// As whom it heard the last event, and which one is the next.
    track: Option<usize>,
    next: u32,
    last_id: String,
    /// The name of events that are retried: the server must answer who is patient.
    retried: Option<&'static str>,
}

impl Member {
    pub(crate) fn new(name: Name, random: &mut Random) -> Self {
        let (retries, is_patient) = (!random.one_in(3), random.one_in(3));
        let options = ClientNamespaceOptions {
            retries: random.below(4) as u32,
            ack_timeout: (!is_patient).then(|| Duration::from_millis(80)),
            max_buffered_bytes: random.choose(&[300, 1_000, 1 << 20]),
            overflow: random.choose(&[Overflow::Refuse, Overflow::DropOldest]),
            ..Default::default()
        };
        Self {
            name,
            machine: ClientNamespace::new(Arc::new(options)),
            connections: 0,
            fates: Vec::new(),
            waiters: BTreeSet::new(),
            track: None,
            next: 0,
            last_id: String::new(),
            retried: retries.then_some(if is_patient { "patient" } else { "retried" }),
        }
    }

    /// Emits the next event: what is to be sent at once.
    pub(crate) fn emit(&mut self, network: &mut Network, state: TransportState) -> Option<Encoded> {
        let number = self.fates.len() as u32;
        let (delivery, event) = match (network.random.below(10), self.retried) {
            (0 | 1, _) => (Delivery::Volatile, "volatile"),
            (2..5, Some(event)) => (Delivery::Retried { timeout: None }, event),
            _ => (Delivery::Plain, "plain"),
        };
        let is_retried = matches!(delivery, Delivery::Retried { .. });
        let waiter = network.random.one_in(2).then_some(number);
        let id = (waiter.is_some() || is_retried).then(|| self.machine.next_id());
        let data = number.is_multiple_of(4).then(|| Bytes::copy_from_slice(&number.to_be_bytes()));
        let mut scratch = Scratch::new();
        let packet = Encoder::new(&mut scratch, NAMES[self.name])
            .event(event, id, &(number, data))
            .expect("a number");
        let emit = Emit { outgoing: Outgoing { packet, compress: true }, id, waiter, delivery };
        self.fates.push((Fate::Kept, is_retried));
        self.waiters.extend(waiter);
        match self.machine.emit(network.now, emit, state) {
            Ok(Emitted::Send(outgoing)) => {
                let takes_it = matches!(state, TransportState::Writable | TransportState::Busy);
                assert!(takes_it, "sent although {state:?} (C-024)");
                self.sent(&outgoing.packet);
                self.plan_time_out(network, id, waiter);
                Some(outgoing.packet)
            }
            Ok(Emitted::Kept) => {
                self.plan_time_out(network, id, waiter);
                None
            }
            Ok(Emitted::Discarded) => {
                self.fates[number as usize].0 = Fate::ToldLost;
                None
            }
            Err(refused) => {
                assert_eq!(refused.waiter, waiter);
                self.fates[number as usize].0 = Fate::ToldLost;
                waiter.inspect(|number| self.resolved(*number));
                None
            }
        }
    }

    fn plan_time_out(&self, network: &mut Network, id: Option<u64>, waiter: Option<u32>) {
        if let (Some(id), Some(number)) = (id, waiter)
            && network.random.one_in(3)
        {
            network.plan_within(300, Event::ClientIsLate { name: self.name, id, number });
        }
    }

    /// The program does not wait any longer.
    pub(crate) fn is_late(&mut self, id: u64, number: u32) {
        if let Some(waiter) = self.machine.give_up(id) {
            assert_eq!(waiter, number);
            self.resolved(number);
            let (fate, is_retried) = &mut self.fates[number as usize];
            if *fate == Fate::Kept && !*is_retried {
                *fate = Fate::ToldLost;
            }
        }
    }

    pub(crate) fn resolved(&mut self, number: u32) {
        assert!(self.waiters.remove(&number), "{number} is resolved twice");
    }

    pub(crate) fn sent(&mut self, packet: &Encoded) {
        let number = number_of(packet);
        self.fates[number as usize].0 = Fate::Sent(self.connections);
    }

    pub(crate) fn dropped(&mut self, packet: &Encoded, reason: DropReason) {
        let (fate, is_retried) = &mut self.fates[number_of(packet) as usize];
        let may_be = match reason {
            DropReason::Overflow => *fate == Fate::Kept && !*is_retried,
            DropReason::RetriesUsedUp => *is_retried,
            DropReason::Abandoned => false,
        };
        assert!(may_be, "dropped for {reason:?} although {fate:?}");
        *fate = Fate::ToldLost;
    }

    /// The events of one connection, and of those that go on where it stopped: each once, in order,
    /// none left out.
    pub(crate) fn heard(&mut self, arguments: Arguments<'_>) {
        let (track, number, data): (usize, u32, Option<Bytes>) =
            arguments.decode().expect("numbers");
        assert!(data.is_none_or(|data| data[..] == number.to_be_bytes()), "other bytes");
        assert_eq!(self.machine.id(), Some(&*format!("id {track}")), "somebody else's event");
        if self.track.replace(track) != Some(track) {
            self.next = 0;
        }
        assert_eq!(number, self.next, "events come once, in order");
        self.next += 1;
    }

    pub(crate) fn connected(&mut self, recovered: bool) {
        let id = self.machine.id().expect("it is connected");
        assert_eq!(recovered, self.last_id == id, "{id} after {}", self.last_id);
        self.last_id = id.to_owned();
    }

    /// Whether nothing is left to be done.
    pub(crate) fn is_settled(&self) -> bool {
        self.machine.is_connected() && self.machine.buffered_bytes() == 0
    }

    pub(crate) fn deadline(&self) -> Option<Moment> {
        self.machine.deadline()
    }
}

/// Which event this is.
fn number_of(packet: &Encoded) -> u32 {
    let attachments: Vec<_> = packet.attachments().map(Bytes::copy_from_slice).collect();
    let text = str::from_utf8(packet.text()).expect("UTF-8");
    match Decoder::read_back(text, &attachments).expect("it was written here").payload {
        Payload::Event { arguments, .. } => arguments.decode().expect("a number"),
        other => panic!("{other:?} is no event"),
    }
}

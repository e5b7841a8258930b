//! How many sessions there may be, in all and from one address.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::handshake::Handshake;
use super::refusal::ConnectionErrorContext;
use super::server::Shared;

/// The places that are taken, as far as they are limited.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: AtomicUsize,
    of_addresses: Mutex<HashMap<IpAddr, usize, RandomState>>,
}

/// The place of a session that is being opened; given back unless the session keeps it.
pub(super) struct Place {
    shared: Arc<Shared>,
    address: Option<IpAddr>,
    kept: bool,
}

impl Place {
    /// Takes a place.
    pub(super) fn take(
        shared: &Arc<Shared>,
        handshake: &Handshake,
    ) -> Result<Self, ConnectionErrorContext> {
        let options = &shared.options;
        let address = handshake.address().map(|address| address.ip());
        let address = address.filter(|_| options.max_connections_per_address.is_some());
        let place = Self { shared: Arc::clone(shared), address, kept: false };
        let total = shared.places.taken.fetch_add(1, Ordering::AcqRel) + 1;
        let of_address = shared.places.take_of(address);
        if options.max_connections.is_some_and(|most| total > most) {
            return Err(ConnectionErrorContext::TooManyConnections { from_address: false });
        }
        if options.max_connections_per_address.is_some_and(|most| of_address > most) {
            return Err(ConnectionErrorContext::TooManyConnections { from_address: true });
        }
        Ok(place)
    }

    /// The session is open: it gives the place back when it is forgotten.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            self.shared.places.give_back(self.address);
        }
    }
}

impl Places {
    /// A session is forgotten.
    pub(super) fn leave(&self, shared: &Shared, handshake: &Handshake) {
        let limited = shared.options.max_connections_per_address.is_some();
        self.give_back(handshake.address().map(|address| address.ip()).filter(|_| limited));
    }

    fn take_of(&self, address: Option<IpAddr>) -> usize {
        let Some(address) = address else { return 0 };
        let mut of_addresses = self.of_addresses.lock();
        let taken = of_addresses.entry(address).or_default();
        *taken += 1;
        *taken
    }

    fn give_back(&self, address: Option<IpAddr>) {
        self.taken.fetch_sub(1, Ordering::AcqRel);
        let Some(address) = address else { return };
        let mut of_addresses = self.of_addresses.lock();
        if let Some(taken) = of_addresses.get_mut(&address) {
            *taken -= 1;
            if *taken == 0 {
                of_addresses.remove(&address);
            }
        }
    }
}

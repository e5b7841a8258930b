//! What the peer sent that it must not send.

use std::fmt;
use std::sync::Arc;

use sockeye_proto::engine::{CloseDetail, Input, Link as LinkName};
use sockeye_proto::websocket::DecodeError;

use super::{Session, State};
use crate::engine::counters::Count;

impl Session {
    /// Something came that is no packet. Whatever else of the kind was read with it is neither
    /// counted nor logged: the end is decided.
    pub(in crate::engine) fn undecodable(
        self: &Arc<Self>,
        link: LinkName,
        error: &dyn fmt::Display,
    ) {
        let mut state = self.lock();
        let first = state.listens_to(link);
        self.handle(&mut state, Input::Undecodable { link });
        drop(state);
        if first {
            self.shared.counters.add(Count::Undecodable, 1);
            tracing::debug!(%error, "undecodable packet");
        }
    }

    /// A WebSocket broke its rules: the peer is told the code.
    pub(in crate::engine) fn broken(self: &Arc<Self>, link: LinkName, error: DecodeError) {
        let (count, detail) = match error {
            DecodeError::TooLarge { size, limit } => {
                (Count::TooLarge, CloseDetail::PayloadTooLarge { size, limit })
            }
            _ => (Count::InvalidFrames, CloseDetail::InvalidFrame),
        };
        let mut state = self.lock();
        let first = state.listens_to(link);
        state.close_code = Some(error.close_code());
        self.handle(&mut state, Input::LinkFailed { link, detail });
        state.close_code = None;
        drop(state);
        if first {
            self.shared.counters.add(count, 1);
            tracing::debug!(%error, "broken WebSocket");
        }
    }
}

impl State {
    fn listens_to(&self, link: LinkName) -> bool {
        match link {
            LinkName::Active => self.machine.is_open(),
            LinkName::Candidate => self.candidate.is_some(),
        }
    }
}

//! Black-box tests of a Socket.IO server, spoken byte by byte.
//!
//! The library part holds what the tests under `tests/` are written with: raw HTTP and WebSocket
//! clients ([`raw`]), the server under test ([`Server`]) and tables of dialogues ([`Case`]). Nothing
//! here uses `sockeye`: the clients know the protocol only as far as a dialogue spells it out, so
//! that a mistake of ours cannot agree with itself.
//!
//! Every wait has a deadline, and a [`Failure`] says what was awaited and what was said before.
//!
//! | environment variable | meaning |
//! | --- | --- |
//! | `CONTRACT_SERVER` | command line of another server to test |
//! | `CONTRACT_OFFICIAL` | it is the official one: rows with a difference must *fail* |
//! | `CASE` | run only the rows whose name or ids contain this |

mod bystander;
mod case;
mod failure;
mod pattern;
pub mod raw;
pub mod reliability;
mod server;
pub mod table;

pub use case::{Case, Difference, run};
pub use failure::{Failure, Outcome};
pub use pattern::capture;
pub use server::{Mode, Server};

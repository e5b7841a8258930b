use std::fmt;

use super::context::DeflateContext;
use super::settings::PerMessageDeflate;
use crate::websocket::Role;
use crate::websocket::extensions::{self, Extension, Parameter};

/// What both ends of a connection have agreed on (RFC 7692 section 7.1).
///
/// Displayed, it is the value of the `Sec-WebSocket-Extensions` header that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateAgreement {
    pub(super) server_takeover: bool,
    pub(super) client_takeover: bool,
    /// How far back a message of this end may refer, if the header says so.
    pub(super) server_window_bits: Option<u8>,
    pub(super) client_window_bits: Option<u8>,
    /// How far back this end cares to refer.
    pub(super) context_bits: u8,
}

impl DeflateAgreement {
    /// What the end of this role keeps for what it sends.
    #[must_use]
    pub fn sending(&self, role: Role) -> DeflateContext {
        let (takeover, window_bits) = self.sent_by(role);
        let kept = takeover.then_some(window_bits.min(self.context_bits));
        DeflateContext::new(window_bits, kept)
    }

    /// How much of what it received the end of this role must keep, in bits of the number of bytes.
    /// `None`: nothing.
    pub(in crate::websocket) fn received_context_bits(&self, role: Role) -> Option<u8> {
        let (takeover, window_bits) = self.sent_by(match role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        });
        takeover.then_some(window_bits)
    }

    fn sent_by(&self, role: Role) -> (bool, u8) {
        let (takeover, window_bits) = match role {
            Role::Server => (self.server_takeover, self.server_window_bits),
            Role::Client => (self.client_takeover, self.client_window_bits),
        };
        (takeover, window_bits.unwrap_or(MAX_WINDOW_BITS))
    }
}

impl fmt::Display for DeflateAgreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if !self.server_takeover {
            write!(f, "; {SERVER_NO_TAKEOVER}")?;
        }
        if !self.client_takeover {
            write!(f, "; {CLIENT_NO_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_window_bits {
            write!(f, "; {SERVER_WINDOW}={bits}")?;
        }
        if let Some(bits) = self.client_window_bits {
            write!(f, "; {CLIENT_WINDOW}={bits}")?;
        }
        Ok(())
    }
}

impl PerMessageDeflate {
    /// Takes the first offer of a client that can be taken, for a server. `None`: there is none,
    /// and nothing is compressed.
    ///
    /// `offered` are the values of all its `Sec-WebSocket-Extensions` headers. One that is not
    /// well-formed offers nothing; `ws` refuses the connection for it.
    pub fn negotiate<'a>(
        &self,
        offered: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<DeflateAgreement> {
        offered
            .into_iter()
            .flat_map(|value| extensions::parse(value).unwrap_or_default())
            .find_map(|extension| Some(self.answer(&Parameters::read(&extension, Role::Server)?)))
    }

    fn answer(&self, offer: &Parameters) -> DeflateAgreement {
        let server_takeover = self.server_context_takeover && !offer.server_no_takeover;
        let client_takeover = self.client_context_takeover && !offer.client_no_takeover;
        // A client that did not say that it can is not to be told how much to remember.
        let can = offer.client_window_bits.is_some() || self.context_bits == MAX_WINDOW_BITS;
        let client_takeover = client_takeover && can;
        let client_window_bits = offer
            .client_window_bits
            .map(|bits| bits.min(self.context_bits))
            .filter(|bits| client_takeover && *bits < MAX_WINDOW_BITS);
        DeflateAgreement {
            server_takeover,
            client_takeover,
            server_window_bits: offer.server_window_bits,
            client_window_bits,
            context_bits: self.context_bits,
        }
    }
}

/// What a client offers, or a server answers.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) server_no_takeover: bool,
    pub(super) client_no_takeover: bool,
    /// The server is to refer no farther back.
    pub(super) server_window_bits: Option<u8>,
    /// The client is to refer no farther back; in an offer, it can be told so, or less.
    pub(super) client_window_bits: Option<u8>,
}

impl Parameters {
    /// What the end of role `reader` reads. `None`: it is about something else, or breaks a rule of
    /// section 7.1.
    pub(super) fn read(extension: &Extension<'_>, reader: Role) -> Option<Self> {
        if extension.name != NAME.as_bytes() {
            return None;
        }
        let mut read = Self::default();
        for (index, Parameter { name, value }) in extension.parameters.iter().enumerate() {
            let earlier = extension.parameters.iter().take(index);
            if earlier.into_iter().any(|earlier| earlier.name == *name) {
                return None;
            }
            read.take(std::str::from_utf8(name).ok()?, value.as_deref(), reader)?;
        }
        Some(read)
    }

    fn take(&mut self, name: &str, value: Option<&[u8]>, reader: Role) -> Option<()> {
        match (name, value) {
            (SERVER_NO_TAKEOVER, None) => self.server_no_takeover = true,
            (CLIENT_NO_TAKEOVER, None) => self.client_no_takeover = true,
            (SERVER_WINDOW, Some(bits)) => self.server_window_bits = Some(window_bits(bits)?),
            (CLIENT_WINDOW, None) if reader == Role::Server => {
                self.client_window_bits = Some(MAX_WINDOW_BITS)
            }
            (CLIENT_WINDOW, Some(bits)) => self.client_window_bits = Some(window_bits(bits)?),
            _ => return None,
        }
        Some(())
    }
}

/// A number from 8 to 15 without leading zeros (section 7.1.2).
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

pub(super) const NAME: &str = "permessage-deflate";
pub(super) const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
pub(super) const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
pub(super) const SERVER_WINDOW: &str = "server_max_window_bits";
pub(super) const CLIENT_WINDOW: &str = "client_max_window_bits";

/// A window of 2^15 bytes: what deflate can refer back to, and what applies if nobody says less.
pub(super) const MAX_WINDOW_BITS: u8 = 15;
/// The least that can be negotiated.
pub(super) const MIN_WINDOW_BITS: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(settings: &PerMessageDeflate, offers: &[&str]) -> String {
        let agreement = settings.negotiate(offers.iter().map(|offer| offer.as_bytes()));
        agreement.map_or_else(|| "none".to_owned(), |agreement| agreement.to_string())
    }

    const NO_TAKEOVER: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[test]
    fn by_default_no_context_is_taken_over() {
        let settings = PerMessageDeflate::new();
        for offer in [
            "permessage-deflate",
            // Browsers.
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate",
            "permessage-deflate; client_max_window_bits=\"15\"",
        ] {
            assert_eq!(answer(&settings, &[offer]), NO_TAKEOVER, "{offer}");
        }
        let starscream = "permessage-deflate; client_max_window_bits; server_max_window_bits=15";
        assert_eq!(
            answer(&settings, &[starscream]),
            format!("{NO_TAKEOVER}; server_max_window_bits=15")
        );
        assert_eq!(answer(&settings, &["other", "", "permessage-deflate"]), NO_TAKEOVER);
    }

    #[test]
    fn an_offer_that_breaks_a_rule_is_declined_and_the_next_is_looked_at() {
        let settings = PerMessageDeflate::new();
        for broken in [
            "permessage-deflate; unknown",
            "permessage-deflate; unknown=1",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=true",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=08",
            "permessage-deflate; client_max_window_bits=9.0",
            "permessage-deflate; client_max_window_bits=1000000000000000000000",
            "Permessage-Deflate",
            "deflate",
        ] {
            assert_eq!(answer(&settings, &[broken]), "none", "{broken}");
            let with_second = format!("{broken}, permessage-deflate; server_max_window_bits=9");
            let expected = format!("{NO_TAKEOVER}; server_max_window_bits=9");
            assert_eq!(answer(&settings, &[&with_second]), expected, "{broken}");
        }
        for malformed in ["permessage-deflate;", "permessage-deflate; a b", "permessage-deflate=1"]
        {
            assert_eq!(answer(&settings, &[malformed]), "none", "{malformed}");
            assert_eq!(answer(&settings, &[malformed, "permessage-deflate"]), NO_TAKEOVER);
        }
    }

    #[test]
    fn context_is_taken_over_if_both_want_it_and_no_more_is_kept_than_was_set() {
        let both = PerMessageDeflate::new()
            .server_context_takeover(true)
            .client_context_takeover(true)
            .context_bytes(4096);
        for (offer, expected) in [
            ("permessage-deflate; client_max_window_bits", "; client_max_window_bits=12"),
            ("permessage-deflate; client_max_window_bits=9", "; client_max_window_bits=9"),
            // Its context would be too large, and it cannot be told to keep less.
            ("permessage-deflate", "; client_no_context_takeover"),
            (
                "permessage-deflate; server_no_context_takeover; client_max_window_bits",
                "; server_no_context_takeover; client_max_window_bits=12",
            ),
            (
                "permessage-deflate; client_no_context_takeover; client_max_window_bits",
                "; client_no_context_takeover",
            ),
            (
                "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
                "; server_max_window_bits=10; client_max_window_bits=12",
            ),
        ] {
            assert_eq!(answer(&both, &[offer]), format!("permessage-deflate{expected}"), "{offer}");
        }
        let large = both.context_bytes(32_768);
        for offer in ["permessage-deflate", "permessage-deflate; client_max_window_bits"] {
            assert_eq!(answer(&large, &[offer]), "permessage-deflate");
        }
    }
}

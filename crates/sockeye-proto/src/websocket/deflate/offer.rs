//! Compression seen from the client: what it offers, and what a server has made of it.

use super::negotiation::{
    CLIENT_NO_TAKEOVER, CLIENT_WINDOW, DeflateAgreement, MAX_WINDOW_BITS, NAME, Parameters,
    SERVER_NO_TAKEOVER, SERVER_WINDOW,
};
use super::settings::PerMessageDeflate;
use crate::websocket::handshake::ResponseError;
use crate::websocket::{Role, extensions};

impl PerMessageDeflate {
    /// The value of the `Sec-WebSocket-Extensions` header with which a client offers compression
    /// (RFC 7692 section 7.1). Whatever a server makes of it is taken by [`accept`](Self::accept).
    #[must_use]
    pub fn offer(&self) -> String {
        let mut offer = format!("{NAME}; {CLIENT_WINDOW}");
        let mut add = |parameter: &str| {
            offer.push_str("; ");
            offer.push_str(parameter);
        };
        if !self.server_context_takeover {
            add(SERVER_NO_TAKEOVER);
        } else if self.context_bits < MAX_WINDOW_BITS {
            // What the server may refer to must be kept here.
            add(&format!("{SERVER_WINDOW}={}", self.context_bits));
        }
        if !self.client_context_takeover {
            add(CLIENT_NO_TAKEOVER);
        }
        offer
    }

    /// Reads what a server has made of the [`offer`](Self::offer). `None`: it does not compress.
    ///
    /// `answered` are the values of all its `Sec-WebSocket-Extensions` headers.
    ///
    /// # Errors
    /// [`ResponseError::Extension`] if it takes something else than was offered.
    pub fn accept<'a>(
        &self,
        answered: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<DeflateAgreement>, ResponseError> {
        let mut agreement = None;
        for value in answered {
            for extension in extensions::parse(value).ok_or(ResponseError::Extension)? {
                let answer = Parameters::read(&extension, Role::Client);
                let answer = answer.ok_or(ResponseError::Extension)?;
                let second = agreement.replace(self.take(&answer)).is_some();
                if second {
                    return Err(ResponseError::Extension);
                }
            }
        }
        Ok(agreement)
    }

    /// A server that refers farther back than it was asked to should have declined. It is understood
    /// all the same, and only costs memory here.
    const fn take(&self, answer: &Parameters) -> DeflateAgreement {
        DeflateAgreement {
            server_takeover: !answer.server_no_takeover,
            client_takeover: self.client_context_takeover && !answer.client_no_takeover,
            server_window_bits: answer.server_window_bits,
            client_window_bits: answer.client_window_bits,
            context_bits: self.context_bits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(settings: &PerMessageDeflate, answers: &[&str]) -> Result<String, ResponseError> {
        let agreement = settings.accept(answers.iter().map(|answer| answer.as_bytes()))?;
        Ok(agreement.map_or_else(|| "none".to_owned(), |agreement| agreement.to_string()))
    }

    const NO_TAKEOVER: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn both() -> PerMessageDeflate {
        PerMessageDeflate::new().server_context_takeover(true).client_context_takeover(true)
    }

    #[test]
    fn an_offer_says_what_the_settings_say() {
        let start = "permessage-deflate; client_max_window_bits";
        for (settings, rest) in [
            (PerMessageDeflate::new(), "; server_no_context_takeover; client_no_context_takeover"),
            (both(), "; server_max_window_bits=12"),
            (both().context_bytes(32_768), ""),
            (both().server_context_takeover(false), "; server_no_context_takeover"),
        ] {
            assert_eq!(settings.offer(), format!("{start}{rest}"));
        }
    }

    #[test]
    fn what_a_server_makes_of_an_offer_is_taken() {
        for settings in [PerMessageDeflate::new(), both(), both().context_bytes(32_768)] {
            for server in [PerMessageDeflate::new(), both(), both().context_bytes(1024)] {
                let offer = settings.offer();
                let answer = server.negotiate([offer.as_bytes()]).unwrap();
                let accepted = settings.accept([answer.to_string().as_bytes()]).unwrap().unwrap();
                assert_eq!(accepted.to_string(), answer.to_string(), "{offer}");
            }
        }
        assert_eq!(accept(&both(), &[]).unwrap(), "none");
        assert_eq!(accept(&PerMessageDeflate::new(), &[NO_TAKEOVER, ""]).unwrap(), NO_TAKEOVER);
        // Whoever does not refer back need not be told not to, and may be.
        let without = "permessage-deflate; server_no_context_takeover; client_max_window_bits=9";
        assert_eq!(
            accept(&PerMessageDeflate::new(), &[without]).unwrap(),
            format!("{NO_TAKEOVER}; client_max_window_bits=9")
        );
        assert_eq!(accept(&both(), &[NO_TAKEOVER]).unwrap(), NO_TAKEOVER);
        // A server that refers back although it was asked not to is understood.
        let refers_back = "permessage-deflate; client_no_context_takeover";
        assert_eq!(accept(&PerMessageDeflate::new(), &[refers_back]).unwrap(), refers_back);
    }

    #[test]
    fn what_was_not_offered_is_refused() {
        for answer in [
            "x-webkit-deflate-frame",
            "permessage-deflate; unknown",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;",
        ] {
            assert_eq!(accept(&both(), &[answer]), Err(ResponseError::Extension), "{answer}");
        }
        let settings = PerMessageDeflate::new();
        assert_eq!(accept(&settings, &[NO_TAKEOVER, NO_TAKEOVER]), Err(ResponseError::Extension));
    }
}

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Random bytes of an id: 120 bits, so that nobody guesses one.
const BYTES: usize = 15;
/// Ids that one question to the operating system pays for.
const IDS_PER_FILL: usize = 32;

/// An id of a session or a socket: 20 characters of URL-safe base64, as the reference's (E-004),
/// but all of it random; or a text that somebody else chose.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Id(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// Twenty bytes of text, as nearly all ids are.
    Short([u8; Id::LEN]),
    /// Any other text.
    Long(Box<str>),
}

impl Id {
    pub(crate) const LEN: usize = 20;

    /// A new id from the operating system's random numbers.
    ///
    /// # Panics
    /// If the operating system has none to give: no id could be trusted then.
    pub(crate) fn random() -> Self {
        let mut id = [0; Self::LEN];
        let random = RANDOM.with_borrow_mut(Pool::take);
        // 15 bytes are exactly 20 characters.
        let _ = URL_SAFE_NO_PAD.encode_slice(random, &mut id);
        Self(Kind::Short(id))
    }

    /// The id that reads like this.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(match text.as_bytes().try_into() {
            Ok(short) => Kind::Short(short),
            Err(_) => Kind::Long(text.into()),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Short(text) => std::str::from_utf8(text).unwrap_or_default(),
            Kind::Long(text) => text,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Short(text) => text,
            Kind::Long(text) => text.as_bytes(),
        }
    }
}

/// As the bytes of its text, so that a map of ids can be asked by them, without a look at whether they
/// are text.
impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Borrow<[u8]> for Id {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

thread_local! {
    static RANDOM: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; BYTES * IDS_PER_FILL], left: 0 }) };
}

/// Random bytes that were fetched and not yet used.
struct Pool {
    bytes: [u8; BYTES * IDS_PER_FILL],
    left: usize,
}

impl Pool {
    fn take(&mut self) -> [u8; BYTES] {
        if self.left == 0 {
            getrandom::fill(&mut self.bytes).expect("the operating system gives random numbers");
            self.left = IDS_PER_FILL;
        }
        self.left -= 1;
        let start = self.left * BYTES;
        let mut taken = [0; BYTES];
        taken.copy_from_slice(&self.bytes[start..start + BYTES]);
        self.bytes[start..start + BYTES].fill(0);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_hashed_and_found_as_its_bytes_are() {
        let hasher = std::hash::RandomState::new();
        let hash = |id: &Id| std::hash::BuildHasher::hash_one(&hasher, id);
        for text in ["", "exactly twenty chars", "/chat#longer than twenty"] {
            let id = Id::from_text(text);
            assert_eq!(hash(&id), std::hash::BuildHasher::hash_one(&hasher, text.as_bytes()));
            let ids = std::collections::HashSet::from([id]);
            assert!(ids.contains(text.as_bytes()));
        }
    }

    #[test]
    fn ids_are_20_url_safe_characters_and_differ() {
        let ids: std::collections::HashSet<_> = (0..1_000).map(|_| Id::random()).collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            let safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            assert!(id.as_str().len() == 20 && id.as_str().bytes().all(safe));
            assert!(Id::from_text(id.as_str()) == id);
        }
        for text in ["", "short", "exactly twenty chars", "éééééééééé", "/chat#longer than twenty"]
        {
            assert_eq!(Id::from_text(text).as_str(), text);
        }
    }
}

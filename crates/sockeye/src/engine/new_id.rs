//! Ids that the program chooses: checked, and held until their session is open.

use std::sync::Arc;

use super::handshake::Handshake;
use super::hooks::IdGenerationError;
use super::id::Id;
use super::refusal::ConnectionErrorContext;
use super::server::Shared;

/// Bytes that an id may have.
const MAX_ID_BYTES: usize = 128;

/// The id of a session that is about to be opened.
pub(super) struct NewId {
    id: Id,
    /// Where it is held, if it could be chosen twice.
    held_by: Option<Arc<Shared>>,
}

impl NewId {
    /// An id that nobody has: a random one, or what `generate_id` says.
    pub(super) async fn make(
        shared: &Arc<Shared>,
        handshake: &Handshake,
    ) -> Result<Self, ConnectionErrorContext> {
        let Some(generate) = &shared.options.generate_id else {
            return Ok(Self { id: Id::random(), held_by: None });
        };
        let chosen = match generate.ask(handshake).await {
            Ok(text) => Self::hold(shared, &text),
            Err(error) => Err(error),
        };
        chosen.map_err(|IdGenerationError(reason)| ConnectionErrorContext::IdGeneration(reason))
    }

    fn hold(shared: &Arc<Shared>, text: &str) -> Result<Self, IdGenerationError> {
        check(text).map_err(IdGenerationError::new)?;
        let id = Id::from_text(text);
        if !shared.hold_id(&id) {
            return Err(IdGenerationError::new("the id is that of another session"));
        }
        Ok(Self { id, held_by: Some(Arc::clone(shared)) })
    }

    pub(super) const fn id(&self) -> &Id {
        &self.id
    }
}

/// By now its session is open, or never will be.
impl Drop for NewId {
    fn drop(&mut self) {
        if let Some(shared) = &self.held_by {
            shared.let_go_of_id(&self.id);
        }
    }
}

/// An id stands in URLs, in JSON and in a cookie, and needs no escape in any of them.
fn check(text: &str) -> Result<(), &'static str> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    match text.len() {
        0 => Err("the id is empty"),
        1..=MAX_ID_BYTES if text.bytes().all(is_safe) => Ok(()),
        1..=MAX_ID_BYTES => Err("the id has a character that URLs do not take"),
        _ => Err("the id is longer than 128 bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn an_id_needs_no_escape_anywhere() {
        for good in ["a", "node-1.YDdIvTwz8yhywqJeAAAA", "A~_9", &"x".repeat(128)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "x".repeat(129);
        for bad in ["", "a b", "a\"b", "a&b", "a=b", "a+b", "a%20", "a\0", "é", "a/b", "a,b", &long]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}

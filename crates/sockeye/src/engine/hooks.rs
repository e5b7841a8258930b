//! What a program can have a say in: who may connect, which ids there are, which headers are sent,
//! and what is refused.
//!
//! A hook that panics is logged, and harms nobody but the request that it was asked about.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, request};

use super::caught::{Caught, Panicked, catch};
use super::handshake::Handshake;
use super::refusal::{ConnectionError, ConnectionErrorContext};
use crate::limited::limited;

type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Question<T> = Arc<dyn Fn(Handshake) -> Answer<T> + Send + Sync>;

/// Decides whether a client may open a session (E-017).
///
/// It is asked once for each session, about its first request, when all else about that was found
/// to be in order; never about later requests or upgrades. The client waits for the answer; one that
/// gives up has the future dropped. A panic refuses.
#[derive(Clone)]
pub struct AllowRequest(Question<Result<(), RequestRefused>>);

impl AllowRequest {
    /// Asks this function.
    pub fn new<F, R>(check: F) -> Self
    where
        F: Fn(Handshake) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), RequestRefused>> + Send + 'static,
    {
        Self(Arc::new(move |handshake| Box::pin(check(handshake))))
    }

    pub(super) async fn ask(&self, handshake: &Handshake) -> Result<(), ConnectionErrorContext> {
        match ask(&self.0, handshake).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(RequestRefused(message))) => Err(ConnectionErrorContext::Forbidden(message)),
            Err(Panicked(message)) => {
                limited!(error, message, "allow_request panicked; the client is refused");
                Err(ConnectionErrorContext::Forbidden(None))
            }
        }
    }
}

/// A client may not open a session, and what it is told (E-034).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestRefused(Option<String>);

impl RequestRefused {
    /// With this message; an empty one is `Forbidden`, as is that of [`RequestRefused::default`].
    pub fn new(message: impl Into<String>) -> Self {
        Self(Some(message.into()).filter(|message| !message.is_empty()))
    }
}

impl From<&str> for RequestRefused {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for RequestRefused {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// Makes the id of a session (E-005).
///
/// > **The id is the session's only credential: who knows it can take the session over.** It must not
/// > be guessable; at least 120 of its bits should be random, as those of the ids made here are.
///
/// An id is refused, and with it the client (code 3), if it is empty or longer than 128 bytes, has
/// other characters than `A`–`Z`, `a`–`z`, `0`–`9`, `-`, `.`, `_` and `~`, or belongs to an open
/// session. A panic refuses too.
#[derive(Clone)]
pub struct GenerateId(Question<Result<String, IdGenerationError>>);

impl GenerateId {
    /// Asks this function. One that has nothing to wait for is an `async` one without an `await`.
    pub fn new<F, R>(generate: F) -> Self
    where
        F: Fn(Handshake) -> R + Send + Sync + 'static,
        R: Future<Output = Result<String, IdGenerationError>> + Send + 'static,
    {
        Self(Arc::new(move |handshake| Box::pin(generate(handshake))))
    }

    pub(super) async fn ask(&self, handshake: &Handshake) -> Result<String, IdGenerationError> {
        ask(&self.0, handshake).await.unwrap_or_else(|Panicked(message)| {
            limited!(error, message, "generate_id panicked; the client is refused");
            Err(IdGenerationError::new("it panicked"))
        })
    }
}

/// Why a session got no id. The client is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdGenerationError(pub(super) String);

impl IdGenerationError {
    /// For this reason: an error, or a text.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for IdGenerationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for IdGenerationError {}

/// Changes the headers of a response before it is sent (E-046).
///
/// It sees those that will be sent, CORS and cookie included, and the request that is answered.
#[derive(Clone)]
pub struct HeadersHook(Arc<ChangeHeaders>);

type ChangeHeaders = dyn Fn(&mut HeaderMap, &request::Parts) + Send + Sync;

impl HeadersHook {
    /// Calls this function.
    pub fn new(change: impl Fn(&mut HeaderMap, &request::Parts) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    pub(super) fn call(&self, headers: &mut HeaderMap, request: &request::Parts) {
        if let Err(Panicked(message)) = catch(|| (self.0)(headers, request)) {
            limited!(error, message, "a hook for headers panicked");
        }
    }
}

/// Is told of each request that is refused (E-038).
#[derive(Clone)]
pub struct ConnectionErrorHook(Arc<dyn Fn(&ConnectionError<'_>) + Send + Sync>);

impl ConnectionErrorHook {
    /// Calls this function. It must not block: the client waits for its answer.
    pub fn new(report: impl Fn(&ConnectionError<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    pub(super) fn call(&self, error: &ConnectionError<'_>) {
        if let Err(Panicked(message)) = catch(|| (self.0)(error)) {
            limited!(error, message, "the hook connection_error panicked");
        }
    }
}

async fn ask<T>(question: &Question<T>, handshake: &Handshake) -> Result<T, Panicked> {
    let answer = catch(|| question(handshake.clone()))?;
    Caught(answer).await
}

macro_rules! opaque {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque! { AllowRequest GenerateId HeadersHook ConnectionErrorHook }

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use sockeye_proto::socket::ConnectRefused;

use crate::event::Work;

/// What a socket says of itself when it connects: a JSON object, or nothing (C-040).
#[derive(Clone, Default)]
pub(super) enum Auth {
    #[default]
    None,
    /// Always the same.
    Fixed(Arc<str>),
    /// Asked for at each connect.
    Asked(Arc<dyn Fn() -> Work<Answer> + Send + Sync>),
}

/// A JSON object.
pub(super) type Answer = Result<Option<Arc<str>>, ConnectRefused>;

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Fixed(_) => "Fixed",
            Self::Asked(_) => "Asked",
        })
    }
}

impl Auth {
    pub(super) fn fixed(value: impl Serialize) -> Result<Self, ConnectRefused> {
        object(value).map(Self::Fixed)
    }

    pub(super) fn asked<F, Fut, V, E>(ask: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        V: Serialize,
        E: fmt::Display,
    {
        Self::Asked(Arc::new(move || {
            let asked = ask();
            Box::pin(async move {
                let value = asked.await.map_err(|error| failed(&error))?;
                object(value).map(Some)
            })
        }))
    }

    /// Begins to ask. Never panics by itself; what it asks may.
    pub(super) fn ask(&self) -> Work<Answer> {
        match self {
            Self::None => Box::pin(std::future::ready(Ok(None))),
            Self::Fixed(value) => Box::pin(std::future::ready(Ok(Some(Arc::clone(value))))),
            Self::Asked(ask) => ask(),
        }
    }
}

fn object(value: impl Serialize) -> Result<Arc<str>, ConnectRefused> {
    let json = serde_json::to_string(&value).map_err(|error| failed(&error))?;
    if json.starts_with('{') { Ok(json.into()) } else { Err(failed(&"it is no JSON object")) }
}

/// What a socket wants to say of itself cannot be had.
pub(super) fn failed(error: &dyn fmt::Display) -> ConnectRefused {
    ConnectRefused { message: format!("auth failed: {error}"), data: None }
}

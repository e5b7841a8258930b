//! Which namespaces a server has: those that the program asked for, and those that clients ask for
//! and patterns allow.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value as Json;

use super::namespace::{Children, Kind, Namespace, OnDrop, SharedHandlers, WeakNamespace};
use super::server::Server;
use crate::engine::{Caught, Panicked, catch};
use crate::event::Work;
use crate::limited::limited;

/// A namespace by its name.
pub(super) enum Entry {
    /// The program asked for it: it stays.
    Kept(Namespace),
    /// A client asked for it: it goes when nobody holds it any more.
    Made(WeakNamespace),
}

impl Entry {
    fn namespace(&self) -> Option<Namespace> {
        match self {
            Self::Kept(namespace) => Some(namespace.clone()),
            Self::Made(namespace) => namespace.upgrade(),
        }
    }
}

/// Namespaces that are made when a client asks for them.
#[derive(Clone)]
pub(super) struct Pattern {
    matches: Matcher,
    handlers: Arc<SharedHandlers>,
}

/// What says whether a client may have the namespace that it asks for.
#[derive(Clone)]
pub(super) enum Matcher {
    Now(Arc<dyn Fn(&str) -> bool + Send + Sync>),
    /// By the name and the client's JSON object.
    Later(Arc<dyn Fn(String, Json) -> Work<bool> + Send + Sync>),
}

/// What a server says when it is asked for a namespace.
pub(super) enum Found {
    Namespace(Namespace),
    /// Asynchronous patterns have to be asked.
    Undecided,
    Nothing,
}

impl Server {
    /// The namespace with this name; it exists from now on. A missing leading slash is added
    /// (S-032).
    pub fn of(&self, name: &str) -> Namespace {
        let name = if name.starts_with('/') { name } else { &format!("/{name}") };
        if let Some(Entry::Kept(namespace)) = self.0.namespaces.read().get(name) {
            return namespace.clone();
        }
        let handlers = self.pattern_handlers(name).unwrap_or_default();
        let mut namespaces = self.0.namespaces.write();
        let known = namespaces.get(name).and_then(Entry::namespace);
        let is_new = known.is_none();
        let namespace = known.unwrap_or_else(|| self.namespace(name, &handlers, Kind::Kept));
        namespaces.insert(name.into(), Entry::Kept(namespace.clone()));
        drop(namespaces);
        if is_new {
            self.announce(&namespace);
        }
        namespace
    }

    /// Namespaces whose names satisfy `matches`; each exists from the first client on that asks
    /// for it, until the last has left, with the handlers that are given to the one returned here
    /// (S-034).
    ///
    /// Patterns are tried in the order in which they were given; namespaces that exist go first.
    /// The names are chosen by clients, up to 1 KiB long; a `matches` that panics says no.
    pub fn of_matching(&self, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Namespace {
        self.add_pattern(Matcher::Now(Arc::new(matches)))
    }

    /// The same with an asynchronous function, which gets the name and what the client sent along
    /// when it asked (S-034).
    ///
    /// Calling [`of`](Self::of) with such a name makes a namespace without these handlers, since
    /// nobody is asked then.
    pub fn of_matching_async<F>(
        &self,
        matches: impl Fn(String, Json) -> F + Send + Sync + 'static,
    ) -> Namespace
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let matches = move |name, auth| -> Work<bool> { Box::pin(matches(name, auth)) };
        self.add_pattern(Matcher::Later(Arc::new(matches)))
    }

    fn add_pattern(&self, matches: Matcher) -> Namespace {
        let handlers = Arc::<SharedHandlers>::default();
        let pattern = Pattern { matches, handlers: Arc::clone(&handlers) };
        self.0.patterns.rcu(|patterns| {
            let mut patterns = Vec::clone(patterns);
            patterns.push(pattern.clone());
            patterns
        });
        // It carries the handlers; nobody is ever in it, but what is emitted to it goes to all
        // that are in its children.
        let name = format!("/_{}", self.0.patterns.load().len() - 1);
        let (server, shared) = (Arc::downgrade(&self.0), Arc::downgrade(&handlers));
        let children: Children = Box::new(move || match (server.upgrade(), shared.upgrade()) {
            (Some(server), Some(handlers)) => Self(server).children(&handlers),
            _ => Vec::new(),
        });
        self.namespace(&name, &handlers, Kind::Pattern(children))
    }

    /// All namespaces that have handlers or sockets. Who lets go of one as the last takes the
    /// table's lock to forget it, so it is not held any more.
    pub(super) fn all_namespaces(&self) -> Vec<Namespace> {
        self.0.namespaces.read().values().filter_map(Entry::namespace).collect()
    }

    /// How many namespaces patterns have made that are still there.
    pub(super) fn count_dynamic_namespaces(&self) -> usize {
        let is_made = |entry: &&Entry| matches!(entry, Entry::Made(made) if !made.is_dead());
        self.0.namespaces.read().values().filter(is_made).count()
    }

    /// The namespaces that share these handlers.
    fn children(&self, handlers: &Arc<SharedHandlers>) -> Vec<Namespace> {
        let mut all = self.all_namespaces();
        all.retain(|namespace| Arc::ptr_eq(namespace.shared_handlers(), handlers));
        all
    }

    /// Calls `hook` with each namespace that comes to be from now on (S-033), also those that
    /// patterns make, instead of any hook given before.
    pub fn on_new_namespace(&self, hook: impl Fn(&Namespace) + Send + Sync + 'static) -> &Self {
        let before = self.0.on_new_namespace.write().replace(Arc::new(hook));
        // What it owns is dropped after the lock.
        drop(before);
        self
    }

    fn announce(&self, namespace: &Namespace) {
        let hook = self.0.on_new_namespace.read().clone();
        if let Some(hook) = hook
            && let Err(Panicked(message)) = catch(|| hook(namespace))
        {
            limited!(error, message, "the on_new_namespace hook panicked");
        }
    }

    /// The namespace that a client asks for, if it exists or a pattern lets it.
    pub(super) fn find(&self, name: &str) -> Found {
        let known = self.0.namespaces.read().get(name).and_then(Entry::namespace);
        if let Some(known) = known {
            return Found::Namespace(known);
        }
        let patterns = self.0.patterns.load();
        for pattern in patterns.iter() {
            match &pattern.matches {
                Matcher::Later(_) => return Found::Undecided,
                Matcher::Now(matches) if accepts(&**matches, name) => {
                    return Found::Namespace(self.make(name, &pattern.handlers));
                }
                Matcher::Now(_) => {}
            }
        }
        Found::Nothing
    }

    /// The same, asking asynchronous patterns too, in their order.
    pub(super) async fn find_later(&self, name: String, auth: Json) -> Option<Namespace> {
        let patterns = self.0.patterns.load_full();
        for pattern in patterns.iter() {
            let accepted = match &pattern.matches {
                Matcher::Now(matches) => accepts(&**matches, &name),
                Matcher::Later(matches) => {
                    let started = catch(|| matches(name.clone(), auth.clone()));
                    let decided = match started {
                        Ok(work) => Caught(work).await,
                        Err(panicked) => Err(panicked),
                    };
                    decided.unwrap_or_else(|panicked| refuse(&name, panicked))
                }
            };
            if accepted {
                return Some(self.make(&name, &pattern.handlers));
            }
        }
        None
    }

    fn pattern_handlers(&self, name: &str) -> Option<Arc<SharedHandlers>> {
        let patterns = self.0.patterns.load_full();
        let accepts = |pattern: &&Pattern| match &pattern.matches {
            Matcher::Now(matches) => accepts(&**matches, name),
            Matcher::Later(_) => false,
        };
        patterns.iter().find(accepts).map(|pattern| Arc::clone(&pattern.handlers))
    }

    /// Of two that ask at once, one makes the namespace and both get it.
    fn make(&self, name: &str, handlers: &Arc<SharedHandlers>) -> Namespace {
        let mut namespaces = self.0.namespaces.write();
        if let Some(known) = namespaces.get(name).and_then(Entry::namespace) {
            return known;
        }
        let server = Arc::downgrade(&self.0);
        let forget: OnDrop = Box::new(move |name| {
            if let Some(server) = server.upgrade() {
                Self(server).forget(name);
            }
        });
        let namespace = self.namespace(name, handlers, Kind::Made(forget));
        namespaces.insert(name.into(), Entry::Made(namespace.downgrade()));
        drop(namespaces);
        self.announce(&namespace);
        namespace
    }

    /// Nobody holds a namespace of this name any more, unless it has been made again.
    fn forget(&self, name: &str) {
        let mut namespaces = self.0.namespaces.write();
        if let Some(Entry::Made(namespace)) = namespaces.get(name)
            && namespace.is_dead()
        {
            namespaces.remove(name);
        }
    }

    fn namespace(&self, name: &str, handlers: &Arc<SharedHandlers>, kind: Kind) -> Namespace {
        let adapter = Arc::clone(&self.0.adapter);
        let pending = self.0.options.max_pending_acknowledgements;
        let (codec, counters) = (self.codec().clone(), Arc::clone(self.counters()));
        Namespace::new(name, Arc::clone(handlers), adapter, codec, counters, pending, kind)
    }
}

/// Whether a pattern accepts a name; one that panics does not.
fn accepts(matches: &(dyn Fn(&str) -> bool + Send + Sync), name: &str) -> bool {
    catch(|| matches(name)).unwrap_or_else(|panicked| refuse(name, panicked))
}

fn refuse(name: &str, Panicked(message): Panicked) -> bool {
    limited!(error, name, message, "a namespace pattern panicked");
    false
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// A namespace that is seen may be gone the next moment: who looks through all of them may then
    /// be the last to let go of one.
    #[test]
    fn namespaces_can_be_looked_through_while_others_come_and_go() {
        let io = Server::new();
        let pattern = io.of_matching(|name| name.starts_with("/a"));
        let handlers = Arc::<SharedHandlers>::default();
        let (done, all_done) = mpsc::channel();
        for number in 0..2 {
            let (io, handlers, made) = (io.clone(), Arc::clone(&handlers), done.clone());
            thread::spawn(move || {
                let name = format!("/b-{number}");
                (0..100_000).for_each(|_| drop(io.make(&name, &handlers)));
                made.send(())
            });
            let (pattern, done) = (pattern.clone(), done.clone());
            thread::spawn(move || {
                (0..100_000).for_each(|_| drop(pattern.sockets()));
                done.send(())
            });
        }
        for _ in 0..4 {
            all_done.recv_timeout(Duration::from_secs(30)).expect("nobody waits for ever");
        }
    }
}

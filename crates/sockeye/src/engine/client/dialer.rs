use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sockeye_proto::engine::TransportName;

use super::error::TransportCause;
use super::http::{Cookies, HttpClient};
use super::options::ConnectOptions;
use super::query::request_url;
use super::target::Target;

/// What all connections of a manager have in common: where to, how, cookies, and whether WebSocket
/// worked. A clone is the same dialer.
#[derive(Clone, Debug)]
pub(crate) struct Dialer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    target: Target,
    options: Arc<ConnectOptions>,
    cookies: Option<Cookies>,
    /// The last connection had a WebSocket, and there was no error since (C-008).
    websocket_worked: AtomicBool,
}

impl Dialer {
    /// Does nothing that can fail or take time: what is wrong shows itself as the end of a connection.
    pub(crate) fn new(target: Target, options: Arc<ConnectOptions>) -> Self {
        let origin = target.origin();
        let cookies = options.cookies.then(|| Cookies::new(&origin, &options.headers));
        let websocket_worked = AtomicBool::new(false);
        Self(Arc::new(Shared { target, options, cookies, websocket_worked }))
    }

    pub(super) fn options(&self) -> &ConnectOptions {
        &self.0.options
    }

    /// An HTTP client for one connection. It has a pool of its own, so that nothing of a connection
    /// outlives it, and is dropped when the connection is a WebSocket, so that it costs nothing then.
    pub(super) fn client(&self) -> Result<HttpClient, TransportCause> {
        let Shared { target, options, cookies, .. } = &*self.0;
        HttpClient::new(options, target.is_secure(), cookies.as_ref())
    }

    pub(super) fn url(&self, transport: TransportName, sid: Option<&str>) -> String {
        request_url(&self.0.target, &self.0.options, transport, sid)
    }

    /// Which transports to try, in order (C-006 to C-008).
    pub(super) fn transports(&self) -> Vec<TransportName> {
        let options = self.options();
        let mut transports = options.transports.clone();
        let websocket = transports.iter().position(|name| *name == TransportName::WebSocket);
        if let Some(at) = websocket.filter(|_| options.remember_upgrade && self.worked()) {
            transports.swap(0, at);
        }
        transports.truncate(if options.try_all_transports { usize::MAX } else { 1 });
        transports
    }

    fn worked(&self) -> bool {
        self.0.websocket_worked.load(Ordering::Relaxed)
    }

    /// Remembers whether the connection has a WebSocket, or had an error.
    pub(super) fn remember(&self, websocket: bool) {
        self.0.websocket_worked.store(websocket, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [TransportName; 2] = [TransportName::Polling, TransportName::WebSocket];

    fn transports(options: ConnectOptions, worked: bool) -> Vec<TransportName> {
        let dialer = Dialer::new(Target::parse("http://a").unwrap(), Arc::new(options));
        dialer.remember(worked);
        dialer.transports()
    }

    #[test]
    fn the_first_transport_is_tried_and_the_others_if_that_was_asked_for() {
        let options = ConnectOptions::new();
        assert_eq!(transports(options.clone(), true), BOTH[..1], "C-006");
        assert_eq!(transports(options.clone().try_all_transports(true), true), BOTH, "C-007");
        assert_eq!(transports(options.transports([]), true), []);
    }

    #[test]
    fn websocket_is_first_if_it_worked_and_is_to_be_remembered() {
        let options = ConnectOptions::new().remember_upgrade(true);
        assert_eq!(transports(options.clone(), false), BOTH[..1]);
        assert_eq!(transports(options.clone(), true), BOTH[1..], "C-008");
        let all = options.clone().try_all_transports(true);
        assert_eq!(transports(all, true), [BOTH[1], BOTH[0]]);
        assert_eq!(transports(options.transports([BOTH[0]]), true), BOTH[..1]);
    }
}

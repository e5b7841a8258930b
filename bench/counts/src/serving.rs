use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use sockeye::{Server, Socket};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::Client;

/// No heartbeat falls into a count.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A server whose connections are served by the thread that calls [`during`](Self::during), and by
/// no other.
#[derive(Debug)]
pub struct Serving {
    runtime: Runtime,
    address: SocketAddr,
    sockets: Arc<Mutex<Vec<Socket>>>,
    /// Dropped, it ends the thread that keeps time.
    _timekeeper: oneshot::Sender<()>,
}

impl Serving {
    /// A server to which `handlers` adds what it is to do in the namespace `/`.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn new(handlers: impl FnOnce(&Server)) -> Self {
        let io = Server::builder().ping_interval(NEVER).ping_timeout(NEVER).build();
        let sockets = Arc::new(Mutex::new(Vec::new()));
        let entered = Arc::clone(&sockets);
        io.of("/").on_connect(move |socket: Socket| {
            entered.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
            async {}
        });
        handlers(&io);
        let timekeeper = keep_time_elsewhere(&io);
        let (runtime, listener, address) = listen();
        runtime.spawn(async move { io.serve(listener).await });
        Self { runtime, address, sockets, _timekeeper: timekeeper }
    }

    /// Serves while `client` runs, which has a thread of its own.
    ///
    /// # Panics
    /// If the client does.
    pub fn during<R: Send>(&self, client: impl FnOnce() -> R + Send) -> R {
        let (done, finished) = oneshot::channel();
        thread::scope(|scope| {
            scope.spawn(move || done.send(client()));
            self.runtime.block_on(finished).expect("the client has what it wants")
        })
    }

    /// So many clients in `/`, and their sockets, which are in the same order.
    ///
    /// # Panics
    /// If one of them is not let in.
    #[must_use]
    pub fn join(&self, count: usize) -> (Vec<Client>, Vec<Socket>) {
        let clients = || (0..count).map(|_| Client::join(self.address)).collect();
        let clients = self.during(clients);
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(sockets.len(), count);
        (clients, sockets)
    }
}

fn listen() -> (Runtime, TcpListener, SocketAddr) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (runtime, listener, address)
}

/// A server looks at its deadlines every 5 ms, in a task that its first session starts. That session
/// is one on another thread: how much time goes by is no matter of what is counted.
fn keep_time_elsewhere(io: &Server) -> oneshot::Sender<()> {
    let (timekeeper, dropped) = oneshot::channel();
    let (tell, told) = mpsc::channel();
    let io = io.clone();
    thread::spawn(move || {
        let (runtime, listener, address) = listen();
        runtime.spawn(async move { io.serve(listener).await });
        let _ = tell.send(address);
        let _ = runtime.block_on(dropped);
    });
    drop(Client::open(told.recv().expect("it listens")));
    timekeeper
}

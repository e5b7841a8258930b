//! A network between client and server that can be cut, so that nothing arrives and nothing ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Forwards both ways, until it is cut; then it reads and throws away. So neither end sees an end:
/// packets that a firewall drops look the same.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let cut = Arc::new(AtomicBool::new(false));
        let is_cut = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(server).await.expect("the server listens");
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(forward(near.0, far.1, Arc::clone(&is_cut)));
                tokio::spawn(forward(far.0, near.1, Arc::clone(&is_cut)));
            }
        });
        Self { address, cut }
    }

    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<AtomicBool>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if !cut.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    if cut.load(Ordering::SeqCst) {
        // The end does not arrive either, while the other side is there.
        std::future::pending::<()>().await;
    }
}

//! A network between client and server that can be cut, so that nothing arrives and nothing ends.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// Forwards both ways, until it is cut; then it reads and throws away. So neither end sees an end:
/// packets that a firewall drops look the same.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    cut: Arc<AtomicBool>,
}

/// What a network does to what it carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Good,
    /// Each piece takes 10 to 30 ms, and one of fifty, 300 ms more: the packet was lost, and sent again.
    Bad,
}

impl Network {
    async fn delay(self, random: &mut u64) {
        if self == Self::Good {
            return;
        }
        // Marsaglia's xorshift.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let lost = if random.is_multiple_of(50) { 300 } else { 0 };
        sleep(Duration::from_millis(10 + (*random >> 32) % 20 + lost)).await;
    }
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        Self::over(Network::Good, server).await
    }

    pub(crate) async fn over(network: Network, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let cut = Arc::new(AtomicBool::new(false));
        let is_cut = Arc::clone(&cut);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(server).await.expect("the server listens");
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(forward(network, near.0, far.1, Arc::clone(&is_cut)));
                tokio::spawn(forward(network, far.0, near.1, Arc::clone(&is_cut)));
            }
        });
        Self { address, cut }
    }

    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

async fn forward(
    network: Network,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    cut: Arc<AtomicBool>,
) {
    let mut buffer = [0; 4096];
    let mut random = RandomState::new().hash_one(0_u8) | 1;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        network.delay(&mut random).await;
        if !cut.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    if cut.load(Ordering::SeqCst) {
        // The end does not arrive either, while the other side is there.
        std::future::pending::<()>().await;
    }
}

use std::io;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::task::JoinSet;

use super::layer::{NotFound, SocketIoService};
use super::server::Server;
use crate::engine::{HttpConnection, Patience, RemoteAddress};
use crate::limited::limited;

/// How long to wait after the system could not give another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Server {
    /// Serves the server alone, over plain HTTP, until [`close`](Server::close).
    ///
    /// A client has 10 to 11 s to send the head of a request, which may have about 16 KiB and 100 headers (431), and
    /// takes something of the answer within each
    /// [`write_timeout`](crate::ServerBuilder::write_timeout). Under another HTTP server it is that one's
    /// to set such limits.
    ///
    /// Cancel safety: dropped, it accepts no more connections; those that are open go on.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn listen(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        self.serve(TcpListener::bind(address).await?).await;
        Ok(())
    }

    /// The same on a listener that exists.
    ///
    /// As many clients may wait there to be accepted as the system allows (on Linux
    /// `net.core.somaxconn`), however few whoever made it let wait.
    ///
    /// Connections are accepted by a task: what `main` waits for is polled outside of the runtime's workers, and waking
    /// it costs more.
    pub async fn serve(&self, listener: TcpListener) {
        let_many_wait(&listener);
        let mut accepting = JoinSet::new();
        accepting.spawn(self.clone().accept(listener));
        if let Some(Err(error)) = accepting.join_next().await
            && let Ok(panic) = error.try_into_panic()
        {
            resume_unwind(panic);
        }
    }

    async fn accept(self, listener: TcpListener) {
        let service = Arc::new(self.service());
        let patience = Patience::new(self.write_timeout());
        let mut closed = pin!(self.closed());
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        let (address, patience) = (RemoteAddress(address), Arc::clone(&patience));
                        let connection = HttpConnection::new(stream, address, patience);
                        serve_connection(&service, connection);
                    }
                    Err(error) => {
                        limited!(warn, %error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = &mut closed => return,
            }
        }
    }
}

fn serve_connection(service: &Arc<SocketIoService<NotFound>>, connection: HttpConnection) {
    let service = Arc::clone(service);
    tokio::spawn(connection.serve(move |request| service.answer(request)));
}

/// Those that are made by tokio or the standard library let 128 wait. Of ten thousand clients that come
/// back at once, the others would try again after seconds, and again after twice as many.
fn let_many_wait(listener: &TcpListener) {
    // Listening again changes nothing else. Where it cannot be done, it is only slower.
    let _ = SockRef::from(listener).listen(i32::MAX);
}

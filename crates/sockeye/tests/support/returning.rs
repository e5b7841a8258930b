//! Clients that lose their connection and come back.

use std::net::SocketAddr;

use sockeye::{ConnectionStateRecovery, Server, ServerBuilder};

use super::{Client, eventually};

/// Settings with recovery.
pub(crate) fn recovering() -> ServerBuilder {
    Server::builder().connection_state_recovery(ConnectionStateRecovery::new())
}

/// A client that may come back, and what it needs for that.
pub(crate) struct Returning {
    pub(crate) client: Client,
    pub(crate) pid: String,
}

impl Returning {
    /// Joins `/`.
    pub(crate) async fn join(address: SocketAddr) -> Self {
        let mut client = Client::open(address).await;
        client.send("40").await;
        let answer = client.expect(r#"40{"sid":"<sid>","pid":"<sid>"}"#).await;
        client.id = answer[0].clone();
        Self { client, pid: answer[1].clone() }
    }

    /// Its connection breaks without a word.
    pub(crate) async fn vanish(self, io: &Server) -> Lost {
        let Self { client, pid } = self;
        let id = client.id.clone();
        drop(client);
        eventually("the end of the connection", || io.clients_count() == 0).await;
        Lost { id, pid }
    }
}

/// What is left of a client whose connection broke.
pub(crate) struct Lost {
    pub(crate) id: String,
    pub(crate) pid: String,
}

impl Lost {
    /// Comes back, having seen everything up to `offset`.
    pub(crate) async fn come_back(&self, address: SocketAddr, offset: &str) -> Client {
        let mut client = Client::open(address).await;
        let Self { pid, .. } = self;
        client.send(&format!(r#"40{{"pid":"{pid}","offset":"{offset}"}}"#)).await;
        client
    }

    /// Awaits that it is let in as what it was.
    pub(crate) async fn expect_recovered(&self, client: &mut Client) {
        let Self { id, pid } = self;
        client.expect(&format!(r#"40{{"sid":"{id}","pid":"{pid}"}}"#)).await;
    }

    /// Awaits that it is let in as a new one.
    pub(crate) async fn expect_new(&self, client: &mut Client) {
        let answer = client.expect(r#"40{"sid":"<sid>","pid":"<sid>"}"#).await;
        assert_ne!(answer[0], self.id);
        assert_ne!(answer[1], self.pid);
    }
}

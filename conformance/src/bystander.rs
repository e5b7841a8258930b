//! A client that has nothing to do with what others do to the server, and must not notice it.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::raw::WebSocket;
use crate::server::Mode;
use crate::{Failure, Outcome, Server};

/// Somebody who is connected all the time, and whose events are answered all the time.
#[derive(Debug)]
pub(crate) struct Bystander {
    requests: mpsc::Sender<oneshot::Sender<Outcome>>,
}

impl Bystander {
    /// Connects.
    pub(crate) async fn join(server: &Server) -> Outcome<Self> {
        let mut socket = WebSocket::open(server).await?;
        if server.mode() != Mode::EngineSuite {
            socket.send("40").await?;
            socket.await_text("40{<any>").await?;
        }
        let (requests, queue) = mpsc::channel(1);
        tokio::spawn(stand_by(socket, server.mode(), queue));
        Ok(Self { requests })
    }

    /// Has it exchange an event with the server.
    pub(crate) async fn ask(&self) -> Outcome {
        let gone = || Failure::new("another client to be still connected", "it is not");
        let (answer, answered) = oneshot::channel();
        self.requests.send(answer).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Answers pings, and speaks when it is asked to.
async fn stand_by(
    mut socket: WebSocket,
    mode: Mode,
    mut queue: mpsc::Receiver<oneshot::Sender<Outcome>>,
) {
    let mut number: u64 = 0;
    loop {
        let answer = tokio::select! {
            request = queue.recv() => match request {
                Some(answer) => answer,
                None => return,
            },
            () = socket.idle() => return,
        };
        number += 1;
        let (sent, awaited) = exchange(mode, number);
        let outcome = match socket.send(sent).await {
            Ok(()) => socket.await_text(&awaited).await,
            failed => failed,
        };
        // Whoever asked may have given up.
        let _ = answer.send(outcome);
    }
}

/// A message, and the answer to it.
fn exchange(mode: Mode, number: u64) -> (String, String) {
    match mode {
        Mode::EngineSuite => (format!("4bystander {number}"), format!("4bystander {number}")),
        Mode::SocketSuite => {
            let event = |name| format!(r#"42["{name}","bystander {number}"]"#);
            (event("message"), event("message-back"))
        }
        Mode::Contract | Mode::ContractWithEio3 => {
            let event = format!(r#"42["echo","bystander {number}"]"#);
            (event.clone(), event)
        }
    }
}

/// Has a client exchange an event with the server after a dialogue, however that went.
pub(crate) async fn unharmed(bystander: &Arc<Outcome<Bystander>>) -> Outcome {
    match &**bystander {
        Ok(bystander) => bystander.ask().await,
        Err(failure) => Err(Failure::new("another client", failure)),
    }
}

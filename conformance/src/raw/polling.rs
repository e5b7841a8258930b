//! HTTP long-polling.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::http::{Connection, Request};
use super::response::Response;
use crate::failure::excerpt;
use crate::{Failure, Outcome, Server, capture};

/// Separates the packets of a payload; E-057.
const SEPARATOR: char = '\u{1e}';

/// How long a request of which nobody hears back needs to arrive.
const ARRIVAL: Duration = Duration::from_millis(25);

/// How long a session may take to notice that it is closed; a ping timeout takes longer.
const SOON: Duration = Duration::from_millis(400);

/// After this many pings nothing else is going to come.
const MOST_PINGS: usize = 5;

/// A polling session.
#[derive(Debug)]
pub struct Polling {
    server: Arc<Server>,
    sid: String,
    /// Where GETs go. Both connections are open from the start, so that a request on the one never
    /// overtakes a request on the other by more than the server's own scheduling.
    polls: Connection,
    /// Where POSTs go.
    posts: Connection,
    transcript: Vec<String>,
}

impl Polling {
    /// Opens a session.
    ///
    /// # Errors
    ///
    /// If the server does not answer with an open packet; E-001, E-002.
    pub async fn open(server: &Arc<Server>) -> Outcome<Self> {
        let mut polls = Connection::open(server).await?;
        let posts = Connection::open(server).await?;
        let request = Request::get(&server.target("EIO=4&transport=polling"));
        let response = polls.exchange(&request).await?;
        Failure::unless_equal("status", &response.status(), &200)?;
        let pattern = server.open_packet("polling");
        let captured = capture(&pattern, &response.text())
            .ok_or_else(|| Failure::new(pattern, excerpt(response.body())))?;
        let sid = captured.into_iter().next().expect("the pattern captures the sid");
        if response.closes() {
            polls = Connection::open(server).await?;
        }
        Ok(Self { server: Arc::clone(server), sid, polls, posts, transcript: Vec::new() })
    }

    /// The session id.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// The target of its requests.
    #[must_use]
    pub fn target(&self) -> String {
        self.server.target(&format!("EIO=4&transport=polling&sid={}", self.sid))
    }

    /// Sends a GET and waits for the answer.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub async fn poll(&mut self) -> Outcome<Response> {
        let request = Request::get(&self.target());
        self.exchange(&request).await
    }

    /// Sends a POST and waits for the answer.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub async fn post(&mut self, payload: impl Into<Vec<u8>>) -> Outcome<Response> {
        let request = Request::post(&self.target(), payload);
        self.exchange(&request).await
    }

    /// Sends any request: GETs over one connection, all others over the other.
    ///
    /// # Errors
    ///
    /// If no response comes.
    pub async fn exchange(&mut self, request: &Request) -> Outcome<Response> {
        self.transcript.push(request.summary());
        let connection = if request.is_get() { &mut self.polls } else { &mut self.posts };
        let response = connection
            .exchange(request)
            .await
            .map_err(|failure| failure.after(&self.transcript))?;
        // After a refusal the request may be only half sent.
        if response.closes() || response.status() == 413 {
            *connection = Connection::open(&self.server).await?;
        }
        let line = format!("< {} {}", response.status(), excerpt(response.body()));
        self.transcript.push(line);
        Ok(response)
    }

    /// Sends a GET that is to stay pending.
    ///
    /// # Errors
    ///
    /// If the server does not take it.
    pub async fn park(&mut self) -> Outcome {
        self.transcript.push("> GET, pending".to_owned());
        self.polls.send(&Request::get(&self.target()).bytes()).await?;
        // That a poll waits is not visible from outside: give it the time to arrive.
        sleep(ARRIVAL).await;
        Ok(())
    }

    /// Waits for the answer to the pending GET.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub async fn parked(&mut self) -> Outcome<Response> {
        let response =
            self.polls.receive().await.map_err(|failure| failure.after(&self.transcript))?;
        if response.closes() {
            self.polls = Connection::open(&self.server).await?;
        }
        let line = format!("< {} {}", response.status(), excerpt(response.body()));
        self.transcript.push(line);
        Ok(response)
    }

    /// Drops the connection with the pending GET.
    ///
    /// # Errors
    ///
    /// If there can be no new one for the next GET.
    pub async fn abort_poll(&mut self) -> Outcome {
        self.transcript.push("> GET aborted".to_owned());
        self.polls = Connection::open(&self.server).await?;
        Ok(())
    }

    /// Begins a POST: its head, and this much of the body.
    ///
    /// # Errors
    ///
    /// If the server does not take it.
    pub async fn begin_post(&mut self, announced: usize, begun: &str) -> Outcome {
        self.transcript.push(format!("> POST, of {announced} bytes {}", excerpt(begun.as_bytes())));
        let mut bytes = Request::post(&self.target(), vec![b' '; announced]).head();
        bytes.extend_from_slice(begun.as_bytes());
        self.posts.send(&bytes).await?;
        // That a body is not complete is not visible from outside: give it the time to arrive.
        sleep(ARRIVAL).await;
        Ok(())
    }

    /// Drops the connection with the unfinished POST, answered or not.
    ///
    /// # Errors
    ///
    /// If there can be no new one for the next POST.
    pub async fn abort_post(&mut self) -> Outcome {
        self.transcript.push("> POST aborted".to_owned());
        self.posts = Connection::open(&self.server).await?;
        Ok(())
    }

    /// The connection for POSTs, to write to it by hand.
    pub fn posts(&mut self) -> &mut Connection {
        &mut self.posts
    }

    /// Sends a payload.
    ///
    /// # Errors
    ///
    /// Unless the answer is 200 `ok`; E-044.
    pub async fn send(&mut self, payload: impl Into<Vec<u8>>) -> Outcome {
        let response = self.post(payload).await?;
        response.expect(200, "ok").map_err(|failure| failure.after(&self.transcript))
    }

    /// Polls until a payload with more than pings comes, and answers the pings.
    ///
    /// # Errors
    ///
    /// If the packets of that payload, without pings, do not match the pattern.
    pub async fn expect(&mut self, pattern: &str) -> Outcome<Vec<String>> {
        for _ in 0..MOST_PINGS {
            let response = self.poll().await?;
            let text = response.text();
            let pinged = text.split(SEPARATOR).any(|packet| packet == "2");
            if response.status() == 200 && pinged {
                self.send("3").await?;
            }
            if response.status() == 200 && text == "2" {
                continue;
            }
            let packets: Vec<&str> =
                text.split(SEPARATOR).filter(|packet| *packet != "2").collect();
            let captured = capture(pattern, &packets.join("\u{1e}"));
            return captured.filter(|_| response.status() == 200).ok_or_else(|| {
                Failure::new(excerpt(pattern.as_bytes()), "another answer came")
                    .after(&self.transcript)
            });
        }
        Err(Failure::new(excerpt(pattern.as_bytes()), "only pings came").after(&self.transcript))
    }

    /// Fails unless the session is closed: a GET is answered at once, with code 1.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub async fn expect_closed(&mut self) -> Outcome {
        let response = self.poll().await?;
        response.expect_error(1).map_err(|failure| failure.after(&self.transcript))
    }

    /// Fails unless the session closes soon, sooner than a ping is due. A poll would be pending
    /// until then, so this sends packets without meaning.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn expect_closing(&mut self) -> Outcome {
        let started = Instant::now();
        loop {
            let response = self.post("6").await?;
            // An empty 400 says that the server had not noticed yet what came before.
            let overlaps = response.status() == 400 && response.body().is_empty();
            if response.status() != 200 && !overlaps {
                return response.expect_error(1).map_err(|failure| failure.after(&self.transcript));
            }
            if started.elapsed() > SOON {
                return Err(Failure::new("a closed session", "it is open").after(&self.transcript));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Fails unless the session is alive: a message is echoed (Engine.IO suite mode).
    ///
    /// # Errors
    ///
    /// If it is not.
    pub async fn expect_echo(&mut self) -> Outcome {
        self.send("4alive?").await?;
        self.expect("4alive?").await.map(drop)
    }
}

//! A client, written by hand: it comes in every way, speaks, listens, and leaves in every way; and comes back
//! to where it was, or as somebody new.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::program::{NAMESPACES, Phase, ROOMS, World, bytes_of, text_of};
use super::random::Random;
use super::transport::{Incoming, Network, Packet, Session};
use super::wire::Broken;

/// How the client is known in a namespace.
#[derive(Clone, Debug)]
struct Identity {
    id: String,
    pid: Option<String>,
    offset: Option<String>,
    /// On this connection the server has said so.
    is_in: bool,
    /// It has heard something on this connection before the server said so.
    heard_early: bool,
    number: u32,
}

/// A packet that waits for its attachments.
struct Pending {
    text: String,
    missing: usize,
    attachments: Vec<Vec<u8>>,
}

pub(crate) struct Client {
    pub(crate) index: u64,
    pub(crate) world: Arc<World>,
    pub(crate) network: Network,
    pub(crate) random: Random,
    pub(crate) connect_first: bool,
    identities: BTreeMap<&'static str, Identity>,
    /// Namespaces that it has asked for on this connection.
    asked: Vec<&'static str>,
    connection: u32,
    pending: Option<Pending>,
    /// What the server is to answer.
    questions: BTreeMap<u64, u32>,
    next_question: u64,
    /// Connections that it has given up without closing them.
    abandoned: Vec<Session>,
}

impl Client {
    pub(crate) fn new(index: u64, world: Arc<World>, network: Network, random: Random) -> Self {
        Self {
            index,
            world,
            network,
            random,
            connect_first: false,
            identities: BTreeMap::new(),
            asked: Vec::new(),
            connection: 0,
            pending: None,
            questions: BTreeMap::new(),
            next_question: 0,
            abandoned: Vec::new(),
        }
    }

    fn tell(&self, what: std::fmt::Arguments<'_>) {
        self.world.trace.tell(format_args!("client {}: {what}", self.index));
    }

    fn fail(&self, what: String) {
        self.world.ledger.lock().fail(format!("client {}: {what}", self.index));
    }

    /// Comes and goes so many times.
    pub(crate) async fn live(mut self, times: u64) -> Self {
        for _ in 0..times {
            let broken = self.one_connection().await.is_err();
            self.world.ledger.lock().tally.cuts += u64::from(broken);
            let away = match self.random.below(4) {
                0 => 0,
                1 => self.random.below(2_000),
                _ => self.random.below(200),
            };
            self.tell(format_args!("is gone, broken: {broken}"));
            sleep(Duration::from_millis(away)).await;
        }
        self
    }

    async fn one_connection(&mut self) -> Result<(), Broken> {
        let mut session = self.open().await?;
        let end = Instant::now() + Duration::from_millis(20 + self.random.below(1_500));
        self.join(&mut session, "/").await?;
        let upgrades = self.random.one_in(2);
        while Instant::now() < end {
            let next = Instant::now() + Duration::from_millis(self.random.below(60));
            self.listen(&mut session, next.min(end)).await?;
            if upgrades && session.is_polling() && self.random.one_in(6) {
                let changed = session.upgrade().await?;
                self.world.ledger.lock().tally.upgrades += u64::from(changed);
                self.tell(format_args!("upgrades: {changed}"));
            } else {
                self.act(&mut session).await?;
            }
        }
        self.leave(session).await
    }

    async fn open(&mut self) -> Result<Session, Broken> {
        self.connection += 1;
        self.asked.clear();
        self.pending = None;
        self.questions.clear();
        for identity in self.identities.values_mut() {
            (identity.is_in, identity.heard_early, identity.number) = (false, false, 0);
        }
        let mut network = self.network.clone();
        network.random = self.random.fork();
        let polls = self.random.one_in(2);
        self.tell(format_args!("opens connection {}, polling: {polls}", self.connection));
        if polls { Session::poll(network).await } else { Session::websocket(network).await }
    }

    /// Handles what comes until then.
    async fn listen(&mut self, session: &mut Session, until: Instant) -> Result<(), Broken> {
        while let Ok(incoming) = timeout_at(until, session.incoming.recv()).await {
            match incoming.ok_or(Broken)? {
                Incoming::End => return Err(Broken),
                Incoming::Text(text) => self.packet(session, &text).await?,
                Incoming::Binary(bytes) => self.attachment(session, bytes).await?,
            }
        }
        Ok(())
    }

    async fn packet(&mut self, session: &mut Session, text: &str) -> Result<(), Broken> {
        match text.as_bytes().first() {
            Some(b'2') => session.send(&[Packet::Text("3".to_owned())]).await,
            Some(b'4') => self.socket_packet(session, &text[1..]).await,
            Some(b'1') => Err(Broken),
            _ => {
                self.fail(format!("no packet of Engine.IO: {text}"));
                Err(Broken)
            }
        }
    }

    async fn socket_packet(&mut self, session: &mut Session, text: &str) -> Result<(), Broken> {
        if self.pending.is_some() {
            self.fail(format!("between attachments: {text}"));
        }
        if text.starts_with(['5', '6'])
            && let Some((count, rest)) = text[1..].split_once('-')
        {
            let missing = count.parse().unwrap_or(0);
            let text = format!("{}{rest}", &text[..1]);
            self.pending = Some(Pending { text, missing, attachments: Vec::new() });
            return Ok(());
        }
        self.whole_packet(session, text, Vec::new()).await
    }

    async fn attachment(&mut self, session: &mut Session, bytes: Vec<u8>) -> Result<(), Broken> {
        let Some(pending) = &mut self.pending else {
            self.fail("an attachment of nothing".to_owned());
            return Err(Broken);
        };
        pending.attachments.push(bytes);
        if pending.attachments.len() < pending.missing {
            return Ok(());
        }
        let Some(Pending { text, attachments, .. }) = self.pending.take() else { return Ok(()) };
        self.whole_packet(session, &text, attachments).await
    }

    async fn whole_packet(
        &mut self,
        session: &mut Session,
        text: &str,
        attachments: Vec<Vec<u8>>,
    ) -> Result<(), Broken> {
        let (kind, rest) = text.split_at(1);
        let (namespace, rest) = match rest.starts_with('/') {
            true => rest.split_once(',').unwrap_or((rest, "")),
            false => ("/", rest),
        };
        let known = NAMESPACES.iter().find(|known| **known == namespace);
        let Some(namespace) = known.filter(|known| self.asked.contains(known)) else {
            self.fail(format!("I7: a packet for {namespace}, where it is not"));
            return Ok(());
        };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, json) = rest.split_at(digits);
        let json = serde_json::from_str(json).unwrap_or(Json::Null);
        match kind {
            "0" => self.connected(namespace, &json),
            "1" => self.put_out(namespace),
            "2" | "5" => return self.event(session, namespace, id, &json, &attachments).await,
            "3" | "6" => self.answered(namespace, id, &json),
            _ => self.fail(format!("a packet that was not awaited: {text}")),
        }
        Ok(())
    }

    fn connected(&mut self, namespace: &'static str, json: &Json) {
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        let id = text("sid").unwrap_or_default();
        let before = self.identities.remove(namespace);
        let recovered = before.as_ref().is_some_and(|before| before.id == id);
        let name = self.world.ledger.lock().name(&id);
        self.tell(format_args!("is {name} in {namespace}, recovered: {recovered}"));
        match before {
            Some(before) if recovered => {
                if !self.connect_first {
                    self.world.ledger.lock().told_recovered(&id);
                }
                self.identities.insert(namespace, Identity { is_in: true, ..before });
            }
            Some(Identity { heard_early: true, .. }) => {
                self.fail("I3: it got what was missed, and is somebody new".to_owned());
            }
            before => {
                if let Some(Identity { id, pid: Some(_), .. }) = before {
                    self.world.ledger.lock().told_new(&id, self.world.max_buffered);
                }
                let identity = Identity {
                    id,
                    pid: text("pid"),
                    offset: None,
                    is_in: true,
                    heard_early: false,
                    number: 0,
                };
                self.identities.insert(namespace, identity);
            }
        }
    }

    fn put_out(&mut self, namespace: &'static str) {
        self.tell(format_args!("is put out of {namespace}"));
        self.identities.remove(namespace);
        self.asked.retain(|asked| *asked != namespace);
    }

    async fn event(
        &mut self,
        session: &mut Session,
        namespace: &'static str,
        id: &str,
        json: &Json,
        attachments: &[Vec<u8>],
    ) -> Result<(), Broken> {
        let event = json[1].as_u64().unwrap_or(u64::MAX);
        let (length, is_right) = match json[0].as_str() {
            Some("n") => (3, json[2] == text_of(event)),
            Some("b") => (4, attachments == [bytes_of(event), bytes_of(event + 1)]),
            _ => (0, false),
        };
        if !is_right {
            self.fail(format!("I7: what {event} says is not what was said"));
        }
        let Some(identity) = self.identities.get_mut(namespace) else {
            self.fail(format!("I6: {event} before it was let in"));
            return Ok(());
        };
        identity.heard_early |= !identity.is_in;
        if let Some(offset) = json.get(length).and_then(Json::as_str) {
            identity.offset = Some(offset.to_owned());
        }
        let own = identity.id.clone();
        self.tell(format_args!("hears {event} in {namespace}"));
        self.world.ledger.lock().hear(&own, event);
        if id.is_empty() || self.random.one_in(5) {
            return Ok(());
        }
        let answer = format!("43{}{id}[{}]", prefix(namespace), event + 1);
        session.send(&[Packet::Text(answer)]).await
    }

    fn answered(&mut self, namespace: &str, id: &str, json: &Json) {
        let question = id.parse().unwrap_or(u64::MAX);
        self.tell(format_args!("is answered {question} in {namespace}"));
        match self.questions.remove(&question) {
            Some(number) if json[0] == number + 1 => {}
            other => self.fail(format!("I7: {question} is answered {json}: {other:?}")),
        }
    }

    /// Asks for a namespace, as who it was there.
    async fn join(&mut self, session: &mut Session, namespace: &'static str) -> Result<(), Broken> {
        self.asked.push(namespace);
        let claim = self.identities.get(namespace).and_then(|identity| {
            let pid = identity.pid.as_ref()?;
            Some(match &identity.offset {
                Some(offset) => json!({"pid": pid, "offset": offset}),
                None => json!({"pid": pid}),
            })
        });
        if claim.is_none() {
            self.identities.remove(namespace);
        }
        let claim = claim.map(|claim| claim.to_string()).unwrap_or_default();
        self.tell(format_args!("asks for {namespace}, comes back: {}", !claim.is_empty()));
        session.send(&[Packet::Text(format!("40{}{claim}", prefix(namespace)))]).await
    }

    async fn act(&mut self, session: &mut Session) -> Result<(), Broken> {
        match self.random.below(20) {
            0 => {
                let time = self.random.choose(&[10, 50, 150, 600]);
                self.tell(format_args!("stalls for {time}"));
                session.stall(time);
                Ok(())
            }
            1 | 2 => {
                let namespace = self.random.choose(&NAMESPACES);
                if self.asked.contains(&namespace) {
                    return Ok(());
                }
                self.join(session, namespace).await
            }
            3 if self.random.one_in(3) => {
                let Some(namespace) = self.anywhere() else { return Ok(()) };
                self.tell(format_args!("leaves {namespace}"));
                self.put_out(namespace);
                // What is on its way to it there is for nobody.
                self.asked.push(namespace);
                let gone = session.send(&[Packet::Text(format!("41{}", prefix(namespace)))]).await;
                gone.and(Err(Broken))
            }
            _ => self.speak(session).await,
        }
    }

    /// A namespace where it is in.
    fn anywhere(&mut self) -> Option<&'static str> {
        let there = self.identities.iter().filter(|(_, identity)| identity.is_in);
        let there: Vec<_> = there.map(|(namespace, _)| *namespace).collect();
        (!there.is_empty()).then(|| self.random.choose(&there))
    }

    /// Says something, or several things at once.
    async fn speak(&mut self, session: &mut Session) -> Result<(), Broken> {
        let mut packets = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let Some(namespace) = self.anywhere() else { break };
            let Some(identity) = self.identities.get_mut(namespace) else { break };
            let number = identity.number;
            identity.number += 1;
            let id = if self.random.one_in(2) {
                let question = self.next_question;
                self.next_question += 1;
                self.questions.insert(question, number);
                question.to_string()
            } else {
                String::new()
            };
            let (prefix, connection) = (prefix(namespace), self.connection);
            let mut event = |name: &str, last: Json| {
                let arguments = json!([name, connection, number, last]);
                packets.push(Packet::Text(format!("42{prefix}{id}{arguments}")));
            };
            match self.random.below(8) {
                0 => event("join", self.random.choose(&ROOMS).into()),
                1 => event("leave", self.random.choose(&ROOMS).into()),
                2 | 3 => event("relay", self.random.choose(&ROOMS).into()),
                4 => event("slow", self.random.below(200).into()),
                5 => {
                    let place = json!({"_placeholder": true, "num": 0});
                    let arguments = json!(["bytes", connection, number, place]);
                    packets.push(Packet::Text(format!("451-{prefix}{id}{arguments}")));
                    packets.push(Packet::Binary(bytes_of(number.into())));
                }
                _ => event("say", text_of(number.into()).into()),
            }
        }
        if packets.is_empty() { Ok(()) } else { session.send(&packets).await }
    }

    async fn say_last(&mut self, session: &mut Session) -> Result<(), Broken> {
        let Some(namespace) = self.anywhere() else { return Ok(()) };
        let Some(identity) = self.identities.get_mut(namespace) else { return Ok(()) };
        let (number, question) = (identity.number, self.next_question);
        identity.number += 1;
        self.next_question += 1;
        self.questions.insert(question, number);
        let event = json!(["say", self.connection, number, text_of(number.into())]);
        session.send(&[Packet::Text(format!("42{}{question}{event}", prefix(namespace)))]).await
    }

    /// One of the ways in which connections end.
    async fn leave(&mut self, mut session: Session) -> Result<(), Broken> {
        match self.random.below(5) {
            0 => session.close_frame().await,
            1 => session.send(&[Packet::Text("1".to_owned())]).await,
            2 => {
                self.tell(format_args!("reads nothing any more"));
                session.stall(1_000_000);
                self.abandoned.push(session);
                Ok(())
            }
            _ => Err(Broken),
        }
    }

    /// Comes back for good, over a connection on which nothing goes wrong, says something everywhere,
    /// hears everything that is for it, and stays until the server closes.
    pub(crate) async fn settle(mut self) {
        self.network.calm = true;
        if self.stay().await.is_err() {
            self.fail("I4: a connection on which nothing went wrong has ended".to_owned());
        }
    }

    async fn stay(&mut self) -> Result<(), Broken> {
        let mut session = self.open().await?;
        for namespace in NAMESPACES {
            if namespace == "/" || self.identities.contains_key(namespace) {
                self.join(&mut session, namespace).await?;
            }
        }
        self.pass(&mut session, 50).await?;
        let upgrades = session.is_polling() && !session.upgrade().await?;
        let is_in = |name: &&'static str| self.identities.get(*name).is_some_and(|it| it.is_in);
        if upgrades || !self.asked.iter().all(is_in) {
            self.fail(format!("I4: it is not in {:?} after 50 ms: {upgrades}", self.asked));
        }
        for _ in 0..5 {
            self.speak(&mut session).await?;
            self.pass(&mut session, 20).await?;
        }
        self.world.settled.fetch_add(1, Ordering::Relaxed);
        while !self.world.is_in(Phase::Silence) {
            self.pass(&mut session, 10).await?;
        }
        // When it is answered, all that was said before has been heard.
        self.say_last(&mut session).await?;
        // Where one handler runs at a time, the slow ones of all that was said come one after the other.
        for _ in 0..100 {
            self.pass(&mut session, 50).await?;
            if self.questions.is_empty() {
                break;
            }
        }
        // What the others say may be for it, too.
        self.world.quiet.fetch_add(1, Ordering::Relaxed);
        while self.world.quiet.load(Ordering::Relaxed) < self.world.clients {
            self.pass(&mut session, 10).await?;
        }
        self.pass(&mut session, 50).await?;
        self.check_all();
        self.world.served.fetch_add(1, Ordering::Relaxed);
        let end = Instant::now() + Duration::from_secs(10);
        if self.listen(&mut session, end).await.is_ok() {
            self.fail("I9: the server has not closed the connection".to_owned());
        }
        Ok(())
    }

    async fn pass(&mut self, session: &mut Session, milliseconds: u64) -> Result<(), Broken> {
        self.listen(session, Instant::now() + Duration::from_millis(milliseconds)).await
    }

    fn check_all(&self) {
        if !self.questions.is_empty() {
            self.fail(format!("I4: no answer to {:?}", self.questions));
        }
        for (namespace, identity) in &self.identities {
            if self.asked.contains(namespace) && !self.world.ledger.lock().is_complete(&identity.id)
            {
                self.fail(format!("I4: not everything in {namespace} has arrived"));
            }
        }
    }
}

/// How packets of a namespace begin, behind their type.
fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

//! A polling session of revision 3, or over JSONP.

use std::collections::VecDeque;
use std::sync::Arc;

use conformance::raw::{Connection, Request, Response};
use conformance::{Failure, Outcome, Server, capture};

/// A session whose payloads are taken apart; binary packets read `<04 01 02>`.
pub(crate) struct Session {
    server: Arc<Server>,
    connection: Connection,
    query: String,
    sid: String,
    packets: VecDeque<String>,
}

impl Session {
    /// Opens a session with this query, which says nothing about the transport.
    pub(crate) async fn open(server: &Arc<Server>, query: &str) -> Outcome<Self> {
        let mut session = Self {
            server: Arc::clone(server),
            connection: Connection::open(server).await?,
            query: format!("{query}&transport=polling"),
            sid: String::new(),
            packets: VecDeque::new(),
        };
        let open = server.open_packet("polling");
        session.sid = session.expect(&open).await?.swap_remove(0);
        session.query = format!("{}&sid={}", session.query, session.sid);
        Ok(session)
    }

    /// The same, and awaits what the contract server says in `/`.
    pub(crate) async fn join(server: &Arc<Server>, query: &str) -> Outcome<Self> {
        let mut session = Self::open(server, query).await?;
        let id = session.sid.clone();
        session.expect("40").await?;
        session.expect(&welcome("/", &id, "{}")).await?;
        Ok(session)
    }

    pub(crate) fn sid(&self) -> &str {
        &self.sid
    }

    pub(crate) fn target(&self) -> String {
        self.server.target(&self.query)
    }

    /// One GET, as it is answered.
    pub(crate) async fn poll(&mut self) -> Outcome<Response> {
        self.connection.exchange(&Request::get(&self.target())).await
    }

    /// One POST, as it is answered.
    pub(crate) async fn post(&mut self, body: &[u8], content_type: &str) -> Outcome<Response> {
        let request = Request::post(&self.target(), body).header("Content-Type", content_type);
        self.connection.exchange(&request).await
    }

    /// Sends a text payload, as a form if this is JSONP.
    pub(crate) async fn send(&mut self, payload: &str) -> Outcome {
        let body = if self.query.contains("j=") {
            // What the client does to the text `\n`.
            format!("d={}", percent_encode(&payload.replace("\\n", "\\\\n")))
        } else {
            payload.to_owned()
        };
        self.post(body.as_bytes(), "text/plain").await?.expect(200, "ok")
    }

    /// Awaits the next packet.
    pub(crate) async fn expect(&mut self, pattern: &str) -> Outcome<Vec<String>> {
        while self.packets.is_empty() {
            let response = self.poll().await?;
            Failure::unless_equal("status", &response.status(), &200)?;
            let payload = self.payload_of(&response)?;
            self.packets.extend(packets(&payload, self.query.contains("EIO=4")));
        }
        let packet = self.packets.pop_front().unwrap_or_default();
        capture(pattern, &packet).ok_or_else(|| Failure::new(pattern, packet))
    }

    /// Fails unless the session is over.
    pub(crate) async fn expect_closed(&mut self) -> Outcome {
        self.poll().await?.expect_error(1)
    }

    fn payload_of(&self, response: &Response) -> Outcome<Vec<u8>> {
        let Some((_, index)) = self.query.split_once("j=") else {
            return Ok(response.body().to_owned());
        };
        response.expect_header("content-type", "text/plain; charset=UTF-8")?;
        let index: String = index.chars().take_while(char::is_ascii_digit).collect();
        let text = response.text();
        let string = text.strip_prefix(&format!("___eio[{index}]("));
        let string = string.and_then(|text| text.strip_suffix(");"));
        let payload = string.and_then(|string| serde_json::from_str::<String>(string).ok());
        payload.map(String::into_bytes).ok_or_else(|| Failure::new("a script", text))
    }
}

/// What the contract server says to who comes into a namespace.
pub(crate) fn welcome(namespace: &str, id: &str, auth: &str) -> String {
    let prefix = if namespace == "/" { "42".to_owned() } else { format!("42{namespace},") };
    format!(
        r#"{prefix}["welcome",{{"sid":"{id}","nsp":"{namespace}","auth":{auth},"recovered":false}}]"#
    )
}

/// Takes a payload apart; what is no payload is one packet.
fn packets(payload: &[u8], revision_4: bool) -> Vec<String> {
    if revision_4 {
        return text(payload).split('\u{1e}').map(str::to_owned).collect();
    }
    let packets = if payload.first().is_some_and(|first| *first < 2) {
        binary_packets(payload)
    } else {
        text_packets(&text(payload))
    };
    packets.unwrap_or_else(|| vec![text(payload)])
}

fn binary_packets(mut payload: &[u8]) -> Option<Vec<String>> {
    let mut packets = Vec::new();
    while let Some((kind, rest)) = payload.split_first() {
        let end = rest.iter().position(|byte| *byte == 255)?;
        let length = rest[..end].iter().fold(0, |sum, digit| sum * 10 + usize::from(*digit));
        let (data, rest) = rest[end + 1..].split_at_checked(length)?;
        let hexadecimal: Vec<_> = data.iter().map(|byte| format!("{byte:02x}")).collect();
        packets.push(match kind {
            0 => text(data),
            _ => format!("<{}>", hexadecimal.join(" ")),
        });
        payload = rest;
    }
    Some(packets)
}

fn text_packets(payload: &str) -> Option<Vec<String>> {
    let mut units: &[u16] = &payload.encode_utf16().collect::<Vec<_>>();
    let mut packets = Vec::new();
    while !units.is_empty() {
        let colon = units.iter().position(|unit| *unit == u16::from(b':'))?;
        let length: usize = String::from_utf16(&units[..colon]).ok()?.parse().ok()?;
        let (packet, rest) = units[colon + 1..].split_at_checked(length)?;
        packets.push(String::from_utf16(packet).ok()?);
        units = rest;
    }
    Some(packets)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn percent_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

//! The opening handshake of either role, over as little HTTP as it takes.

use std::io;

use sockeye_proto::websocket::{
    ClientKey, DeflateAgreement, PerMessageDeflate, UpgradeRequest, UpgradeResponse, has_token,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head that is read.
const MOST: usize = 16 * 1024;

/// A request or an answer: its first line, and its headers.
struct Head(String);

impl Head {
    /// Reads a head; with it come bytes that were read too far.
    async fn read(stream: &mut TcpStream) -> io::Result<(Self, Vec<u8>)> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                let text = String::from_utf8(bytes).map_err(|_| broken("a head is not UTF-8"))?;
                return Ok((Self(text), rest));
            }
            if bytes.len() > MOST || stream.read_buf(&mut bytes).await? == 0 {
                return Err(broken("no head"));
            }
        }
    }

    /// The words of the first line.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.0.lines().next().unwrap_or_default().split(' ')
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.0.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().as_bytes())
    }

    fn one<'a>(&'a self, name: &'a str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    fn asks_for_upgrade(&self) -> bool {
        self.all("connection").any(|value| has_token(value, "upgrade"))
    }
}

/// Takes a client's request; what was agreed on, and bytes that came behind it.
pub(crate) async fn answer(
    stream: &mut TcpStream,
    settings: &PerMessageDeflate,
) -> io::Result<(Option<DeflateAgreement>, Vec<u8>)> {
    let (head, early) = Head::read(stream).await?;
    let request = UpgradeRequest {
        method: head.words().next().unwrap_or_default(),
        http_11_or_newer: head.words().nth(2) == Some("HTTP/1.1"),
        connection_upgrade: head.asks_for_upgrade(),
        upgrade: head.one("upgrade"),
        version: head.one("sec-websocket-version"),
        key: head.one("sec-websocket-key"),
    };
    let accept = match request.verify() {
        Ok(accept) => accept,
        Err(error) => {
            let status = error.status();
            stream.write_all(format!("HTTP/1.1 {status} {error}\r\n\r\n").as_bytes()).await?;
            return Err(broken(error));
        }
    };
    let agreement = settings.negotiate(head.all("sec-websocket-extensions"));
    let extension =
        agreement.map(|it| format!("Sec-WebSocket-Extensions: {it}\r\n")).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{extension}\r\n",
        accept.as_str()
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok((agreement, early))
}

/// Asks a server for a WebSocket; what was agreed on, and bytes that came behind its answer.
pub(crate) async fn ask(
    stream: &mut TcpStream,
    host: &str,
    path: &str,
    settings: Option<&PerMessageDeflate>,
) -> io::Result<(Option<DeflateAgreement>, Vec<u8>)> {
    let key = ClientKey::new(*b"sixteen bytes it");
    let extension = settings
        .map(|settings| format!("Sec-WebSocket-Extensions: {}\r\n", settings.offer()))
        .unwrap_or_default();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n{extension}\r\n",
        key.as_str()
    );
    stream.write_all(request.as_bytes()).await?;
    let (head, early) = Head::read(stream).await?;
    let response = UpgradeResponse {
        status: head.words().nth(1).and_then(|status| status.parse().ok()).unwrap_or_default(),
        connection_upgrade: head.asks_for_upgrade(),
        upgrade: head.one("upgrade"),
        accept: head.one("sec-websocket-accept"),
    };
    response.verify(&key.accept()).map_err(broken)?;
    let answered = head.all("sec-websocket-extensions");
    let agreement = match settings {
        Some(settings) => settings.accept(answered).map_err(broken)?,
        None => None,
    };
    Ok((agreement, early))
}

fn broken(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

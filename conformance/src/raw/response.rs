//! HTTP/1.1 responses.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Failure, Outcome};

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body, without its transfer coding.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server ends the connection after it.
    pub(super) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// Fails unless status and body are these.
    ///
    /// # Errors
    ///
    /// If one of them is another.
    pub fn expect(&self, status: u16, body: &str) -> Outcome {
        Failure::unless_equal("the response", &(self.status, self.text().as_str()), &(status, body))
    }

    /// Fails unless this is the JSON body of an Engine.IO error; E-033.
    ///
    /// # Errors
    ///
    /// If status, content type or body are others.
    pub fn expect_error(&self, code: u8) -> Outcome {
        const MESSAGES: [&str; 6] = [
            "Transport unknown",
            "Session ID unknown",
            "Bad handshake method",
            "Bad request",
            "Forbidden",
            "Unsupported protocol version",
        ];
        let message = MESSAGES[usize::from(code)];
        self.expect(400, &format!(r#"{{"code":{code},"message":"{message}"}}"#))?;
        self.expect_header("content-type", "application/json")
    }

    /// Fails unless a header has this value.
    ///
    /// # Errors
    ///
    /// If it is absent or has another value.
    pub fn expect_header(&self, name: &str, value: &str) -> Outcome {
        Failure::unless_equal(&format!("the header {name}"), &self.header(name), &Some(value))
    }
}

/// Reads one response; `buffer` holds what was read beyond the one before.
///
/// A 1xx response other than 101 is skipped. `has_body` is false if the request was a HEAD.
pub(super) async fn receive<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut Vec<u8>,
    has_body: bool,
) -> io::Result<Response> {
    loop {
        let mut response = receive_head(reader, buffer).await?;
        if response.status == 101 {
            return Ok(response);
        }
        if response.status < 200 {
            continue;
        }
        if has_body && !matches!(response.status, 204 | 304) {
            response.body = receive_body(reader, buffer, &response).await?;
        }
        return Ok(response);
    }
}

/// Reads status line and headers.
async fn receive_head<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut Vec<u8>,
) -> io::Result<Response> {
    let status_line = receive_line(reader, buffer).await?;
    let status = status_line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| broken(format!("not a status line: {status_line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = receive_line(reader, buffer).await?;
        if line.is_empty() {
            return Ok(Response { status, headers, body: Vec::new() });
        }
        let (name, value) =
            line.split_once(':').ok_or_else(|| broken(format!("not a header: {line:?}")))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Reads a body as the headers delimit it.
async fn receive_body<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut Vec<u8>,
    head: &Response,
) -> io::Result<Vec<u8>> {
    if let Some(length) = head.header("content-length") {
        let length = length.parse().map_err(|_| broken(format!("content-length {length:?}")))?;
        return receive_exactly(reader, buffer, length).await;
    }
    if head.header("transfer-encoding").is_none() {
        while reader.read_buf(buffer).await? > 0 {}
        return Ok(std::mem::take(buffer));
    }
    let mut body = Vec::new();
    loop {
        let size = receive_line(reader, buffer).await?;
        let size = usize::from_str_radix(&size, 16)
            .map_err(|_| broken(format!("not a chunk size: {size:?}")))?;
        body.extend(receive_exactly(reader, buffer, size).await?);
        receive_exactly(reader, buffer, 2).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}

/// Reads up to the end of a line.
async fn receive_line<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut Vec<u8>,
) -> io::Result<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 2);
            return Ok(line);
        }
        fill(reader, buffer).await?;
    }
}

/// Reads this many bytes.
async fn receive_exactly<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut Vec<u8>,
    length: usize,
) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        fill(reader, buffer).await?;
    }
    Ok(buffer.drain(..length).collect())
}

/// Reads some more bytes.
async fn fill<R: AsyncRead + Unpin>(reader: &mut R, buffer: &mut Vec<u8>) -> io::Result<()> {
    if reader.read_buf(buffer).await? == 0 {
        let before = String::from_utf8_lossy(buffer).into_owned();
        return Err(broken(format!("the connection ended after {before:?}")));
    }
    Ok(())
}

/// The error for what is no HTTP.
fn broken(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

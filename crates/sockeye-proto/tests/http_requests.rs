//! What a server understands of HTTP/1.1, and what it refuses to guess.

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use sockeye_proto::http::{
    BodyError, BodyLength, BodyPart, HeadError, MAX_HEAD_BYTES, MAX_HEADERS, Persistence,
    RequestHead, RequestReader, ResponseHead,
};

const POLL: &str = "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn reader(text: &str) -> RequestReader {
    let mut reader = RequestReader::new();
    reader.push(text.as_bytes());
    reader
}

fn head_of(text: &str) -> Result<RequestHead, HeadError> {
    reader(text).head().map(|head| head.expect("nothing is missing"))
}

/// A POST with these lines in its head, and what comes behind it.
fn post(lines: &str, behind: &str) -> String {
    format!("POST /socket.io/ HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n{behind}")
}

fn length_of(lines: &str) -> Result<(BodyLength, Persistence), HeadError> {
    head_of(&post(lines, "")).map(|head| (head.body, head.persistence))
}

/// All of a body that is there.
fn body_of(reader: &mut RequestReader) -> Result<(String, bool), BodyError> {
    let mut body = Vec::new();
    loop {
        match reader.body()? {
            BodyPart::Data(data) => body.extend_from_slice(&data),
            end => return Ok((String::from_utf8(body).expect("text"), end == BodyPart::End)),
        }
    }
}

#[test]
fn a_request_says_what_is_asked() {
    let head = head_of(POLL).unwrap();
    assert_eq!((head.method, head.version), (Method::GET, Version::HTTP_11));
    assert_eq!(head.uri, "/socket.io/?EIO=4");
    assert_eq!(head.headers.get("host").unwrap(), "localhost");
    assert_eq!((head.body, head.persistence), (BodyLength::Exact(0), Persistence::Implied));
    assert!(!head.expects_continue);
}

#[test]
fn a_request_may_come_byte_by_byte_and_the_next_one_with_it() {
    let mut reader = RequestReader::new();
    let text = post("Content-Length: 2\r\n", "40") + POLL;
    let mut understood = Vec::new();
    for byte in text.as_bytes() {
        reader.push(&[*byte]);
        if !reader.is_at_head() {
            let (body, is_over) = body_of(&mut reader).unwrap();
            understood.push(body);
            assert_eq!(reader.is_at_head(), is_over);
        } else if let Some(head) = reader.head().unwrap() {
            understood.push(head.method.to_string());
        }
    }
    assert_eq!(understood, ["POST", "4", "0", "GET"]);
    assert!(reader.is_empty());
}

#[test]
fn requests_that_come_together_are_taken_one_by_one() {
    let mut reader = reader(&[POLL, &post("Content-Length: 2\r\n", "40"), POLL, "left"].concat());
    assert_eq!(reader.head().unwrap().unwrap().method, Method::GET);
    assert_eq!(reader.head().unwrap().unwrap().method, Method::POST);
    assert_eq!(body_of(&mut reader).unwrap(), ("40".to_owned(), true));
    assert_eq!(reader.head().unwrap().unwrap().method, Method::GET);
    assert_eq!(reader.into_rest(), "left");
}

#[test]
fn line_breaks_before_a_request_are_left_out() {
    assert_eq!(head_of(&format!("\r\n\n\r\n{POLL}")).unwrap().method, Method::GET);
    assert!(reader("\r\n").head().unwrap().is_none());
}

#[test]
fn what_is_no_http_is_refused_before_it_ends() {
    for text in ["\x16\x03\x01\x02", "GET /\x01", "{\"a\":1}", "G@T / "] {
        assert_eq!(reader(text).head().unwrap_err(), HeadError::Malformed, "{text:?}");
    }
    let other = reader("PRI * HTTP/2.0\r\n").head().unwrap_err();
    assert_eq!((other, other.status().as_u16()), (HeadError::Version, 505));
}

#[test]
fn e_13_lines_that_are_none_are_refused() {
    for line in ["X: a\r\n b\r\n", "X: a\0b\r\n", "X : a\r\n", ": a\r\n", "X\r\n", "X: a\rb\r\n"] {
        assert_eq!(head_of(&post(line, "")).unwrap_err(), HeadError::Malformed, "{line:?}");
    }
}

#[test]
fn e_13_the_length_of_a_body_is_clear_or_the_request_is_refused() {
    let lasts = Persistence::Implied;
    assert_eq!(length_of("Content-Length: 05\r\n"), Ok((BodyLength::Exact(5), lasts)));
    assert_eq!(length_of("Transfer-Encoding: Chunked\r\n"), Ok((BodyLength::Chunked, lasts)));
    let unclear = [
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        "Transfer-Encoding:\r\n",
    ];
    for lines in unclear {
        assert_eq!(length_of(lines), Err(HeadError::BodyLength), "{lines:?}");
    }
    for lines in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
    ] {
        assert_eq!(length_of(lines), Err(HeadError::TransferCoding), "{lines:?}");
    }
    let old = post("Transfer-Encoding: chunked\r\n", "").replace("1.1", "1.0");
    assert_eq!(head_of(&old).unwrap_err(), HeadError::BodyLength);
}

#[test]
fn e_13_who_gives_a_length_and_chunks_means_the_chunks_and_is_not_heard_further() {
    let closes = Ok((BodyLength::Chunked, Persistence::Close));
    assert_eq!(length_of("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), closes);
    assert_eq!(length_of("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), closes);
}

#[test]
fn a_connection_stays_as_the_version_has_it_and_the_client_wants_it() {
    let persistence = |version, line| {
        let text = format!("GET / HTTP/1.{version}\r\n{line}\r\n");
        head_of(&text).unwrap().persistence
    };
    assert_eq!(persistence(1, ""), Persistence::Implied);
    assert_eq!(persistence(1, "Connection: Upgrade, Close\r\n"), Persistence::Close);
    assert_eq!(persistence(0, ""), Persistence::Close);
    assert_eq!(persistence(0, "Connection: Keep-Alive\r\n"), Persistence::Announced);
    assert_eq!(
        persistence(0, "Connection: keep-alive\r\nConnection: close\r\n"),
        Persistence::Close
    );
}

#[test]
fn only_a_client_of_http_1_1_is_asked_to_go_on() {
    let expects = |version: &str| {
        let text = post("Expect: 100-Continue\r\n", "").replace("1.1", version);
        head_of(&text).unwrap().expects_continue
    };
    assert!(expects("1.1"));
    assert!(!expects("1.0"));
}

#[test]
fn e_14_a_head_has_a_limit() {
    let padding = MAX_HEAD_BYTES - POLL.len() - "X: \r\n".len();
    let largest = POLL.replace("\r\n\r\n", &format!("\r\nX: {}\r\n\r\n", "x".repeat(padding)));
    assert_eq!(largest.len(), MAX_HEAD_BYTES);
    assert!(head_of(&largest).is_ok());
    let larger = largest.replace("X: ", "X: x");
    assert_eq!(head_of(&larger).unwrap_err(), HeadError::TooLarge);
    assert_eq!(reader(&larger[..MAX_HEAD_BYTES]).head().unwrap_err(), HeadError::TooLarge);
    let mut part = reader(&larger[..100]);
    assert!(part.head().unwrap().is_none());
    assert_eq!(part.wants(), MAX_HEAD_BYTES - 100);
    let lines: String = (0..=MAX_HEADERS).map(|number| format!("X{number}: 1\r\n")).collect();
    assert_eq!(head_of(&post(&lines, "")).unwrap_err(), HeadError::TooManyHeaders);
    assert_eq!(HeadError::TooManyHeaders.status().as_u16(), 431);
    assert_eq!(HeadError::TransferCoding.status().as_u16(), 501);
}

#[test]
fn e_17_chunks_are_put_together_and_their_extensions_and_trailers_left_out() {
    let body = "2;a=\"b\"\r\n4a\r\n03\r\nbcd\r\n0\r\nX-Trailer: y\r\n\r\n";
    let mut reader = reader(&(post("Transfer-Encoding: chunked\r\n", body) + POLL));
    reader.head().unwrap();
    assert_eq!(body_of(&mut reader), Ok(("4abcd".to_owned(), true)));
    assert_eq!(reader.head().unwrap().unwrap().method, Method::GET);
}

#[test]
fn e_17_chunks_that_are_none_are_refused() {
    let error_of = |body: &str| {
        let mut reader = reader(&post("Transfer-Encoding: chunked\r\n", body));
        reader.head().unwrap();
        body_of(&mut reader).err()
    };
    for body in
        ["\r\n", ";a\r\n", "x\r\n", "2 3\r\n", "2\r\nabc", "1\r\na\n0\r\n", "1\n", "2;a\nb\r\n"]
    {
        assert_eq!(error_of(body), Some(BodyError::Chunk), "{body:?}");
    }
    assert_eq!(error_of("ffffffffffffffff0\r\n"), Some(BodyError::Chunk));
    assert_eq!(error_of(&format!("2;{}", "x".repeat(2000))), Some(BodyError::ChunkLine));
    assert_eq!(error_of(&format!("2;{}\r\n", "x".repeat(2000))), Some(BodyError::ChunkLine));
    let trailers = format!("0\r\n{}", "X: y\r\n".repeat(4000));
    assert_eq!(error_of(&trailers), Some(BodyError::Trailers));
    assert_eq!(error_of("2\r\nab\r"), None, "the rest may come");
}

#[test]
fn no_more_of_a_body_is_wanted_than_it_has() {
    let mut reader = reader(&post("Content-Length: 100\r\n", "0123456789"));
    reader.head().unwrap();
    assert_eq!(body_of(&mut reader).unwrap(), ("0123456789".to_owned(), false));
    assert_eq!(reader.wants(), 90);
}

fn written(head: ResponseHead<'_>) -> String {
    let mut out = Vec::new();
    head.write(&mut out);
    String::from_utf8(out).expect("text")
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair =
        |&(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value));
    pairs.iter().map(pair).collect()
}

/// One without a body, to a GET.
fn response(status: StatusCode, headers: &HeaderMap) -> ResponseHead<'_> {
    let (method, persistence) = (&Method::GET, Persistence::Implied);
    ResponseHead { status, headers, body: 0, method, persistence, date: DATE }
}

const DATE: &str = "Sun, 29 Nov 2026 03:00:00 GMT";

#[test]
fn a_response_says_how_long_it_is_and_what_becomes_of_the_connection() {
    let headers = headers(&[
        ("content-type", "text/plain"),
        ("content-length", "7"),
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
    ]);
    let persistence = Persistence::Announced;
    let head = ResponseHead { body: 2, persistence, ..response(StatusCode::OK, &headers) };
    assert!(head.has_body());
    assert_eq!(
        written(head),
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\
             connection: keep-alive\r\ndate: {DATE}\r\n\r\n"
        )
    );
    let last = written(ResponseHead { persistence: Persistence::Close, ..head });
    assert!(last.contains("connection: close\r\n"));
    let answer = ResponseHead { method: &Method::HEAD, ..head };
    assert!(!answer.has_body());
    assert!(written(answer).contains("content-length: 7\r\n"), "what a GET would get");
}

#[test]
fn some_responses_have_no_body_and_no_length() {
    let headers = headers(&[("connection", "Upgrade"), ("upgrade", "websocket")]);
    let head = response(StatusCode::SWITCHING_PROTOCOLS, &headers);
    assert!(!head.has_body());
    assert_eq!(
        written(head),
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             date: {DATE}\r\n\r\n"
        )
    );
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let head = ResponseHead { status, ..head };
        assert!(!head.has_body() && !written(head).contains("content-length"));
    }
}

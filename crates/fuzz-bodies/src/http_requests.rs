use sockeye_proto::http::{BodyLength, BodyPart, MAX_HEADERS, RequestReader};

/// More than any reader may hold.
const HELD: usize = 64 * 1024;

/// What was understood of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Understood {
    Request { head: String, body: Vec<u8>, is_whole: bool },
    Nonsense,
}

/// Any bytes as what a client sends. They mean the same however they arrive.
pub fn http_requests(data: &[u8]) {
    let at_once = read(data, |wants| wants);
    let mut seed = data.len();
    let in_pieces = read(data, |_| {
        seed = seed.wrapping_mul(31).wrapping_add(7);
        1 + seed % 200
    });
    assert_eq!(at_once, in_pieces);
    assert_eq!(at_once, read(data, |_| 1));
}

/// Reads until the bytes are over, or make no sense.
fn read(mut data: &[u8], mut size: impl FnMut(usize) -> usize) -> Vec<Understood> {
    let mut reader = RequestReader::new();
    let mut understood = Vec::new();
    loop {
        let is_over = match reader.head() {
            Ok(Some(head)) => {
                assert!(head.headers.len() <= MAX_HEADERS);
                let length = head.body;
                let mut body = Vec::new();
                let end = read_body(&mut reader, &mut data, &mut size, &mut body);
                if let (Ok(true), BodyLength::Exact(length)) = (end, length) {
                    assert_eq!(length, body.len() as u64);
                }
                let is_whole = end == Ok(true);
                understood.push(Understood::Request { head: format!("{head:?}"), body, is_whole });
                if end.is_err() {
                    understood.push(Understood::Nonsense);
                }
                !is_whole
            }
            Ok(None) if more(&mut reader, &mut data, &mut size) => false,
            Ok(None) => {
                // What is no head may be refused before its end, or wait for that.
                understood.extend((!reader.is_empty()).then_some(Understood::Nonsense));
                true
            }
            Err(error) => {
                assert!(error.status().is_client_error() || error.status().is_server_error());
                assert!(!error.to_string().is_empty());
                understood.push(Understood::Nonsense);
                true
            }
        };
        if is_over {
            return understood;
        }
    }
}

/// Reads a body: whether it was all there, unless it makes no sense.
fn read_body(
    reader: &mut RequestReader,
    data: &mut &[u8],
    size: &mut impl FnMut(usize) -> usize,
    body: &mut Vec<u8>,
) -> Result<bool, ()> {
    loop {
        match reader.body() {
            Ok(BodyPart::Data(part)) => {
                assert!(!part.is_empty());
                body.extend_from_slice(&part);
            }
            Ok(BodyPart::End) => {
                assert!(reader.is_at_head());
                return Ok(true);
            }
            Ok(BodyPart::Missing) if more(reader, data, size) => {}
            Ok(BodyPart::Missing) => return Ok(false),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert_eq!(reader.body(), Err(error), "it stays so");
                return Err(());
            }
        }
    }
}

/// Has some more bytes arrive, if there are any.
fn more(
    reader: &mut RequestReader,
    data: &mut &[u8],
    size: &mut impl FnMut(usize) -> usize,
) -> bool {
    let wants = reader.wants();
    assert!((1..=HELD).contains(&wants), "who waits wants something");
    let count = size(wants).min(wants).min(data.len());
    let (now, later) = data.split_at(count);
    reader.push(now);
    *data = later;
    count > 0
}

//! Long-polling: the requests that are on their way, and the answer that is being worked through.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use sockeye_proto::engine::{Packet, PacketError};

use super::error::TransportCause;

/// Something that is on its way. Dropped, it is given up.
pub(super) type Pending<T> = Pin<Box<dyn Future<Output = Result<T, TransportCause>> + Send>>;

/// What is on its way over HTTP: a GET and a POST at most (C-019).
#[derive(Default)]
pub(super) struct Polling {
    pub(super) get: Option<Pending<Vec<u8>>>,
    pub(super) post: Option<Pending<()>>,
    /// The answer whose packets are being handled.
    pub(super) answer: Option<Answer>,
}

/// Takes the result of what is on its way, if it is there.
pub(super) fn take_ready<T>(
    pending: &mut Option<Pending<T>>,
    cx: &mut Context<'_>,
) -> Option<Result<T, TransportCause>> {
    match pending.as_mut()?.as_mut().poll(cx) {
        Poll::Ready(result) => {
            *pending = None;
            Some(result)
        }
        Poll::Pending => None,
    }
}

/// The body that answers a GET, packet by packet.
///
/// Their number is not limited as in what a server takes: a server sends in one answer all that it
/// has (E-063), and the bytes of it are limited.
pub(super) struct Answer {
    body: String,
    /// Where the next packet begins; `None` after the last one.
    next: Option<usize>,
}

impl Answer {
    pub(super) fn new(body: Vec<u8>) -> Result<Self, TransportCause> {
        let body = String::from_utf8(body)
            .map_err(|_| TransportCause::Packet("an answer that is not UTF-8".to_owned()))?;
        Ok(Self { body, next: Some(0) })
    }

    /// The next packet; `None` after the last one, or a broken one.
    pub(super) fn next_packet(&mut self) -> Option<Result<Packet<'_>, PacketError>> {
        let at = self.next.take()?;
        let rest = self.body.get(at..)?;
        let record = match rest.split_once('\u{1e}') {
            Some((record, _)) => {
                self.next = Some(at + record.len() + 1);
                record
            }
            None => rest,
        };
        Some(Packet::decode(record).inspect_err(|_| self.next = None))
    }

    /// Whether it is what a server of revision 3 says first (E-112).
    pub(super) fn is_of_revision_three(&self) -> bool {
        let rest = self.body.trim_start_matches(|char: char| char.is_ascii_digit());
        rest.len() < self.body.len() && rest.starts_with(":0{")
    }
}

#[cfg(test)]
mod tests {
    use sockeye_proto::engine::Message;

    use super::*;

    #[test]
    fn an_answer_is_worked_through_up_to_the_first_broken_packet() {
        let text = |text| Some(Ok(Packet::Message(Message::Text(text))));
        let mut answer = Answer::new("4a\u{1e}2\u{1e}4é\u{1e}x\u{1e}4b".into()).unwrap();
        assert_eq!(answer.next_packet(), text("a"));
        assert_eq!(answer.next_packet(), Some(Ok(Packet::Ping(""))));
        assert_eq!(answer.next_packet(), text("é"));
        assert_eq!(answer.next_packet(), Some(Err(PacketError::UnknownType(b'x'))));
        assert_eq!(answer.next_packet(), None);
        let mut empty = Answer::new(Vec::new()).unwrap();
        assert_eq!(empty.next_packet(), Some(Err(PacketError::Empty)));
        assert_eq!(empty.next_packet(), None);
        assert!(Answer::new(vec![0xff]).is_err());
        let mut many = Answer::new("6\u{1e}".repeat(20_000).into_bytes()).unwrap();
        let noop = |packet: &Result<Packet<'_>, _>| *packet == Ok(Packet::Noop);
        assert!((0..20_000).all(|_| many.next_packet().is_some_and(|it| noop(&it))));
    }

    #[test]
    fn a_server_of_revision_3_is_recognized() {
        let is = |body: &str| Answer::new(body.into()).unwrap().is_of_revision_three();
        assert!(is("96:0{\"sid\":\"x\"}"));
        assert!(!is("0{\"sid\":\"x\"}") && !is(":0{") && !is("96:4") && !is(""));
    }
}

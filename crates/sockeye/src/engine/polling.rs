//! GET and POST of a session: waiting for something to send, and taking what was sent.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Response, StatusCode, request};
use http_body::Body;
use sockeye_proto::engine::Input;
use tokio::sync::oneshot;

use super::bodies::BodyShare;
use super::body::ResponseBody;
use super::coding::Coding;
use super::compression::HttpCompression;
use super::options::EngineOptions;
use super::refusal::{ConnectionErrorContext, Refusal};
use super::service::{empty, success};
use super::session::{PollAnswered, Post, PostDone, Session};
use crate::limited::limited;

/// The content type of binary payloads.
const OCTET_STREAM: &str = "application/octet-stream";

/// What a client can take as the answer to a poll.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerForm {
    compression: Option<(HttpCompression, Coding)>,
    /// It is an old Internet Explorer, which looks for scripts in answers (E-045).
    protect: bool,
}

impl AnswerForm {
    pub(super) fn of(options: &EngineOptions, request: &HeaderMap) -> Self {
        let coding = |compression| Some((compression, HttpCompression::coding(request)?));
        let compression = options.http_compression.and_then(coding);
        Self { compression, protect: must_protect(request) }
    }
}

/// Waits until there is something to send.
pub(super) async fn poll(session: &Arc<Session>, form: AnswerForm) -> Response<ResponseBody> {
    let (reply, answered) = oneshot::channel();
    let refused = {
        let mut state = session.lock();
        // A GET that waits already keeps its place: it is answered when this one is refused.
        let waits = state.machine.is_writable();
        if !waits && let Some(place) = state.poll_reply() {
            *place = Some(reply);
        }
        let queued = !state.outbox.is_empty();
        session.handle(&mut state, Input::Poll { queued }).refused
    };
    if refused {
        return empty(StatusCode::BAD_REQUEST);
    }
    let guard = Guard { session, given_up: Some(Input::PollAborted) };
    let response = match answered.await {
        // It is brief; while the client waits, there is no room for it.
        Ok(answered) => Box::pin(answer(form, answered)).await,
        Err(_) => empty(StatusCode::BAD_REQUEST),
    };
    guard.defuse();
    response
}

/// Takes the packets of a request body.
pub(super) async fn post<B>(
    session: &Arc<Session>,
    request: &request::Parts,
    body: B,
) -> Result<Response<ResponseBody>, Refusal>
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    let octets = is_octet_stream(request);
    let readable = !octets || session.dialect().takes_octets();
    let input = if readable { Input::Post } else { Input::PostUnreadable };
    if session.handle(&mut session.lock(), input).refused {
        return Ok(empty(StatusCode::BAD_REQUEST));
    }
    let guard = Guard { session, given_up: Some(Input::PostAborted) };
    let options = &session.shared().options;
    let limit = options.max_http_buffer_size;
    let mut share = BodyShare::new(session);
    let collected = collect(session, body, limit, &mut share);
    let body = match tokio::time::timeout(options.body_timeout, collected).await {
        Ok(Ok(body)) => body,
        Ok(Err(BodyError::TooLarge(size))) => {
            guard.defuse();
            return Err(refuse_body(session, size, limit));
        }
        Ok(Err(BodyError::NoRoom)) => {
            guard.defuse();
            return Err(refuse_for_now(session));
        }
        Ok(Err(BodyError::Broken | BodyError::SessionOver)) => {
            return Ok(empty(StatusCode::BAD_REQUEST));
        }
        Err(_) => return Ok(empty(StatusCode::REQUEST_TIMEOUT)),
    };
    guard.defuse();
    let (done, handled) = oneshot::channel();
    let done = PostDone { done, share };
    session.lock().leave_post(Post::Arrived { body, octets, done });
    session.wake();
    // Also a body that ended the session is answered with `ok` (E-058, E-060).
    let _ = handled.await;
    let mut response = success("text/html", "ok");
    if must_protect(&request.headers) {
        protect(&mut response);
    }
    Ok(response)
}

/// The session goes on, and is told nothing more than the status (E-054).
fn refuse_body(session: &Arc<Session>, size: u64, limit: usize) -> Refusal {
    forget_body(session);
    let answer = empty(StatusCode::PAYLOAD_TOO_LARGE);
    Refusal::with_answer(ConnectionErrorContext::PayloadTooLarge { size, limit }, answer)
}

/// The same where it is the others that are too much.
fn refuse_for_now(session: &Arc<Session>) -> Refusal {
    forget_body(session);
    let limit = session.shared().options.max_body_bytes_in_flight;
    limited!(warn, limit, "request body refused: too many bytes of others are held");
    let answer = empty(StatusCode::SERVICE_UNAVAILABLE);
    Refusal::with_answer(ConnectionErrorContext::TooManyBodies { limit }, answer)
}

fn forget_body(session: &Arc<Session>) {
    let mut state = session.lock();
    state.post = None;
    session.handle(&mut state, Input::PostDone);
}

/// The answer to a GET.
pub(super) async fn answer(
    form: AnswerForm,
    PollAnswered { body, compressible }: PollAnswered,
) -> Response<ResponseBody> {
    let content_type = if body.binary { OCTET_STREAM } else { "text/plain; charset=UTF-8" };
    let whole = Bytes::from(body.bytes);
    let compressed = match form.compression {
        Some((compression, coding)) if compressible && compression.is_worth(&whole) => {
            Box::pin(compression.compress(coding, &whole)).await.map(|shorter| (coding, shorter))
        }
        _ => None,
    };
    let mut response = match compressed {
        Some((coding, shorter)) => {
            let mut response = success(content_type, shorter);
            response.headers_mut().insert(CONTENT_ENCODING, coding.header());
            response
        }
        None => success(content_type, whole),
    };
    if form.protect {
        protect(&mut response);
    }
    response
}

/// Old Internet Explorers looked for scripts in these answers (E-045).
fn must_protect(request: &HeaderMap) -> bool {
    let agent = request.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/"))
}

fn protect(response: &mut Response<ResponseBody>) {
    let name = HeaderName::from_static("x-xss-protection");
    response.headers_mut().insert(name, HeaderValue::from_static("0"));
}

fn is_octet_stream(request: &request::Parts) -> bool {
    request.headers.get(CONTENT_TYPE).is_some_and(|value| value == OCTET_STREAM)
}

/// Reports a request that was dropped before it was through.
struct Guard<'a> {
    session: &'a Arc<Session>,
    given_up: Option<Input>,
}

impl Guard<'_> {
    fn defuse(mut self) {
        self.given_up = None;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(input) = self.given_up {
            self.session.handle(&mut self.session.lock(), input);
        }
    }
}

enum BodyError {
    /// It has at least so many bytes.
    TooLarge(u64),
    /// All bodies together have too many.
    NoRoom,
    Broken,
    SessionOver,
}

/// The whole body, if it is not longer than `limit`; never buffers more than that.
async fn collect<B>(
    session: &Session,
    body: B,
    limit: usize,
    share: &mut BodyShare,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(BodyError::TooLarge(announced));
    }
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut next = |cx: &mut Context<'_>| {
        if !await_end(session, cx) {
            return Poll::Ready(Err(BodyError::SessionOver));
        }
        body.as_mut().poll_frame(cx).map(Ok)
    };
    while let Some(frame) = poll_fn(&mut next).await? {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "request body broke off");
            BodyError::Broken
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let size = first.len().max(all.len()) + data.len();
        if size > limit {
            return Err(BodyError::TooLarge(size as u64));
        }
        if !share.take(data.len()) {
            return Err(BodyError::NoRoom);
        }
        if all.is_empty() && first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// Has the session's end wake whoever reads the body. `false` if it is over.
fn await_end(session: &Session, cx: &Context<'_>) -> bool {
    let mut state = session.lock();
    if state.is_released() {
        return false;
    }
    state.post = Some(Box::new(Post::Arriving(cx.waker().clone())));
    true
}

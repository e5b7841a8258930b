use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use http_body::Body;
use sockeye_proto::engine::{
    Dialect, Query, Rejection, RejectionContext, Revision, Session as Machine, TransportName,
};
use sockeye_proto::websocket::has_token;
use tower_service::Service;

use super::application::Connector;
use super::body::ResponseBody;
use super::handshake::Handshake;
use super::polling::{self, AnswerForm};
use super::refusal::{ConnectionError, ConnectionErrorContext, Refusal};
use super::server::{Engine, Opening};
use super::session::{PollAnswered, Session};
use super::websocket::UpgradeOffer;
use crate::limited::Brief;

/// Answers HTTP requests for an [`Engine`]: handshakes, polls, posts and WebSocket upgrades.
pub struct EngineService<C> {
    engine: Engine<C>,
}

/// Who a request is for.
enum Target {
    /// It opens a session in this dialect.
    New(Dialect),
    /// It belongs to this one.
    Existing(Arc<Session>),
}

impl<C> Clone for EngineService<C> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone() }
    }
}

impl<C> fmt::Debug for EngineService<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineService").finish_non_exhaustive()
    }
}

impl<C: Connector> EngineService<C> {
    pub(super) const fn new(engine: Engine<C>) -> Self {
        Self { engine }
    }

    /// Whether a path is this server's: it is the configured one, or begins with that and a slash
    /// (E-029).
    #[must_use]
    pub fn handles(&self, path: &str) -> bool {
        let own = self.engine.options().path.trim_end_matches('/');
        path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Answers one request, whatever its path.
    ///
    /// Cancel safety: dropping the future is what hyper does when the client gives up; it ends
    /// the session of a poll or post, as it does in the reference (E-061).
    pub fn respond<B>(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Response<ResponseBody>> + Send
    where
        B: Body<Data = Bytes> + Send,
        B::Error: fmt::Display,
    {
        let (request, body) = request.into_parts();
        self.clone().respond_to(Box::new(request), body)
    }

    /// The same. What is passed on lies in a box of its own; and a poll, which waits for long, is not
    /// waited for with what its answer does not need.
    pub(crate) async fn respond_to<B>(
        self,
        mut request: Box<request::Parts>,
        body: B,
    ) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: fmt::Display,
    {
        if let Some(cors) = &self.engine.options().cors
            && request.method == Method::OPTIONS
        {
            return cors.preflight(&request);
        }
        let upgrade = is_upgrade(&request.headers);
        let target = self.verify(&request, upgrade);
        if let Ok(Target::Existing(session)) = &target
            && request.method == Method::GET
            && !upgrade
        {
            let form = AnswerForm::of(self.engine.options(), &request.headers);
            let request = self.looks_at_requests_again().then_some(request);
            let response = polling::poll(session, form).await;
            return match request {
                Some(request) => self.complete(&request, false, response),
                None => response,
            };
        }
        let is_first = matches!(target, Ok(Target::New(_)));
        let response = match target {
            // What waits for less long may be larger.
            Ok(target) => Box::pin(self.route(&mut request, target, upgrade, body)).await,
            Err(context) => Err(context.into()),
        };
        match response {
            Ok(response) => self.complete(&request, is_first, response),
            Err(refusal) => self.refuse(&request, refusal, upgrade),
        }
    }

    /// Adds the headers that let pages of other origins read a response.
    pub(crate) fn apply_cors(
        &self,
        request: &request::Parts,
        response: &mut Response<ResponseBody>,
    ) {
        if let Some(cors) = &self.engine.options().cors {
            cors.apply(&request.headers, response.headers_mut());
        }
    }

    async fn route<B>(
        &self,
        request: &mut request::Parts,
        target: Target,
        upgrade: bool,
        body: B,
    ) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: fmt::Display,
    {
        match target {
            Target::New(dialect) => self.open(request, dialect, upgrade).await,
            Target::Existing(session) if upgrade => {
                Ok(UpgradeOffer::of(request, self.engine.options())?.join(request, session))
            }
            Target::Existing(session) if request.method == Method::POST => {
                polling::post(&session, request, body).await
            }
            Target::Existing(_) => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
        }
    }

    /// The checks of section 1.3 that take no time, in the reference's order.
    fn verify(
        &self,
        request: &request::Parts,
        upgrade: bool,
    ) -> Result<Target, ConnectionErrorContext> {
        let options = self.engine.options();
        let query = Query::parse(request.uri.query().unwrap_or_default());
        let transport = match query.transport_name() {
            Some(TransportName::Polling) if options.polling => TransportName::Polling,
            Some(TransportName::WebSocket) if options.websocket => TransportName::WebSocket,
            _ => return Err(transport_unknown(&query)),
        };
        if upgrade && transport != TransportName::WebSocket {
            return Err(transport_handshake("an upgrade to polling"));
        }
        if let Some(sid) = &query.sid {
            let unknown = || ConnectionErrorContext::Session(sid.to_string());
            let session = self.engine.session(sid).ok_or_else(unknown)?;
            let state = session.lock();
            // Its last answer may be read before it is forgotten.
            if state.is_released() {
                return Err(unknown());
            }
            admit(&state.machine, &query, transport, upgrade)?;
            drop(state);
            return Ok(Target::Existing(session));
        }
        if self.engine.is_closed() {
            return Err(ConnectionErrorContext::ShuttingDown);
        }
        if request.method != Method::GET {
            return Err(ConnectionErrorContext::Method(request.method.clone()));
        }
        if (transport == TransportName::WebSocket) != upgrade {
            return Err(transport_handshake("a WebSocket without an upgrade"));
        }
        Ok(Target::New(Dialect::of(&query)))
    }

    /// The rest of the checks, and then the session.
    async fn open(
        &self,
        request: &mut request::Parts,
        dialect: Dialect,
        upgrade: bool,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let options = self.engine.options();
        let handshake = Handshake::of(request);
        let place = self.engine.take_place(&handshake)?;
        if let Some(allow) = &options.allow_request {
            allow.ask(&handshake).await?;
        }
        if dialect.revision() == Revision::Three && !options.allow_eio3 {
            return Err(ConnectionErrorContext::Protocol(dialect.revision()).into());
        }
        let offer =
            if upgrade { Some(UpgradeOffer::of(request, self.engine.options())?) } else { None };
        let id = self.engine.new_id(&handshake).await?;
        let opening = Opening { handshake, place, id, dialect };
        if let Some(offer) = offer {
            return Ok(offer.open(request, &self.engine, opening));
        }
        let cookie = options.cookie.as_ref();
        let cookie = cookie.and_then(|cookie| cookie.header(opening.id.id().as_str()));
        let body = self.engine.open_polling(opening);
        let answered = PollAnswered { body, compressible: true };
        let form = AnswerForm::of(options, &request.headers);
        let mut response = polling::answer(form, answered).await;
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// Whether the answer to a poll depends on more of its request than its form does.
    fn looks_at_requests_again(&self) -> bool {
        let options = self.engine.options();
        options.cors.is_some() || options.headers.is_some()
    }

    /// Adds what is in every answer, and what the program wants there.
    fn complete(
        &self,
        request: &request::Parts,
        is_first: bool,
        mut response: Response<ResponseBody>,
    ) -> Response<ResponseBody> {
        self.apply_cors(request, &mut response);
        self.call_hooks(request, is_first, &mut response);
        response
    }

    /// The hooks see responses of sessions, and these alone have such a status.
    fn call_hooks(
        &self,
        request: &request::Parts,
        is_first: bool,
        response: &mut Response<ResponseBody>,
    ) {
        let options = self.engine.options();
        if !matches!(response.status(), StatusCode::OK | StatusCode::SWITCHING_PROTOCOLS) {
            return;
        }
        let initial = options.initial_headers.as_ref().filter(|_| is_first);
        for hook in initial.into_iter().chain(&options.headers) {
            hook.call(response.headers_mut(), request);
        }
    }

    /// Tells who wants to know, and the client.
    fn refuse(
        &self,
        request: &request::Parts,
        refusal: Refusal,
        upgrade: bool,
    ) -> Response<ResponseBody> {
        self.engine.count_refusal(&refusal.context);
        tracing::debug!(reason = %Brief(&refusal.context), "request refused");
        if let Some(hook) = &self.engine.options().connection_error {
            hook.call(&ConnectionError::new(request, &refusal.context));
        }
        let mut response = refusal.into_answer(upgrade);
        self.apply_cors(request, &mut response);
        response
    }
}

fn transport_unknown(query: &Query<'_>) -> ConnectionErrorContext {
    ConnectionErrorContext::Transport(query.transport.as_deref().map(str::to_owned))
}

fn transport_handshake(reason: &str) -> ConnectionErrorContext {
    ConnectionErrorContext::TransportHandshake(reason.to_owned())
}

/// Checks a request for a session that exists.
fn admit(
    machine: &Machine,
    query: &Query<'_>,
    transport: TransportName,
    upgrade: bool,
) -> Result<(), ConnectionErrorContext> {
    machine.admit(transport, upgrade, query.revision).map_err(|rejection| match rejection {
        Rejection::BadRequest(RejectionContext::ProtocolMismatch) => {
            let (protocol, previous) = (query.revision, machine.revision());
            ConnectionErrorContext::ProtocolMismatch { protocol, previous }
        }
        _ => {
            let previous = machine.transport();
            ConnectionErrorContext::TransportMismatch { transport, previous }
        }
    })
}

impl<C, B> Service<Request<B>> for EngineService<C>
where
    C: Connector,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: fmt::Display,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if service.handles(request.uri().path()) {
                Ok(service.respond(request).await)
            } else {
                Ok(empty(StatusCode::NOT_FOUND))
            }
        })
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(|value| has_token(value.as_bytes(), "websocket"))
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

/// A 200 that no cache may keep (E-043, E-044).
pub(super) fn success(
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

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
use super::polling;
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
    /// It opens a session.
    New,
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
    pub async fn respond<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: fmt::Display,
    {
        let (mut request, body) = request.into_parts();
        if let Some(cors) = &self.engine.options().cors
            && request.method == Method::OPTIONS
        {
            return cors.preflight(&request);
        }
        let uri = request.uri.clone();
        let query = Query::parse(uri.query().unwrap_or_default());
        let upgrade = is_upgrade(&request.headers);
        match self.route(&mut request, &query, upgrade, body).await {
            Ok(mut response) => {
                self.apply_cors(&request, &mut response);
                self.call_hooks(&request, &query, &mut response);
                response
            }
            Err(refusal) => {
                self.report(&request, &refusal);
                let mut response = refusal.into_answer(upgrade);
                self.apply_cors(&request, &mut response);
                response
            }
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
        query: &Query<'_>,
        upgrade: bool,
        body: B,
    ) -> Result<Response<ResponseBody>, Refusal>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: fmt::Display,
    {
        match self.verify(request, query, upgrade)? {
            Target::New => self.open(request, query, upgrade).await,
            Target::Existing(session) if upgrade => {
                Ok(UpgradeOffer::of(request, self.engine.options())?.join(request, session))
            }
            Target::Existing(session) => match request.method {
                Method::GET => Ok(polling::poll(&session, request).await),
                Method::POST => polling::post(&session, request, body).await,
                _ => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
            },
        }
    }

    /// The checks of section 1.3 that take no time, in the reference's order.
    fn verify(
        &self,
        request: &request::Parts,
        query: &Query<'_>,
        upgrade: bool,
    ) -> Result<Target, ConnectionErrorContext> {
        let options = self.engine.options();
        let transport = match query.transport_name() {
            Some(TransportName::Polling) if options.polling => TransportName::Polling,
            Some(TransportName::WebSocket) if options.websocket => TransportName::WebSocket,
            _ => return Err(transport_unknown(query)),
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
            admit(&state.machine, query, transport, upgrade)?;
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
        Ok(Target::New)
    }

    /// The rest of the checks, and then the session.
    async fn open(
        &self,
        request: &mut request::Parts,
        query: &Query<'_>,
        upgrade: bool,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let options = self.engine.options();
        let handshake = Handshake::of(request);
        let place = self.engine.take_place(&handshake)?;
        if let Some(allow) = &options.allow_request {
            allow.ask(&handshake).await?;
        }
        if query.revision == Revision::Three && !options.allow_eio3 {
            return Err(ConnectionErrorContext::Protocol(query.revision).into());
        }
        let offer =
            if upgrade { Some(UpgradeOffer::of(request, self.engine.options())?) } else { None };
        let id = self.engine.new_id(&handshake).await?;
        let opening = Opening { handshake, place, id, dialect: Dialect::of(query) };
        if let Some(offer) = offer {
            return Ok(offer.open(request, &self.engine, opening));
        }
        let cookie = options.cookie.as_ref();
        let cookie = cookie.and_then(|cookie| cookie.header(opening.id.id().as_str()));
        let body = self.engine.open_polling(opening);
        let answered = PollAnswered { body, compressible: true };
        let mut response = polling::answer(options.http_compression, request, answered).await;
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// The hooks see responses of sessions, and these alone have such a status.
    fn call_hooks(
        &self,
        request: &request::Parts,
        query: &Query<'_>,
        response: &mut Response<ResponseBody>,
    ) {
        let options = self.engine.options();
        if !matches!(response.status(), StatusCode::OK | StatusCode::SWITCHING_PROTOCOLS) {
            return;
        }
        let initial = options.initial_headers.as_ref().filter(|_| query.sid.is_none());
        for hook in initial.into_iter().chain(&options.headers) {
            hook.call(response.headers_mut(), request);
        }
    }

    fn report(&self, request: &request::Parts, refusal: &Refusal) {
        self.engine.count_refusal(&refusal.context);
        tracing::debug!(reason = %Brief(&refusal.context), "request refused");
        if let Some(hook) = &self.engine.options().connection_error {
            hook.call(&ConnectionError::new(request, &refusal.context));
        }
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

pub(super) fn empty(status: StatusCode) -> Response<ResponseBody> {
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

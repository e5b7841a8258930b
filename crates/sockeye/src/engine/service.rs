use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use http_body::Body;
use sockeye_proto::engine::{Query, Rejection, RejectionContext, Revision, TransportName};
use sockeye_proto::websocket::has_token;
use tower_service::Service;

use super::application::Connector;
use super::body::ResponseBody;
use super::polling;
use super::server::Engine;
use super::session::Session;
use super::websocket;

/// Answers HTTP requests for an [`Engine`]: handshakes, polls, posts and WebSocket upgrades.
pub struct EngineService<C> {
    engine: Engine<C>,
}

/// Who a request is for.
pub(super) enum Target {
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
        let Some(cors) = &self.engine.options().cors else {
            return self.route(&mut request, body).await;
        };
        if request.method == Method::OPTIONS {
            return cors.preflight(&request);
        }
        let mut response = self.route(&mut request, body).await;
        cors.apply(&request.headers, response.headers_mut());
        response
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

    async fn route<B>(&self, request: &mut request::Parts, body: B) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: fmt::Display,
    {
        let uri = request.uri.clone();
        let query = Query::parse(uri.query().unwrap_or_default());
        let upgrade = is_upgrade(&request.headers);
        let target = match self.verify(request, &query, upgrade) {
            Ok(target) => target,
            Err(rejection) => return refuse(&rejection, upgrade),
        };
        match target {
            target if upgrade => websocket::upgrade(&self.engine, request, &query, target),
            Target::New => self.open_polling(request, &query),
            Target::Existing(session) => match request.method {
                Method::GET => polling::poll(&session, request).await,
                Method::POST => polling::post(&session, request, body).await,
                _ => empty(StatusCode::METHOD_NOT_ALLOWED),
            },
        }
    }

    /// The checks of section 1.3, in the reference's order.
    fn verify(
        &self,
        request: &request::Parts,
        query: &Query<'_>,
        upgrade: bool,
    ) -> Result<Target, Rejection> {
        let options = self.engine.options();
        let transport = query.transport_name().ok_or(Rejection::TransportUnknown)?;
        let enabled = match transport {
            TransportName::Polling => options.polling,
            TransportName::WebSocket => options.websocket,
            _ => false,
        };
        if !enabled {
            return Err(Rejection::TransportUnknown);
        }
        if upgrade && transport != TransportName::WebSocket {
            return Err(Rejection::BadRequest(RejectionContext::TransportHandshake));
        }
        if let Some(sid) = &query.sid {
            let session = self.engine.session(sid).ok_or(Rejection::SessionUnknown)?;
            session.lock().machine.admit(transport, upgrade, query.revision)?;
            return Ok(Target::Existing(session));
        }
        if self.engine.is_closed() {
            return Err(Rejection::TransportUnknown);
        }
        if request.method != Method::GET {
            return Err(Rejection::BadHandshakeMethod);
        }
        if (transport == TransportName::WebSocket) != upgrade {
            return Err(Rejection::BadRequest(RejectionContext::TransportHandshake));
        }
        match query.revision {
            Revision::Three if !options.allow_eio3 => Err(Rejection::UnsupportedVersion),
            Revision::Three | Revision::Four => Ok(Target::New),
        }
    }

    fn open_polling(&self, request: &request::Parts, query: &Query<'_>) -> Response<ResponseBody> {
        let body = self.engine.open_polling(request, query);
        polling::answer(request, body)
    }
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

/// A refused request: JSON over polling, text to a WebSocket that was not to be (E-033, E-035).
fn refuse(rejection: &Rejection, upgrade: bool) -> Response<ResponseBody> {
    tracing::debug!(code = rejection.code(), %rejection, "request refused");
    if upgrade {
        return refuse_upgrade(StatusCode::BAD_REQUEST, rejection.message());
    }
    let mut response = Response::new(ResponseBody::full(rejection.body()));
    *response.status_mut() =
        StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

pub(super) fn refuse_upgrade(status: StatusCode, message: &str) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::full(message.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
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

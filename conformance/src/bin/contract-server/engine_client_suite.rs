//! Engine.IO as the official client's own tests need it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::SET_COOKIE;
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use parking_lot::Mutex;
use sockeye::engine::{
    Application, CloseDetail, CloseReason, Connector, Engine, EngineOptions, EngineService,
    HeadersHook, Message, SendError, Session,
};
use tokio::net::TcpListener;
use tower_service::Service;

use crate::http;

pub(crate) async fn serve(listeners: Vec<TcpListener>) {
    let mut options = EngineOptions::default();
    options.ping_interval = Duration::from_millis(500);
    options.max_http_buffer_size = 100;
    options.initial_headers = Some(HeadersHook::new(|headers, _| set_cookies(headers)));
    let last_post = LastPost::default();
    let known = Arc::clone(&last_post);
    let engine = Engine::new(options, move |session: &Arc<Session>| {
        // A client that is gone needs no greeting.
        let _ = session.send_text("hi");
        Echo { last_post: Arc::clone(&known) }
    });
    http::serve_service(Wrapped { service: engine.service(), last_post }, listeners).await;
}

/// The headers of the last POST of anybody.
///
/// A session does not show its id, so its own last POST cannot be told from those of others. The
/// cases run one after the other, so this is it.
type LastPost = Arc<Mutex<HeaderMap>>;

struct Echo {
    last_post: LastPost,
}

impl Echo {
    fn answer(&self, session: &Arc<Session>, message: Message<'_>) -> Result<(), SendError> {
        match message {
            Message::Text("give binary") => session.send_binary(&[0, 1, 2, 3, 4]),
            Message::Text("give utf8") => session.send_text("пойду спать всем спокойной ночи"),
            Message::Text("sendHeaders") => session.send_text(&json_of(&self.last_post.lock())),
            Message::Text(text) => session.send_text(text),
            Message::Binary(data) => session.send_binary(&data),
        }
    }
}

impl Application for Echo {
    fn message(&mut self, session: &Arc<Session>, _: &mut Context<'_>, message: Message<'_>) {
        // A client that is gone hears no echo.
        let _ = self.answer(session, message);
    }

    fn poll(&mut self, _: &Arc<Session>, _: &mut Context<'_>) {}

    fn ended(&mut self, _: &Arc<Session>, _: &mut Context<'_>, _: CloseReason, _: CloseDetail) {}
}

fn json_of(headers: &HeaderMap) -> String {
    let pairs: HashMap<_, _> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect();
    serde_json::to_string(&pairs).unwrap_or_default()
}

/// The engine's body, or none.
type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What the engine has no hook for: refusals that are 403 also on upgrades, and a look at requests
/// before they are answered.
struct Wrapped<C> {
    service: EngineService<C>,
    last_post: LastPost,
}

impl<C> Clone for Wrapped<C> {
    fn clone(&self) -> Self {
        Self { service: self.service.clone(), last_post: Arc::clone(&self.last_post) }
    }
}

impl<C: Connector> Service<Request<Incoming>> for Wrapped<C> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.service, cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        if has_parameter(&request, "deny") {
            return Box::pin(ready(Ok(forbidden())));
        }
        if request.method() == Method::POST {
            self.last_post.lock().clone_from(request.headers());
        }
        let response = self.service.call(request);
        Box::pin(async move { Ok(response.await?.map(BodyExt::boxed_unsync)) })
    }
}

fn forbidden() -> Answer {
    let mut response = Response::new(Empty::new().boxed_unsync());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

fn has_parameter(request: &Request<Incoming>, name: &str) -> bool {
    let mut pairs = request.uri().query().unwrap_or_default().split('&');
    pairs.any(|pair| pair.split('=').next() == Some(name))
}

fn set_cookies(headers: &mut HeaderMap) {
    for cookie in COOKIES {
        headers.append(SET_COOKIE, HeaderValue::from_static(cookie));
    }
}

/// Two that stay, and two that are over.
const COOKIES: [&str; 4] = [
    "1=1; Max-Age=86400",
    "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
    "3=3; Max-Age=0",
    "4=4; Expires=Thu, 01 Jan 2015 00:00:00 GMT",
];

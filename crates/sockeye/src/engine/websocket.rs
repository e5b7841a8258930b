//! Opening a WebSocket: the 101, and what becomes of the connection after it.

use std::sync::Arc;

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, request};
use sockeye_proto::websocket::{
    AcceptKey, DeflateAgreement, HandshakeError, UpgradeRequest, has_token,
};

use super::application::Connector;
use super::body::ResponseBody;
use super::deflate;
use super::io::{Ends, Upgrade};
use super::options::EngineOptions;
use super::outbox::Outbox;
use super::refusal::{ConnectionErrorContext, Refusal, refuse_upgrade};
use super::server::{Engine, Opening};
use super::service::empty;
use super::session::{Candidate, Session};
use crate::limited::limited;

/// An upgrade request in which nothing is missing.
pub(super) struct UpgradeOffer {
    accept: AcceptKey,
    upgrade: Upgrade,
    deflate: Option<DeflateAgreement>,
}

impl UpgradeOffer {
    pub(super) fn of(
        request: &mut request::Parts,
        options: &EngineOptions,
    ) -> Result<Self, Refusal> {
        let accept = verify(request).map_err(refuse_handshake)?;
        let settings = options.per_message_deflate.as_ref();
        let deflate = deflate::negotiate(settings, &request.headers);
        match Upgrade::of(request) {
            Some(upgrade) => Ok(Self { accept, upgrade, deflate }),
            None => Err(refuse_without_upgrade()),
        }
    }

    /// Has the WebSocket probed for a session that exists.
    pub(super) fn join(
        self,
        request: &request::Parts,
        session: Arc<Session>,
    ) -> Response<ResponseBody> {
        let Self { accept, upgrade, deflate } = self;
        tokio::spawn(async move {
            if let Some(Ends { reader, writer, early }) = upgrade.finish().await {
                let reader = Some((reader, early));
                session.offer(Candidate { reader, writer, outbox: Outbox::new(), deflate });
            }
        });
        switching_protocols(&request.headers, &accept, deflate.as_ref())
    }

    /// Opens a session over the WebSocket.
    pub(super) fn open<C: Connector>(
        self,
        request: &request::Parts,
        engine: &Engine<C>,
        opening: Opening,
    ) -> Response<ResponseBody> {
        let Self { accept, upgrade, deflate } = self;
        let engine = engine.clone();
        tokio::spawn(async move {
            if let Some(ends) = upgrade.finish().await {
                engine.open_websocket(opening, ends, deflate.as_ref());
            }
        });
        switching_protocols(&request.headers, &accept, deflate.as_ref())
    }
}

fn verify(request: &request::Parts) -> Result<AcceptKey, HandshakeError> {
    let headers = &request.headers;
    let value = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    UpgradeRequest {
        method: request.method.as_str(),
        http_11_or_newer: request.version >= Version::HTTP_11,
        connection_upgrade: headers
            .get_all(CONNECTION)
            .iter()
            .any(|value| has_token(value.as_bytes(), "upgrade")),
        upgrade: value(UPGRADE),
        version: value(SEC_WEBSOCKET_VERSION),
        key: value(SEC_WEBSOCKET_KEY),
    }
    .verify()
}

fn refuse_handshake(error: HandshakeError) -> Refusal {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let reason = error.to_string();
    let mut answer = refuse_upgrade(status, &reason);
    if let Some(version) = error.version() {
        let version = HeaderValue::from_static(version);
        answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, version);
    }
    Refusal::with_answer(ConnectionErrorContext::TransportHandshake(reason), answer)
}

fn refuse_without_upgrade() -> Refusal {
    limited!(error, "the HTTP server that calls this service does not do upgrades");
    let reason = "Upgrade not supported";
    let answer = refuse_upgrade(StatusCode::NOT_IMPLEMENTED, reason);
    Refusal::with_answer(ConnectionErrorContext::TransportHandshake(reason.to_owned()), answer)
}

fn switching_protocols(
    request: &HeaderMap,
    accept: &AcceptKey,
    deflate: Option<&DeflateAgreement>,
) -> Response<ResponseBody> {
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(accept.as_str()) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    let deflate = deflate.map(|agreement| HeaderValue::from_str(&agreement.to_string()));
    if let Some(Ok(extension)) = deflate {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, extension);
    }
    if let Some(protocol) = first_protocol(request) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
}

/// A browser that offers subprotocols wants one of them back; the reference takes the first.
fn first_protocol(request: &HeaderMap) -> Option<HeaderValue> {
    let offered = request.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    let first = offered.split(',').next()?.trim();
    (!first.is_empty()).then(|| HeaderValue::from_str(first).ok())?
}

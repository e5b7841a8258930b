//! Opening a WebSocket: the 101, and what becomes of the connection after it.

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, request};
use sockeye_proto::engine::{Dialect, Query};
use sockeye_proto::websocket::{AcceptKey, HandshakeError, UpgradeRequest, has_token};

use super::application::Connector;
use super::body::ResponseBody;
use super::handshake::Handshake;
use super::io::{Ends, Upgrade};
use super::outbox::Outbox;
use super::server::Engine;
use super::service::{Target, empty, refuse_upgrade};
use super::session::Candidate;

/// Answers an upgrade request that was found to be in order.
pub(super) fn upgrade<C: Connector>(
    engine: &Engine<C>,
    request: &mut request::Parts,
    query: &Query<'_>,
    target: Target,
) -> Response<ResponseBody> {
    let accept = match verify(request) {
        Ok(accept) => accept,
        Err(error) => return refuse_handshake(error),
    };
    let Some(upgrade) = Upgrade::of(request) else {
        tracing::error!("the HTTP server that calls this service does not do upgrades");
        return refuse_upgrade(StatusCode::NOT_IMPLEMENTED, "Upgrade not supported");
    };
    match target {
        Target::Existing(session) => {
            tokio::spawn(async move {
                if let Some(Ends { reader, writer, early }) = upgrade.finish().await {
                    let reader = Some((reader, early));
                    session.offer(Candidate { reader, writer, outbox: Outbox::new() });
                }
            });
        }
        Target::New => {
            let engine = engine.clone();
            let handshake = Handshake::of(request);
            let dialect = Dialect::of(query);
            tokio::spawn(async move {
                if let Some(ends) = upgrade.finish().await {
                    engine.open_websocket(handshake, dialect, ends);
                }
            });
        }
    }
    switching_protocols(&request.headers, &accept)
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

fn refuse_handshake(error: HandshakeError) -> Response<ResponseBody> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = refuse_upgrade(status, &error.to_string());
    if let Some(version) = error.version() {
        let version = HeaderValue::from_static(version);
        response.headers_mut().insert(SEC_WEBSOCKET_VERSION, version);
    }
    response
}

fn switching_protocols(request: &HeaderMap, accept: &AcceptKey) -> Response<ResponseBody> {
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = HeaderValue::from_str(accept.as_str()) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
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

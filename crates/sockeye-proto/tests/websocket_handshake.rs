//! Who may open a WebSocket, and what the others are told.

use sockeye_proto::websocket::{
    ClientKey, HandshakeError, ResponseError, UpgradeRequest, UpgradeResponse, accept_key,
    has_token,
};

/// The handshake of RFC 6455 section 1.3.
const REQUEST: UpgradeRequest<'_> = UpgradeRequest {
    method: "GET",
    http_11_or_newer: true,
    connection_upgrade: true,
    upgrade: Some(b"websocket"),
    version: Some(b"13"),
    key: Some(b"dGhlIHNhbXBsZSBub25jZQ=="),
};
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[test]
fn the_handshake_of_the_rfc_is_accepted() {
    let key = ClientKey::new(*b"the sample nonce");
    assert_eq!(key.as_str().as_bytes(), REQUEST.key.unwrap());
    let accept = REQUEST.verify().unwrap();
    assert_eq!(accept.as_str(), ACCEPT);
    assert_eq!(accept, key.accept());
    assert_eq!(accept, accept_key(key.as_str().as_bytes()));
}

#[test]
fn header_values_are_compared_as_http_says() {
    let request =
        UpgradeRequest { upgrade: Some(b" WebSocket "), version: Some(b"13 "), ..REQUEST };
    assert!(request.verify().is_ok());
    assert!(has_token(b"keep-alive, Upgrade", "upgrade"));
    assert!(has_token(b"upgrade", "upgrade"));
    assert!(!has_token(b"upgrades", "upgrade"));
    assert!(!has_token(b"keep-alive upgrade", "upgrade"));
    assert!(!has_token(b"", "upgrade"));
}

#[test]
fn a_wrong_request_is_told_what_is_wrong() {
    use HandshakeError as E;
    let cases = [
        (UpgradeRequest { method: "POST", ..REQUEST }, E::Method, 405),
        (UpgradeRequest { method: "get", ..REQUEST }, E::Method, 405),
        (UpgradeRequest { http_11_or_newer: false, ..REQUEST }, E::HttpVersion, 400),
        (UpgradeRequest { connection_upgrade: false, ..REQUEST }, E::Connection, 400),
        (UpgradeRequest { upgrade: None, ..REQUEST }, E::Upgrade, 400),
        (UpgradeRequest { upgrade: Some(b"h2c"), ..REQUEST }, E::Upgrade, 400),
        (UpgradeRequest { key: None, ..REQUEST }, E::Key, 400),
        (UpgradeRequest { version: None, ..REQUEST }, E::Version, 426),
        (UpgradeRequest { version: Some(b"12"), ..REQUEST }, E::Version, 426),
        (UpgradeRequest { version: Some(b"\xff"), ..REQUEST }, E::Version, 426),
    ];
    for (request, error, status) in cases {
        assert_eq!(request.verify(), Err(error), "{request:?}");
        assert_eq!(error.status(), status, "{error}");
        assert_eq!(error.version(), (error == E::Version).then_some("13"));
    }
}

#[test]
fn a_key_is_sixteen_bytes_in_base64() {
    let wrong: [&[u8]; 6] = [
        b"",
        b"==",
        b"dGhlIHNhbXBsZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub25jZQ===",
        b"dGhlIHNhbXBsZSBub25jZQQQ",
        b"dGhlIHNhbXBsZSBub25j-Q==",
    ];
    for key in wrong {
        let request = UpgradeRequest { key: Some(key), ..REQUEST };
        assert_eq!(request.verify(), Err(HandshakeError::Key), "{}", key.escape_ascii());
    }
}

#[test]
fn a_client_believes_only_the_right_answer() {
    let expected = REQUEST.verify().unwrap();
    let response = UpgradeResponse {
        status: 101,
        connection_upgrade: true,
        upgrade: Some(b"WebSocket"),
        accept: Some(ACCEPT.as_bytes()),
    };
    assert_eq!(response.verify(&expected), Ok(()));
    let cases = [
        (UpgradeResponse { status: 200, ..response }, ResponseError::Status(200)),
        (UpgradeResponse { connection_upgrade: false, ..response }, ResponseError::Connection),
        (UpgradeResponse { upgrade: None, ..response }, ResponseError::Upgrade),
        (UpgradeResponse { accept: None, ..response }, ResponseError::Accept),
        (UpgradeResponse { accept: Some(b"S3pPLMBi"), ..response }, ResponseError::Accept),
    ];
    for (response, error) in cases {
        assert_eq!(response.verify(&expected), Err(error), "{error}");
    }
}

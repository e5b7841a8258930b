use super::*;

fn parse(json: &str) -> Result<Opening, OpeningError> {
    Opening::parse(json)
}

/// An OPEN packet with these keys after its `sid`.
fn with(keys: &str) -> Result<Opening, OpeningError> {
    parse(&format!("{{\"sid\":\"a\",{keys}}}"))
}

const TIMES: &str = "\"pingInterval\":300,\"pingTimeout\":200";

#[test]
fn e_002_what_the_reference_sends_is_read() {
    let opening = parse(
        "{\"sid\":\"YDdIvTwz8yhywqJeAAAA\",\"upgrades\":[\"websocket\",\"webtransport\"],\
         \"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}",
    );
    let expected = Opening {
        sid: "YDdIvTwz8yhywqJeAAAA".into(),
        upgrades: Upgrades { websocket: true },
        ping_interval: Duration::from_secs(25),
        ping_timeout: Duration::from_secs(20),
        max_payload: Some(1_000_000),
    };
    assert_eq!(opening, Ok(expected));
}

#[test]
fn what_our_server_sends_is_read() {
    let handshake = crate::engine::Handshake {
        sid: "YDdIvTwz8yhywqJeAAAA",
        upgrades: &[TransportName::WebSocket],
        ping_interval: 300,
        ping_timeout: 200,
        max_payload: 1_000,
    };
    let packet = handshake.to_string();
    let Ok(crate::engine::Packet::Open(json)) = crate::engine::Packet::decode(&packet) else {
        panic!("{packet}");
    };
    let opening = parse(json).unwrap();
    assert_eq!(&*opening.sid, handshake.sid);
    assert_eq!(ClientInput::from(&opening), OPEN_WITH_UPGRADE);
    assert_eq!(opening.max_payload, Some(1_000));
}

#[test]
fn unknown_keys_order_and_space_do_not_matter() {
    let opening = parse(
        " { \"pingTimeout\" : 200, \"new\": [{\"sid\": 1}, null], \"pingInterval\": 3e2,\
         \"\\u0073id\": \"\\u00e9\\\"&\" } ",
    )
    .unwrap();
    assert_eq!(&*opening.sid, "é\"&");
    assert_eq!(opening.ping_interval, Duration::from_millis(300));
}

#[test]
fn what_is_not_said_is_not_there() {
    for keys in ["", ",\"upgrades\":null,\"maxPayload\":null", ",\"upgrades\":[],\"maxPayload\":0"]
    {
        let opening = with(&format!("{TIMES}{keys}")).unwrap();
        assert_eq!((opening.upgrades, opening.max_payload), (Upgrades::default(), None), "{keys}");
    }
    let upgrades = |names: &str| with(&format!("{TIMES},\"upgrades\":{names}")).unwrap().upgrades;
    assert!(!upgrades("[\"webtransport\",\"WebSocket\",\"\"]").websocket);
    assert!(upgrades("[\"x\",\"web\\u0073ocket\",\"websocket\"]").websocket);
}

#[test]
fn errors_name_the_key() {
    use OpeningError::{Invalid, InvalidJson, Missing};
    for (json, expected) in [
        ("", InvalidJson),
        ("{", InvalidJson),
        ("[\"a\",[],300,200,1000]", InvalidJson),
        ("null", InvalidJson),
        ("{\"sid\":\"a\"}{}", InvalidJson),
        ("{\"sid\":\"a\",\"sid\":\"b\"}", InvalidJson),
        ("{}", Missing("sid")),
        ("{\"sid\":null}", Missing("sid")),
        ("{\"sid\":\"\"}", Invalid("sid")),
        ("{\"sid\":5}", Invalid("sid")),
        ("{\"sid\":\"\\ud800\"}", Invalid("sid")),
        ("{\"sid\":\"a\"}", Missing("pingInterval")),
        ("{\"sid\":\"a\",\"pingInterval\":\"300\"}", Invalid("pingInterval")),
        ("{\"sid\":\"a\",\"pingInterval\":-1}", Invalid("pingInterval")),
        ("{\"sid\":\"a\",\"pingInterval\":1e999}", Invalid("pingInterval")),
        ("{\"sid\":\"a\",\"pingInterval\":300}", Missing("pingTimeout")),
        ("{\"sid\":\"a\",\"pingInterval\":300,\"pingTimeout\":[]}", Invalid("pingTimeout")),
    ] {
        assert_eq!(parse(json), Err(expected), "{json}");
    }
    for (keys, key) in [
        ("\"upgrades\":\"websocket\"", "upgrades"),
        ("\"upgrades\":{}", "upgrades"),
        ("\"upgrades\":[1]", "upgrades"),
        ("\"upgrades\":[null]", "upgrades"),
        ("\"maxPayload\":\"1\"", "maxPayload"),
        ("\"maxPayload\":-1", "maxPayload"),
        ("\"maxPayload\":1.5", "maxPayload"),
        ("\"maxPayload\":18446744073709551616", "maxPayload"),
    ] {
        assert_eq!(with(&format!("{TIMES},{keys}")), Err(Invalid(key)), "{keys}");
    }
    assert_eq!(Missing("sid").to_string(), "an OPEN packet without sid");
    assert_eq!(Invalid("upgrades").to_string(), "an OPEN packet with an invalid upgrades");
}

#[test]
fn times_of_any_size_are_times() {
    let interval = |number: &str| {
        with(&format!("\"pingInterval\":{number},\"pingTimeout\":1")).unwrap().ping_interval
    };
    assert_eq!(interval("0"), Duration::ZERO);
    assert_eq!(interval("-0"), Duration::ZERO);
    assert_eq!(interval("0.9"), Duration::ZERO);
    assert_eq!(interval("25000.0"), Duration::from_secs(25));
    assert_eq!(interval("1e300"), Duration::from_millis(u64::MAX));
}

#[test]
fn the_id_of_a_session_is_not_shown() {
    let opening = with(TIMES).unwrap();
    assert!(!format!("{opening:?}").contains("sid"));
}

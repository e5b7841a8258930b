use sockeye_proto::websocket::{DeflateAgreement, PerMessageDeflate, Role};

/// Any bytes as the values of `Sec-WebSocket-Extensions` headers, of which lines are several: what a client
/// has offered, and what a server has answered. Each end that agrees keeps to what was asked of it, and
/// reads again what it has said.
pub fn extensions(data: &[u8]) {
    let values = || data.split(|byte| *byte == b'\n');
    for (settings, takes_over) in settings() {
        if let Some(agreed) = settings.negotiate(values()) {
            is_taken(&agreed, takes_over);
            let said = agreed.to_string();
            // Whoever answers is never told more than it asked for, so the same settings take it.
            let accepted = settings.accept([said.as_bytes()]).expect("it was offered");
            assert_eq!(accepted.expect("it was answered").to_string(), said);
        }
        if let Ok(Some(agreed)) = settings.accept(values()) {
            let _ = agreed.sending(Role::Client);
            let said = agreed.to_string();
            let again = settings.accept([said.as_bytes()]).expect("it was taken");
            assert_eq!(again.expect("it was answered").to_string(), said);
        }
        let nothing = settings.accept([&b""[..]]);
        assert!(matches!(nothing, Ok(None)), "an empty list is no answer");
    }
}

/// Each with whether context may be taken over.
fn settings() -> [(PerMessageDeflate, bool); 3] {
    let both =
        || PerMessageDeflate::new().server_context_takeover(true).client_context_takeover(true);
    [
        (PerMessageDeflate::new(), false),
        (both().context_bytes(256), true),
        (both().context_bytes(32_768), true),
    ]
}

/// What a server agrees to is what it was set to, and no more.
fn is_taken(agreed: &DeflateAgreement, may_take_over: bool) {
    let _ = agreed.sending(Role::Server);
    let said = agreed.to_string();
    let never = |end: &str| said.contains(&format!("{end}_no_context_takeover"));
    assert!(may_take_over || never("server") && never("client"), "{said}");
    for window in said.split("_max_window_bits=").skip(1) {
        let bits: String = window.chars().take_while(char::is_ascii_digit).collect();
        assert!((8..=15).contains(&bits.parse().unwrap_or(0)), "{said}");
    }
}

use sockeye_proto::engine::{Query, Revision};

/// Any text as the query of a request. What was read is written, and read again; what is given behind it
/// counts instead of it.
pub fn query(data: &[u8]) {
    // The query of a request is ASCII, or there is no request; what the parser does is defined for all text.
    let Ok(text) = str::from_utf8(data) else { return };
    let read = Query::parse(text);
    assert_eq!(Query::parse(&write(&read)), read, "{text}");
    let named = read.transport_name().map(|name| name.as_str());
    assert!(named.is_none_or(|name| read.transport.as_deref() == Some(name)));
    let session = format!("{text}&EIO=4&transport=polling&sid=known");
    let read = Query::parse(&session);
    assert_eq!(read.sid.as_deref(), Some("known"), "who has a session has that one");
    assert_eq!((read.revision, read.transport.as_deref()), (Revision::Four, Some("polling")));
}

fn write(query: &Query<'_>) -> String {
    let mut text = format!("EIO={}", query.revision.number());
    let given = [("transport", &query.transport), ("sid", &query.sid), ("j", &query.jsonp)];
    for (key, value) in given.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
        text += &format!("&{key}={}", escaped(value));
    }
    if query.base64 {
        text += "&b64=1";
    }
    text
}

fn escaped(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

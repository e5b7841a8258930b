use super::*;

/// One that the server lets come back, as `p`.
fn recoverable() -> Client {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.receive("0{\"sid\":\"a\",\"pid\":\"p\"}");
    client
}

#[test]
fn c_051_a_client_says_who_it_was_and_what_it_has_seen() {
    let mut client = recoverable();
    assert!(!client.machine.recovered());
    client.receive("2[\"e\",1,\"~5\"]");
    client.lose();
    assert_eq!(client.open(), "0{\"pid\":\"p\",\"offset\":\"~5\"}");
    assert_eq!(client.receive("2[\"missed\",\"~6\"]"), [""; 0]);
    assert_eq!(
        client.receive("0{\"sid\":\"a\",\"pid\":\"p\"}"),
        ["event missed \"~6\"", "recovered"]
    );
    assert!(client.machine.recovered());
    client.lose();
    assert_eq!(client.open(), "0{\"pid\":\"p\",\"offset\":\"~6\"}");
}

#[test]
fn c_051_a_client_that_has_seen_nothing_says_only_who_it_was() {
    let mut client = recoverable();
    client.lose();
    assert_eq!(client.open(), "0{\"pid\":\"p\"}");
}

#[test]
fn c_051_a_client_that_was_not_recovered_forgets_what_it_has_seen() {
    let mut client = recoverable();
    client.receive("2[\"e\",\"~5\"]");
    client.lose();
    client.open();
    assert_eq!(client.receive("0{\"sid\":\"b\",\"pid\":\"q\"}"), ["connected"]);
    client.lose();
    assert_eq!(client.open(), "0{\"pid\":\"q\"}", "~5 was another client's");
    client.receive("0{\"sid\":\"c\"}");
    client.lose();
    assert_eq!(client.open(), "0", "the server has no recovery any more");
}

#[test]
fn what_was_missed_is_not_delivered_twice_if_the_connection_is_lost_before_connect() {
    let mut client = recoverable();
    client.receive("2[\"e\",\"~5\"]");
    client.lose();
    client.open();
    client.receive("2[\"missed\",\"~6\"]");
    client.lose();
    assert_eq!(client.open(), "0{\"pid\":\"p\",\"offset\":\"~5\"}");
    client.receive("2[\"missed\",\"~6\"]");
    let said = client.receive("0{\"sid\":\"a\",\"pid\":\"p\"}");
    assert_eq!(said, ["event missed \"~6\"", "recovered"]);
}

#[test]
fn s_079_events_with_acknowledgements_have_no_offset() {
    let mut client = recoverable();
    client.receive("2[\"e\",\"~5\"]");
    client.receive("27[\"e\",\"text\"]");
    client.lose();
    assert_eq!(client.open(), "0{\"pid\":\"p\",\"offset\":\"~5\"}");
}

#[test]
fn s_089_the_name_of_an_event_without_arguments_is_no_offset() {
    let mut client = recoverable();
    client.receive("2[\"e\",\"~5\"]");
    client.receive("2[\"tick\"]");
    client.lose();
    assert_eq!(client.open(), "0{\"pid\":\"p\",\"offset\":\"~5\"}");
}

#[test]
fn without_recovery_no_text_is_an_offset() {
    let mut client = Client::connected();
    client.receive("2[\"e\",\"text\"]");
    client.lose();
    assert_eq!(client.open(), "0");
}

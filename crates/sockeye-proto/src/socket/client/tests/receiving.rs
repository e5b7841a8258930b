use super::*;

#[test]
fn events_are_lent_while_connected() {
    let mut client = Client::connected();
    assert_eq!(client.receive("2[\"e\",1,\"two\"]"), ["event e 1,\"two\""]);
    assert_eq!(client.receive("2"), ["event  "], "S-013");
}

#[test]
fn c_044_events_before_connect_are_delivered_then_what_waits_is_sent_then_connect_is_told() {
    let mut client = Client::new();
    client.emit("kept");
    let retried = Delivery::Retried { timeout: None };
    client.emit_as("first", None, retried, TransportState::Closed);
    client.emit_as("second", None, retried, TransportState::Closed);
    client.machine.connect(true);
    client.join();
    assert_eq!(client.receive("2[\"early\",1]"), [""; 0]);
    assert_eq!(client.receive("2[\"later\"]"), [""; 0]);
    assert_eq!(
        client.receive("0{\"sid\":\"a\"}"),
        ["event early 1", "event later ", "send 2[\"kept\"]", "send 20[\"first\"]", "connected"]
    );
}

#[test]
fn events_before_a_connect_that_never_came_are_not_delivered() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.receive("2[\"early\"]");
    client.lose();
    client.open();
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["connected"], "the server sends them again");
    let mut refused = Client::new();
    refused.machine.connect(true);
    refused.join();
    refused.receive("2[\"early\"]");
    refused.receive("4{\"message\":\"no\"}");
    refused.machine.connect(true);
    refused.join();
    assert_eq!(refused.receive("0{\"sid\":\"a\"}"), ["connected"]);
}

#[test]
fn events_for_the_client_that_has_left_are_not_delivered_to_the_one_that_came_after() {
    let mut client = Client::connected();
    client.machine.disconnect();
    client.machine.connect(true);
    client.join();
    client.receive("2[\"late\"]");
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["connected"]);
    client.machine.disconnect();
    client.lose();
    client.machine.connect(true);
    client.join();
    client.receive("2[\"early\"]");
    assert_eq!(client.receive("0{\"sid\":\"c\"}"), ["event early ", "connected"]);
}

#[test]
fn what_may_come_before_connect_is_limited() {
    let limit = 1_000;
    let options =
        ClientNamespaceOptions { max_received_before_connect: limit, ..Default::default() };
    let mut client = Client::with(options);
    client.machine.connect(true);
    client.join();
    let said: Vec<_> = (0..100).flat_map(|_| client.receive("2[\"e\"]")).collect();
    let violation = "violation: more than 1000 bytes of events before CONNECT";
    assert!(said.contains(&violation.to_owned()));
    client.lose();
    client.open();
    client.receive("2[\"e\"]");
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["event e ", "connected"], "it starts anew");
}

#[test]
fn an_event_is_answered_on_the_connection_on_which_it_came() {
    let mut client = Client::connected();
    client.receive("27[\"e\"]");
    let answer = client.answers[0];
    assert_eq!(answer.id(), 7);
    let sent = client.machine.acknowledge(answer, acknowledgement(7)).unwrap();
    assert_eq!(text(&sent.packet), "37[]");
    client.lose();
    assert!(client.machine.acknowledge(answer, acknowledgement(7)).is_none());
    client.open();
    client.receive("0{\"sid\":\"b\"}");
    assert!(!client.machine.can_acknowledge(answer), "7 means something else to this server");
}

#[test]
fn an_event_before_connect_can_be_answered_afterwards() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.receive("27[\"e\"]");
    client.receive("0{\"sid\":\"a\"}");
    assert!(client.machine.can_acknowledge(client.answers[0]));
}

#[test]
fn an_event_can_still_be_answered_after_a_recovery() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.receive("0{\"sid\":\"a\",\"pid\":\"p\"}");
    client.receive("27[\"e\"]");
    client.lose();
    assert!(!client.machine.can_acknowledge(client.answers[0]));
    client.open();
    client.receive("0{\"sid\":\"a\",\"pid\":\"p\"}");
    assert!(client.machine.can_acknowledge(client.answers[0]));
}

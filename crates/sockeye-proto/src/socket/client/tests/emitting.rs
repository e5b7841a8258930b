use super::*;

#[test]
fn c_043_what_is_emitted_offline_is_sent_in_order_when_there_is_a_connection() {
    let mut client = Client::new();
    assert_eq!(client.emit("1"), [""; 0]);
    client.machine.connect(true);
    assert_eq!(client.emit("2"), ["ask"]);
    client.join();
    assert_eq!(client.emit("3"), [""; 0]);
    assert_eq!(
        client.receive("0{\"sid\":\"a\"}"),
        ["send 2[\"1\"]", "send 2[\"2\"]", "send 2[\"3\"]", "connected"]
    );
    assert_eq!(client.emit("4"), ["send 2[\"4\"]"]);
    assert_eq!(client.machine.buffered_bytes(), 0);
    client.lose();
    assert_eq!(client.emit("5"), [""; 0]);
    assert!(client.machine.buffered_bytes() > 0);
}

#[test]
fn c_050_what_may_not_be_compressed_is_known_when_it_is_sent() {
    let mut client = Client::new();
    let outgoing = Outgoing { compress: false, ..event("e", None) };
    let emit = Emit { outgoing, id: None, waiter: None, delivery: Delivery::Plain };
    let emitted = client.machine.emit(client.now, emit, TransportState::Closed);
    assert!(matches!(emitted, Ok(Emitted::Kept)));
    client.machine.connect(true);
    client.join();
    let packet = Decoder::new().text("0{\"sid\":\"a\"}", 0).unwrap().unwrap();
    assert!(client.machine.receive(client.now, packet).unwrap().is_none());
    let sent = client.machine.poll();
    assert!(matches!(sent, Some(ClientNamespaceOutput::Send(Outgoing { compress: false, .. }))));
}

#[test]
fn c_045_volatile_events_go_only_where_the_transport_takes_them() {
    let emit =
        |client: &mut Client, transport| client.emit_as("v", None, Delivery::Volatile, transport);
    let mut client = Client::new();
    assert_eq!(emit(&mut client, TransportState::Closed), ["discarded"]);
    client.machine.connect(true);
    client.join();
    assert_eq!(emit(&mut client, TransportState::Busy), ["discarded"]);
    assert_eq!(emit(&mut client, TransportState::Writable), [""; 0], "kept until it is in");
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["send 2[\"v\"]", "connected"]);
    assert_eq!(emit(&mut client, TransportState::Writable), ["send 2[\"v\"]"]);
    assert_eq!(emit(&mut client, TransportState::Busy), ["discarded"]);
    assert_eq!(emit(&mut client, TransportState::Expired), ["discarded"]);
}

#[test]
fn c_045_who_waits_for_the_answer_to_a_discarded_event_is_told() {
    let mut client = Client::connected();
    let said = client.emit_as("v", Some("v"), Delivery::Volatile, TransportState::Busy);
    assert_eq!(said, ["discarded", "v: Discarded"]);
    assert_eq!(client.machine.pending(), 0);
}

#[test]
fn c_024_what_is_emitted_after_a_sleep_waits_for_the_next_connection() {
    let mut client = Client::connected();
    let expired = TransportState::Expired;
    assert_eq!(client.emit_as("1", Some("1"), Delivery::Plain, expired), [""; 0]);
    assert_eq!(client.lose(), ["disconnected: transport close"]);
    client.open();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["send 20[\"1\"]", "connected"]);
}

#[test]
fn c_024_what_waits_is_sent_soon_if_it_was_a_false_alarm() {
    let mut client = Client::connected();
    let expired = TransportState::Expired;
    client.emit_as("1", None, Delivery::Plain, expired);
    client.emit_as("2", None, Delivery::Retried { timeout: None }, expired);
    assert_eq!(client.wait(99), [""; 0]);
    assert_eq!(client.wait(1), ["send 2[\"1\"]", "send 20[\"2\"]"]);
    assert_eq!(client.machine.deadline(), None);
    client.emit_as("3", None, Delivery::Plain, expired);
    client.lose();
    assert_eq!(client.wait(1_000), [""; 0], "it was none");
}

#[test]
fn c_024_what_waits_after_a_false_alarm_goes_before_what_comes_later() {
    let mut client = Client::connected();
    let expired = TransportState::Expired;
    assert_eq!(client.emit_as("1", None, Delivery::Plain, expired), [""; 0]);
    assert_eq!(client.emit("2"), ["send 2[\"1\"]", "send 2[\"2\"]"]);
    assert_eq!(client.emit("3"), ["send 2[\"3\"]"]);
}

#[test]
fn an_acknowledgement_is_given_to_who_waits_once() {
    let mut client = Client::connected();
    assert_eq!(client.ask("x"), ["send 20[\"x\"]"]);
    assert_eq!(client.ask("y"), ["send 21[\"y\"]"]);
    assert_eq!(client.receive("31[7]"), ["y: [7]"]);
    assert_eq!(client.receive("31[7]"), [""; 0]);
    assert_eq!(client.receive("30[]"), ["x: []"]);
    assert_eq!(client.machine.pending(), 0);
}

#[test]
fn c_046_a_disconnect_answers_what_was_sent_and_not_what_is_still_to_be_sent() {
    let mut client = Client::connected();
    client.ask("sent");
    assert_eq!(client.lose(), ["disconnected: transport close", "sent: Disconnected"]);
    assert_eq!(client.ask("kept"), [""; 0]);
    client.open();
    assert_eq!(client.lose(), [""; 0]);
    client.open();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["send 21[\"kept\"]", "connected"]);
    assert_eq!(client.receive("30[]"), [""; 0], "an answer on another connection");
    assert_eq!(client.receive("31[]"), ["kept: []"]);
}

#[test]
fn c_048_an_event_that_is_late_before_it_is_sent_is_not_sent() {
    let mut client = Client::new();
    client.ask("x");
    client.emit("y");
    assert_eq!(client.machine.give_up(0), Some("x"));
    assert_eq!(client.machine.give_up(0), None);
    client.machine.connect(true);
    client.join();
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["send 2[\"y\"]", "connected"]);
    assert_eq!((client.machine.buffered_bytes(), client.machine.pending()), (0, 0));
}

#[test]
fn c_048_an_answer_after_the_time_out_is_ignored() {
    let mut client = Client::connected();
    client.ask("x");
    assert_eq!(client.machine.give_up(0), Some("x"));
    assert_eq!(client.receive("30[]"), [""; 0]);
    assert_eq!(client.lose(), ["disconnected: transport close"]);
}

#[test]
fn an_event_whose_answer_nobody_wants_any_more_is_sent_all_the_same() {
    let mut client = Client::new();
    client.ask("x");
    assert_eq!(client.machine.forget(0), Some("x"));
    assert_eq!(client.machine.pending(), 0);
    client.machine.connect(true);
    client.join();
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["send 20[\"x\"]", "connected"]);
    client.ask("y");
    assert_eq!(client.machine.forget(1), Some("y"));
    assert_eq!(client.receive("31[]"), [""; 0]);
}

#[test]
fn what_is_kept_is_limited_and_more_is_refused() {
    let bytes = event("1", None).packet.kept_bytes();
    let options = ClientNamespaceOptions { max_buffered_bytes: 2 * bytes, ..Default::default() };
    let mut client = Client::with(options);
    client.emit("1");
    client.emit("2");
    let said = client.emit("3");
    let limit = 2 * bytes;
    assert_eq!(
        said,
        [format!("refused: {limit} bytes are waiting to be sent (max_buffered_bytes)")]
    );
    client.machine.connect(true);
    client.join();
    let said = client.receive("0{\"sid\":\"a\"}");
    assert_eq!(said, ["send 2[\"1\"]", "send 2[\"2\"]", "connected"]);
    assert_eq!(client.emit("3"), ["send 2[\"3\"]"]);
}

#[test]
fn the_oldest_go_if_that_is_wanted_and_their_loss_is_told() {
    let bytes = event("1", Some(0)).packet.kept_bytes();
    let options = ClientNamespaceOptions {
        max_buffered_bytes: 2 * bytes,
        overflow: Overflow::DropOldest,
        ..Default::default()
    };
    let mut client = Client::with(options);
    client.ask("1");
    client.emit("2");
    assert_eq!(client.ask("3"), ["dropped 20[\"1\"] Overflow", "1: Dropped(Overflow)"]);
    let long = "long".repeat(100);
    assert!(client.emit(&long)[0].starts_with("refused"), "nothing is dropped for it");
    client.machine.connect(true);
    client.join();
    let said = client.receive("0{\"sid\":\"a\"}");
    assert_eq!(said, ["send 2[\"2\"]", "send 21[\"3\"]", "connected"]);
}

#[test]
fn acknowledgements_that_are_awaited_are_limited() {
    let options = ClientNamespaceOptions { max_pending_acknowledgements: 2, ..Default::default() };
    let mut client = Client::with(options);
    client.ask("1");
    client.ask("2");
    let limit = "refused: 2 acknowledgements are awaited (max_pending_acknowledgements)";
    assert_eq!(client.ask("3"), [limit]);
    assert_eq!(client.emit("4"), [""; 0], "without an answer there is no limit");
    client.machine.connect(true);
    client.join();
    client.receive("0{\"sid\":\"a\"}");
    assert_eq!(client.ask("5"), [limit]);
    client.receive("30[]");
    assert_eq!(client.ask("6").len(), 1);
}

#[test]
fn what_is_to_be_answered_has_an_id() {
    let mut client = Client::connected();
    let retried = Delivery::Retried { timeout: None };
    for (waiter, delivery) in [(Some("x"), Delivery::Plain), (None, retried)] {
        let emit = Emit { outgoing: event("e", None), id: None, waiter, delivery };
        let refused = client.machine.emit(client.now, emit, TransportState::Writable).unwrap_err();
        assert_eq!((refused.reason, refused.waiter), (EmitRefusal::NoId, waiter));
    }
}

#[test]
fn what_was_not_sent_can_be_given_up_and_is_told() {
    let mut client = Client::new();
    client.ask("x");
    client.emit("y");
    client.emit_as("z", Some("z"), Delivery::Retried { timeout: None }, TransportState::Closed);
    client.machine.discard_buffered();
    assert_eq!(
        client.says(),
        [
            "dropped 20[\"x\"] Abandoned",
            "x: Disconnected",
            "dropped 2[\"y\"] Abandoned",
            "dropped 21[\"z\"] Abandoned",
            "z: Disconnected",
        ]
    );
    assert_eq!((client.machine.buffered_bytes(), client.machine.pending()), (0, 0));
}

#[test]
fn c_052_what_was_not_sent_is_kept_while_the_program_is_out() {
    let mut client = Client::connected();
    client.machine.disconnect();
    client.says();
    client.emit("x");
    client.machine.connect(true);
    client.join();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["send 2[\"x\"]", "connected"]);
}

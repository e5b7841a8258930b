use super::*;

use std::time::Duration;

const RETRIED: Delivery = Delivery::Retried { timeout: None };

fn options(retries: u32) -> ClientNamespaceOptions {
    let ack_timeout = Some(Duration::from_millis(100));
    ClientNamespaceOptions { retries, ack_timeout, ..Default::default() }
}

impl Client {
    fn retried(&mut self, name: &'static str) -> Vec<String> {
        self.emit_as(name, Some(name), RETRIED, TransportState::Writable)
    }
}

#[test]
fn c_049_one_after_the_other_each_after_the_answer_to_the_one_before() {
    let mut client = Client::connected_with(options(3));
    assert_eq!(client.retried("x"), ["send 20[\"x\"]"]);
    assert_eq!(client.retried("y"), [""; 0]);
    assert_eq!(client.emit("plain"), ["send 2[\"plain\"]"], "it does not wait for them");
    assert_eq!(client.receive("31[]"), [""; 0], "not sent yet");
    assert_eq!(client.receive("30[1]"), ["x: [1]", "send 21[\"y\"]"]);
    assert_eq!(client.receive("31[2]"), ["y: [2]"]);
    assert_eq!(client.machine.deadline(), None);
    assert_eq!((client.machine.buffered_bytes(), client.machine.pending()), (0, 0));
}

#[test]
fn c_049_what_is_not_answered_is_sent_again_as_often_as_it_may_be() {
    let mut client = Client::connected_with(options(2));
    client.retried("x");
    client.retried("y");
    assert_eq!(client.wait(99), [""; 0]);
    assert_eq!(client.wait(1), ["send 20[\"x\"]"]);
    assert_eq!(client.wait(100), ["send 20[\"x\"]"]);
    assert_eq!(
        client.wait(100),
        ["dropped 20[\"x\"] RetriesUsedUp", "x: Dropped(RetriesUsedUp)", "send 21[\"y\"]"]
    );
    assert_eq!(client.receive("30[]"), [""; 0], "too late");
    assert_eq!(client.receive("31[]"), ["y: []"]);
}

#[test]
fn c_049_a_late_answer_to_an_earlier_try_is_an_answer() {
    let mut client = Client::connected_with(options(2));
    client.retried("x");
    assert_eq!(client.wait(100), ["send 20[\"x\"]"]);
    assert_eq!(client.receive("30[1]"), ["x: [1]"]);
    assert_eq!(client.receive("30[2]"), [""; 0]);
    assert_eq!(client.wait(1_000), [""; 0]);
}

#[test]
fn c_049_the_first_is_sent_again_on_the_next_connection() {
    let mut client = Client::connected_with(options(3));
    client.retried("x");
    assert_eq!(client.lose(), ["disconnected: transport close"]);
    assert_eq!(client.machine.deadline(), None, "nothing is awaited");
    assert_eq!(client.retried("y"), [""; 0]);
    assert_eq!(client.wait(10_000), [""; 0]);
    client.open();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["send 20[\"x\"]", "connected"]);
    assert_eq!(client.receive("30[]"), ["x: []", "send 21[\"y\"]"]);
}

#[test]
fn c_049_each_lost_connection_is_a_try() {
    let mut client = Client::connected_with(options(1));
    client.retried("x");
    client.lose();
    client.open();
    client.receive("0{\"sid\":\"b\"}");
    assert_eq!(
        client.lose(),
        [
            "disconnected: transport close",
            "dropped 20[\"x\"] RetriesUsedUp",
            "x: Dropped(RetriesUsedUp)"
        ]
    );
    client.retried("y");
    client.open();
    client.lose();
    client.open();
    let said = client.receive("0{\"sid\":\"c\"}");
    assert_eq!(said, ["send 21[\"y\"]", "connected"], "what was not sent has not been tried");
}

#[test]
fn c_049_an_event_without_a_waiter_is_retried_too_and_its_loss_is_told() {
    let mut client = Client::connected_with(options(0));
    assert_eq!(client.emit_as("x", None, RETRIED, TransportState::Busy), ["send 20[\"x\"]"]);
    assert_eq!(client.wait(100), ["dropped 20[\"x\"] RetriesUsedUp"]);
}

#[test]
fn c_047_an_event_may_have_its_own_time_out() {
    let mut client = Client::connected_with(options(1));
    let delivery = Delivery::Retried { timeout: Some(Duration::from_millis(500)) };
    client.emit_as("x", None, delivery, TransportState::Writable);
    assert_eq!(client.wait(499), [""; 0]);
    assert_eq!(client.wait(1), ["send 20[\"x\"]"]);
}

#[test]
fn without_a_time_out_only_a_new_connection_is_a_new_try() {
    let mut client =
        Client::connected_with(ClientNamespaceOptions { retries: 1, ..Default::default() });
    client.retried("x");
    assert_eq!(client.machine.deadline(), None);
    client.lose();
    client.open();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["send 20[\"x\"]", "connected"]);
}

#[test]
fn who_does_not_wait_any_more_gets_nothing_but_the_event_is_still_retried() {
    let mut client = Client::connected_with(options(1));
    client.retried("x");
    client.retried("y");
    assert_eq!(client.machine.give_up(0), Some("x"));
    assert_eq!(client.machine.forget(1), Some("y"));
    assert_eq!(client.machine.pending(), 0);
    assert_eq!(client.wait(100), ["send 20[\"x\"]"]);
    assert_eq!(client.receive("30[]"), ["send 21[\"y\"]"]);
    assert_eq!(client.receive("31[]"), [""; 0]);
}

#[test]
fn c_024_after_a_sleep_the_first_is_not_sent_before_the_next_connection() {
    let mut client = Client::connected_with(options(0));
    assert_eq!(client.emit_as("x", None, RETRIED, TransportState::Expired), [""; 0]);
    assert_eq!(client.lose(), ["disconnected: transport close"]);
    client.open();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["send 20[\"x\"]", "connected"]);
}

#[test]
fn the_retry_queue_is_limited_and_nothing_is_dropped_from_it_for_newer_ones() {
    let bytes = event("x", Some(0)).packet.kept_bytes();
    let mut client = Client::with(ClientNamespaceOptions {
        max_buffered_bytes: 3 * bytes,
        overflow: Overflow::DropOldest,
        ..options(1)
    });
    client.retried("x");
    client.emit("a");
    client.retried("y");
    assert_eq!(client.retried("z"), ["dropped 2[\"a\"] Overflow"]);
    assert!(client.retried("w")[0].starts_with("refused"));
    assert!(client.emit("b")[0].starts_with("refused"));
}

#[test]
fn what_leaves_the_namespace_is_a_try_too_and_the_rest_waits() {
    let mut client = Client::connected_with(options(1));
    client.retried("x");
    client.machine.disconnect();
    assert_eq!(client.says(), ["send 1", "disconnected: io client disconnect"]);
    client.machine.connect(true);
    client.join();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["send 20[\"x\"]", "connected"]);
}

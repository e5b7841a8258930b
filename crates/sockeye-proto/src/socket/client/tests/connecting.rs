use super::*;

#[test]
fn c_040_auth_is_asked_for_at_each_connect() {
    let mut client = Client::new();
    client.machine.connect(false);
    assert_eq!(client.says(), [""; 0], "the transport is not open");
    client.machine.transport_opened();
    assert_eq!(client.says(), ["ask"]);
    assert_eq!(client.join(), "0");
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["connected"]);
    assert_eq!(client.machine.id(), Some("a"));
    assert_eq!(client.lose(), ["disconnected: transport close"]);
    assert_eq!(client.machine.id(), None, "C-042");
    assert!(client.machine.is_active());
    client.machine.transport_opened();
    assert_eq!(client.says(), ["ask"]);
}

#[test]
fn c_053_connect_on_an_open_transport_asks_at_once_and_only_once() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.machine.connect(true);
    client.machine.transport_opened();
    assert_eq!(client.says(), ["ask"]);
    client.join();
    client.machine.connect(true);
    assert_eq!(client.says(), [""; 0]);
}

#[test]
fn auth_that_comes_too_late_is_ignored() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.says();
    let late = client.asked.unwrap();
    client.lose();
    client.machine.transport_opened();
    client.says();
    assert_eq!(client.machine.authenticated(late), None);
    client.machine.authentication_failed(late, ConnectRefused::default());
    assert_eq!(client.says(), [""; 0]);
    client.join();
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["connected"]);
}

#[test]
fn without_auth_there_is_no_connection() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.says();
    let error = ConnectRefused { message: "no token".into(), data: None };
    client.machine.authentication_failed(client.asked.unwrap(), error);
    assert_eq!(client.says(), ["refused: no token"]);
    assert!(!client.machine.is_active());
}

#[test]
fn a_connect_that_cannot_be_written_is_none() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.says();
    let request = client.asked.unwrap();
    client.machine.authenticated(request).unwrap();
    let error = ConnectRefused { message: "no object".into(), data: None };
    client.machine.authentication_failed(request, error);
    assert_eq!(client.says(), ["refused: no object"]);
    client.machine.connect(true);
    assert_eq!(client.says(), ["ask"], "no answer is waited for");
}

#[test]
fn c_041_who_is_refused_does_not_try_again() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    assert_eq!(client.receive("4{\"message\":\"no\"}"), ["refused: no"]);
    assert!(!client.machine.is_active());
    client.lose();
    client.machine.transport_opened();
    assert_eq!(client.says(), [""; 0]);
    client.machine.connect(true);
    assert_eq!(client.says(), ["ask"], "unless it is told to");
}

#[test]
fn c_041_a_server_of_version_two_does_not_wait_to_be_asked() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.says();
    let said = client.receive("0");
    assert!(said.len() == 1 && said[0].contains("v2"), "{said:?}");
}

#[test]
fn c_041_a_connect_without_an_id_is_from_a_server_of_version_two() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    let said = client.receive("0").join("");
    assert!(said.starts_with("refused: It seems you are trying to reach a Socket.IO server in v2"));
    assert!(client.machine.is_active() && !client.machine.is_connected());
}

#[test]
fn c_052_who_is_put_out_does_not_come_back() {
    let mut client = Client::connected();
    assert_eq!(client.receive("1"), ["disconnected: io server disconnect"]);
    assert!(!client.machine.is_active());
    client.lose();
    client.machine.transport_opened();
    assert_eq!(client.says(), [""; 0]);
}

#[test]
fn c_052_who_leaves_says_so_and_does_not_come_back() {
    let mut client = Client::connected();
    client.machine.disconnect();
    assert_eq!(client.says(), ["send 1", "disconnected: io client disconnect"]);
    client.machine.disconnect();
    assert_eq!(client.lose(), [""; 0]);
    client.machine.transport_opened();
    assert_eq!(client.says(), [""; 0]);
}

#[test]
fn c_053_disconnect_before_the_transport_is_open_cancels() {
    let mut client = Client::new();
    client.machine.connect(false);
    client.machine.disconnect();
    client.machine.transport_opened();
    assert_eq!(client.says(), [""; 0]);
    client.machine.connect(true);
    client.says();
    client.machine.disconnect();
    assert_eq!(client.machine.authenticated(client.asked.unwrap()), None);
    assert_eq!(client.says(), [""; 0]);
}

#[test]
fn c_053_who_gives_up_a_connect_on_its_way_leaves_when_it_is_let_in() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.machine.disconnect();
    assert_eq!(client.says(), [""; 0], "a DISCONNECT now would end the connection (S-025)");
    assert!(!client.machine.is_active());
    assert_eq!(client.receive("2[\"e\"]"), [""; 0]);
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["send 1"]);
    assert!(!client.machine.is_connected());
}

#[test]
fn c_053_disconnect_and_connect_while_a_connect_is_on_its_way_make_one_of_each() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.machine.disconnect();
    client.machine.connect(true);
    assert_eq!(client.says(), [""; 0], "a second CONNECT now would end the connection (S-025)");
    assert!(client.machine.is_active());
    assert_eq!(client.receive("0{\"sid\":\"a\"}"), ["send 1", "ask"]);
    client.join();
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["connected"]);
}

#[test]
fn a_refusal_of_a_connect_that_was_given_up_is_not_told() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.machine.disconnect();
    assert_eq!(client.receive("4{\"message\":\"no\"}"), [""; 0]);
    client.machine.connect(true);
    assert_eq!(client.says(), ["ask"]);
}

#[test]
fn a_connect_that_was_given_up_ends_with_its_connection() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    client.machine.disconnect();
    assert_eq!(client.lose(), [""; 0]);
    client.machine.connect(true);
    assert_eq!(client.says(), ["ask"]);
    client.join();
    client.machine.disconnect();
    client.machine.connect(true);
    client.lose();
    assert_eq!(client.open(), "0", "it was wanted again");
}

#[test]
fn c_053_disconnect_and_connect_at_once() {
    let mut client = Client::connected();
    client.machine.disconnect();
    client.machine.connect(true);
    assert_eq!(client.says(), ["send 1", "disconnected: io client disconnect", "ask"]);
}

#[test]
fn who_was_not_in_yet_is_not_told_that_the_transport_is_gone() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.join();
    assert_eq!(client.lose(), [""; 0]);
    assert_eq!(client.open(), "0");
}

#[test]
fn packets_that_nobody_waits_for_are_ignored() {
    let packets =
        ["0", "0{\"sid\":\"x\"}", "1", "2[\"e\"]", "27[\"e\"]", "30[]", "3[]", "4{}", "4"];
    let mut inactive = Client::new();
    let mut asking = Client::new();
    asking.machine.connect(true);
    asking.says();
    for packet in packets {
        assert_eq!(inactive.receive(packet), [""; 0], "{packet}");
        // C-041: but it listens to a server of version 2.
        if packet != "0" {
            assert_eq!(asking.receive(packet), [""; 0], "{packet}");
        }
    }
    let mut connected = Client::connected();
    for packet in ["0", "0{\"sid\":\"x\"}", "30[]", "3[]", "4{}"] {
        assert_eq!(connected.receive(packet), [""; 0], "{packet}");
    }
    assert_eq!(connected.machine.id(), Some("a"));
}

#[test]
fn a_disconnect_for_the_client_that_has_left_does_not_put_out_the_one_that_came_after() {
    let mut client = Client::new();
    client.machine.connect(true);
    client.says();
    client.join();
    client.receive("0{\"sid\":\"a\"}");
    client.machine.disconnect();
    client.machine.connect(true);
    client.says();
    client.join();
    assert_eq!(client.receive("1"), [""; 0], "it crossed the client's own");
    assert_eq!(client.receive("0{\"sid\":\"b\"}"), ["connected"]);
    assert_eq!(client.receive("1"), ["disconnected: io server disconnect"]);
}

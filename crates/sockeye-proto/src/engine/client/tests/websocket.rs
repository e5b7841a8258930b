use super::*;

#[test]
fn c_006_a_session_may_begin_over_websocket_and_has_nothing_to_upgrade_to() {
    let mut story = Story::of(TIMING, TransportName::WebSocket);
    assert_eq!(story.outputs(), []);
    story.when(Input::Queued, &[]).when(OPEN_WITH_UPGRADE, &[Write]);
    assert_eq!(story.session.transport(), TransportName::WebSocket);
}

#[test]
fn c_045_it_is_writable_when_all_is_written() {
    websocket()
        .is_writable(true)
        .when(Input::Queued, &[Write])
        .is_writable(false)
        .when(Input::Queued, &[Write])
        .when(Input::Drained, &[])
        .is_writable(true);
}

#[test]
fn messages_are_delivered() {
    websocket().receives(Received::Message, &[Deliver]).receives(Received::Message, &[Deliver]);
}

#[test]
fn c_027_how_the_link_ends_is_the_reason() {
    let link = Link::Active;
    websocket().when(Input::LinkClosed { link }, &[TRANSPORT_CLOSE]).is_over();
    websocket().when(Input::LinkFailed { link }, &[TRANSPORT_ERROR]).is_over();
    websocket().when(Input::Undecodable { link }, &[CloseLink, TRANSPORT_ERROR]).is_over();
}

#[test]
fn a_close_packet_ends_the_session_over_websocket_too() {
    websocket().receives(Received::Close, &[CloseLink, TRANSPORT_CLOSE]).is_over();
}

#[test]
fn a_link_that_never_opens_ends_the_session() {
    let link = Link::Active;
    for (input, expected) in [
        (Input::LinkFailed { link }, &[TRANSPORT_ERROR][..]),
        (Input::LinkClosed { link }, &[TRANSPORT_CLOSE]),
        (Input::Undecodable { link }, &[CloseLink, TRANSPORT_ERROR]),
        (Input::Packet { link, packet: PING }, &[CloseLink, TRANSPORT_ERROR]),
    ] {
        Story::of(TIMING, TransportName::WebSocket).when(input, expected).is_over();
    }
}

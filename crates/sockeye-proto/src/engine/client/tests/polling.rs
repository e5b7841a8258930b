use super::*;

#[test]
fn e_001_the_first_get_is_the_handshake() {
    let mut story = handshake();
    assert!(!story.session.is_open() && !story.session.takes_message());
    assert_eq!(story.session.deadline(), None);
    story.is_writable(false).when(OPEN, &[]).is_writable(true);
    assert!(story.session.is_open() && story.session.takes_message());
    assert_eq!(story.session.transport(), TransportName::Polling);
    story.when(Input::PollDone, &[Poll]);
}

#[test]
fn nothing_comes_before_open() {
    for packet in [Received::Message, Received::Open, PING, PONG, Received::Upgrade, Received::Noop]
    {
        handshake().receives(packet, &[TRANSPORT_ERROR]).is_over();
    }
    handshake().receives(Received::Close, &[TRANSPORT_CLOSE]).is_over();
    handshake().when(Input::PollDone, &[TRANSPORT_ERROR]).is_over();
    handshake().when(Input::PollFailed, &[TRANSPORT_ERROR]).is_over();
    let broken = Input::Undecodable { link: Link::Active };
    handshake().when(broken, &[TRANSPORT_ERROR]).is_over();
}

#[test]
fn what_was_queued_before_open_goes_out_then() {
    handshake().when(Input::Queued, &[]).when(OPEN, &[Post]).when(Input::PollDone, &[Poll]);
}

#[test]
fn a_second_open_means_nothing() {
    polling()
        .waits(100)
        .when(OPEN_WITH_UPGRADE, &[])
        .receives(Received::Open, &[])
        .after(400, &[PING_TIMEOUT]);
}

#[test]
fn c_019_the_next_get_follows_the_last_one() {
    polling()
        .receives(Received::Message, &[Deliver])
        .receives(Received::Noop, &[])
        .receives(Received::Upgrade, &[])
        .receives(PONG, &[])
        .when(Input::PollDone, &[Poll])
        .when(Input::PollDone, &[Poll]);
}

#[test]
fn c_019_one_post_at_a_time() {
    polling()
        .is_writable(true)
        .when(Input::Queued, &[Post])
        .is_writable(false)
        .when(Input::Queued, &[])
        .when(DONE_WITH_MORE, &[Post])
        .when(Input::PollDone, &[Poll])
        .when(DONE, &[])
        .is_writable(true)
        .when(Input::Queued, &[Post]);
}

#[test]
fn c_020_what_did_not_fit_goes_with_the_next_post() {
    polling()
        .when(Input::Queued, &[Post])
        .when(DONE_WITH_MORE, &[Post])
        .when(DONE_WITH_MORE, &[Post])
        .when(DONE, &[]);
}

#[test]
fn what_was_taken_back_meanwhile_is_not_posted() {
    polling().when(Input::Queued, &[Post]).when(Input::Queued, &[]).when(DONE, &[]);
}

#[test]
fn c_030_a_request_that_fails_ends_the_session() {
    polling().when(Input::PollFailed, &[TRANSPORT_ERROR]).is_over();
    polling().when(Input::Queued, &[Post]).when(Input::PostFailed, &[TRANSPORT_ERROR]).is_over();
}

#[test]
fn c_029_a_close_packet_ends_the_session() {
    polling().receives(Received::Close, &[TRANSPORT_CLOSE]).is_over();
}

#[test]
fn c_029_what_is_no_packet_is_a_transport_error() {
    polling().when(Input::Undecodable { link: Link::Active }, &[TRANSPORT_ERROR]).is_over();
}

#[test]
fn a_request_that_was_not_sent_has_no_end() {
    polling()
        .when(DONE_WITH_MORE, &[])
        .when(Input::PostFailed, &[])
        .when(Input::Drained, &[])
        .when(Input::CandidateOpened, &[])
        .candidate_receives(PROBE_ANSWER, &[]);
    websocket()
        .when(Input::PollDone, &[])
        .when(Input::PollFailed, &[])
        .when(DONE_WITH_MORE, &[])
        .when(Input::PostFailed, &[]);
}

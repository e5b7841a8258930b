use super::*;

#[test]
fn c_026_over_polling_the_goodbye_is_posted() {
    polling().when(Input::Close, &[PostClose]).when(DONE, &[FORCED_CLOSE]).is_over();
}

#[test]
fn c_026_over_websocket_it_is_a_close_frame() {
    websocket()
        .when(Input::Close, &[CloseLink])
        .when(Input::LinkClosed { link: Link::Active }, &[FORCED_CLOSE])
        .is_over();
}

#[test]
fn c_026_what_is_queued_goes_first() {
    polling()
        .when(Input::Queued, &[Post])
        .when(Input::Close, &[])
        .receives(Received::Message, &[Deliver])
        .receives(PING, &[SendPong])
        .when(Input::PollDone, &[Poll])
        .when(DONE_WITH_MORE, &[Post])
        .when(DONE, &[PostClose])
        .when(DONE, &[FORCED_CLOSE]);
    polling()
        .when(Input::Queued, &[Post])
        .when(Input::Queued, &[])
        .when(DONE_WITH_MORE, &[Post])
        .when(Input::Close, &[])
        .when(DONE, &[PostClose]);
}

#[test]
fn what_is_queued_after_the_close_goes_too_while_something_else_does() {
    polling()
        .when(Input::Queued, &[Post])
        .when(Input::Close, &[])
        .when(Input::Queued, &[])
        .when(DONE_WITH_MORE, &[Post])
        .when(DONE, &[PostClose])
        .when(Input::Queued, &[]);
}

#[test]
fn c_026_a_switch_that_has_begun_is_completed() {
    switching()
        .when(Input::Queued, &[])
        .when(Input::Close, &[])
        .receives(Received::Message, &[Deliver])
        .when(Input::PollDone, &[SwitchToCandidate, CloseLink])
        .when(Input::LinkClosed { link: Link::Active }, &[FORCED_CLOSE]);
}

#[test]
fn c_026_a_switch_that_fails_leaves_polling() {
    switching()
        .when(Input::Queued, &[])
        .when(Input::Close, &[])
        .when(Input::LinkFailed { link: Link::Candidate }, &[DropCandidate, Post])
        .when(DONE, &[PostClose]);
}

#[test]
fn c_026_a_probe_is_given_up() {
    upgrading().when(Input::Close, &[DropCandidate, PostClose]).when(DONE, &[FORCED_CLOSE]);
    upgrading()
        .when(Input::CandidateOpened, &[ProbeCandidate])
        .when(Input::Close, &[DropCandidate, PostClose]);
}

#[test]
fn before_open_the_goodbye_waits_for_the_session() {
    handshake()
        .when(Input::Queued, &[])
        .when(Input::Close, &[])
        .when(OPEN_WITH_UPGRADE, &[Post])
        .when(Input::PollDone, &[Poll])
        .when(DONE, &[PostClose])
        .when(DONE, &[FORCED_CLOSE]);
    handshake().when(Input::Close, &[]).when(Input::PollFailed, &[TRANSPORT_ERROR]).is_over();
    handshake().when(Input::Close, &[]).after(5_000, &[FORCED_CLOSE]).is_over();
}

#[test]
fn before_open_a_websocket_is_dropped() {
    Story::of(TIMING, TransportName::WebSocket).when(Input::Close, &[FORCED_CLOSE]).is_over();
}

#[test]
fn after_the_goodbye_nothing_is_delivered_and_nothing_matters() {
    let mut story = polling();
    story.when(Input::Close, &[PostClose]);
    assert!(!story.session.takes_message() && !story.session.is_open());
    story
        .receives(Received::Message, &[])
        .receives(PING, &[])
        .receives(Received::Close, &[])
        .when(Input::Undecodable { link: Link::Active }, &[])
        .when(Input::PollFailed, &[])
        .when(Input::Unread, &[])
        .when(Input::Close, &[])
        .when(Input::PostFailed, &[FORCED_CLOSE]);
    websocket()
        .when(Input::Close, &[CloseLink])
        .receives(Received::Message, &[])
        .receives(PING, &[])
        .receives(Received::Close, &[])
        .when(Input::Queued, &[])
        .when(Input::Undecodable { link: Link::Active }, &[])
        .when(Input::LinkFailed { link: Link::Active }, &[FORCED_CLOSE]);
}

#[test]
fn the_answer_to_a_last_get_is_not_followed_by_another() {
    polling().when(Input::Close, &[PostClose]).when(Input::PollDone, &[]);
}

#[test]
fn who_does_not_answer_the_goodbye_is_not_waited_for() {
    polling().when(Input::Close, &[PostClose]).after(5_000, &[FORCED_CLOSE]).is_over();
    websocket().when(Input::Close, &[CloseLink]).after(5_000, &[FORCED_CLOSE]).is_over();
    websocket()
        .when(Input::Close, &[CloseLink])
        .when(Input::Unread, &[])
        .after(5_000, &[FORCED_CLOSE]);
    switching().when(Input::Close, &[]).after(500, &[PING_TIMEOUT]).is_over();
}

#[test]
fn the_time_counts_from_the_first_close() {
    polling()
        .when(Input::Queued, &[Post])
        .when(Input::Close, &[])
        .waits(400)
        .when(Input::Close, &[])
        .when(DONE, &[PostClose])
        .after(4_600, &[FORCED_CLOSE]);
}

#[test]
fn until_the_goodbye_the_session_can_be_lost() {
    polling()
        .when(Input::Queued, &[Post])
        .when(Input::Close, &[])
        .when(Input::PostFailed, &[TRANSPORT_ERROR])
        .is_over();
    polling()
        .when(Input::Queued, &[Post])
        .when(Input::Close, &[])
        .receives(Received::Close, &[TRANSPORT_CLOSE])
        .is_over();
    polling().when(Input::Queued, &[Post]).when(Input::Close, &[]).after(500, &[PING_TIMEOUT]);
}

use super::*;

#[test]
fn c_023_a_ping_is_answered_and_restarts_the_timer() {
    websocket()
        .waits(300)
        .receives(PING, &[SendPong, Write])
        .waits(450)
        .receives(PING, &[SendPong, Write])
        .after(500, &[CloseLink, PING_TIMEOUT])
        .is_over();
}

#[test]
fn c_023_the_timer_runs_from_open_on() {
    websocket().after(500, &[CloseLink, PING_TIMEOUT]);
    handshake().waits(1_000).when(OPEN, &[]).after(500, &[PING_TIMEOUT]);
}

#[test]
fn c_023_nothing_but_a_ping_restarts_the_timer() {
    websocket()
        .waits(400)
        .receives(Received::Message, &[Deliver])
        .receives(PONG, &[])
        .receives(Received::Noop, &[])
        .after(100, &[CloseLink, PING_TIMEOUT]);
}

#[test]
fn over_polling_a_pong_waits_for_the_post_before_it() {
    polling().receives(PING, &[SendPong, Post]).when(DONE, &[]);
    polling()
        .when(Input::Queued, &[Post])
        .receives(PING, &[SendPong])
        .when(DONE_WITH_MORE, &[Post]);
}

#[test]
fn c_024_a_late_ping_shows_before_it_is_reported() {
    let mut story = websocket();
    assert!(!story.session.has_expired(Moment::from_millis(499)));
    assert!(story.session.has_expired(Moment::from_millis(500)));
    story.waits(60_000);
    assert!(story.session.has_expired(story.now) && story.session.is_open());
    story.when(Input::DeadlinePassed, &[CloseLink, PING_TIMEOUT]);
}

#[test]
fn c_024_before_open_nothing_is_late() {
    assert!(!handshake().session.has_expired(Moment::from_millis(u64::MAX)));
}

#[test]
fn what_was_not_read_is_not_late() {
    let mut story = websocket();
    for _ in 0..1_000 {
        story.waits(450).when(Input::Unread, &[]);
    }
    story.waits(450).receives(PING, &[SendPong, Write]).after(500, &[CloseLink, PING_TIMEOUT]);
}

#[test]
fn a_deadline_that_has_not_passed_changes_nothing() {
    websocket().waits(499).when(Input::DeadlinePassed, &[]).after(1, &[CloseLink, PING_TIMEOUT]);
}

#[test]
fn a_heartbeat_without_end_ends_never() {
    let mut story = handshake();
    let upgrades = Upgrades::default();
    let (ping_interval, ping_timeout) = (Duration::MAX, Duration::MAX);
    story.when(Input::Opened { upgrades, ping_interval, ping_timeout }, &[]);
    assert_eq!(story.session.deadline(), Some(Moment::from_millis(u64::MAX)));
}

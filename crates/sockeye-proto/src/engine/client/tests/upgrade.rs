use super::*;

const CANDIDATE_ENDS: [Input; 5] = [
    Input::LinkClosed { link: Link::Candidate },
    Input::LinkFailed { link: Link::Candidate },
    Input::Undecodable { link: Link::Candidate },
    Input::Packet { link: Link::Candidate, packet: Received::Message },
    Input::Packet { link: Link::Candidate, packet: Received::Close },
];

#[test]
fn c_021_probe_wait_for_the_get_and_switch() {
    let mut story = upgrading();
    story
        .when(Input::CandidateOpened, &[ProbeCandidate])
        .is_writable(true)
        .candidate_receives(PROBE_ANSWER, &[])
        .is_writable(false)
        .receives(Received::Message, &[Deliver])
        .receives(Received::Noop, &[])
        .when(Input::PollDone, &[SwitchToCandidate])
        .is_writable(true)
        .when(Input::Queued, &[Write]);
    assert_eq!(story.session.transport(), TransportName::WebSocket);
}

#[test]
fn c_021_the_post_is_waited_for_too() {
    upgrading()
        .when(Input::Queued, &[Post])
        .when(Input::CandidateOpened, &[ProbeCandidate])
        .candidate_receives(PROBE_ANSWER, &[])
        .when(Input::PollDone, &[])
        .when(DONE, &[SwitchToCandidate]);
}

#[test]
fn c_022_nothing_is_sent_until_the_switch() {
    switching()
        .when(Input::Queued, &[])
        .receives(PING, &[SendPong])
        .when(Input::PollDone, &[SwitchToCandidate, Write])
        .is_writable(false)
        .when(Input::Drained, &[])
        .is_writable(true);
}

#[test]
fn c_022_what_did_not_fit_into_the_last_post_goes_over_the_new_link() {
    upgrading()
        .when(Input::Queued, &[Post])
        .when(Input::CandidateOpened, &[ProbeCandidate])
        .candidate_receives(PROBE_ANSWER, &[])
        .when(DONE_WITH_MORE, &[])
        .when(Input::PollDone, &[SwitchToCandidate, Write]);
}

#[test]
fn an_upgrade_may_be_done_before_the_first_get_is() {
    handshake()
        .when(OPEN_WITH_UPGRADE, &[OpenCandidate])
        .when(Input::CandidateOpened, &[ProbeCandidate])
        .candidate_receives(PROBE_ANSWER, &[])
        .when(Input::PollDone, &[SwitchToCandidate]);
}

#[test]
fn the_last_poll_may_say_that_the_session_is_over() {
    switching().receives(Received::Close, &[TRANSPORT_CLOSE]).is_over();
    switching().when(Input::PollFailed, &[TRANSPORT_ERROR]).is_over();
}

#[test]
fn c_008_no_upgrade_unless_both_want_it() {
    let mut story = Story::of(ClientTiming { upgrade: false, ..TIMING }, TransportName::Polling);
    assert_eq!(story.outputs(), [Poll]);
    story.when(OPEN_WITH_UPGRADE, &[]).when(Input::PollDone, &[Poll]);
    handshake().when(OPEN, &[]).when(Input::PollDone, &[Poll]);
}

#[test]
fn c_021_a_candidate_that_fails_costs_the_session_nothing() {
    for end in CANDIDATE_ENDS {
        upgrading().when(end, &[DropCandidate]).when(Input::PollDone, &[Poll]);
        upgrading()
            .when(Input::CandidateOpened, &[ProbeCandidate])
            .when(end, &[DropCandidate])
            .when(end, &[])
            .when(Input::Queued, &[Post]);
    }
}

#[test]
fn c_021_only_the_answer_to_the_probe_confirms_it() {
    for packet in [PONG, PING, Received::Ping { probe: true }, Received::Noop, Received::Upgrade] {
        upgrading()
            .when(Input::CandidateOpened, &[ProbeCandidate])
            .candidate_receives(packet, &[DropCandidate])
            .candidate_receives(PROBE_ANSWER, &[]);
    }
    upgrading().candidate_receives(PROBE_ANSWER, &[DropCandidate]);
}

/// The reference stays paused for ever then.
#[test]
fn polling_goes_on_if_the_candidate_fails_in_the_last_moment() {
    for end in CANDIDATE_ENDS {
        upgrading()
            .when(Input::Queued, &[Post])
            .when(Input::CandidateOpened, &[ProbeCandidate])
            .candidate_receives(PROBE_ANSWER, &[])
            .when(Input::PollDone, &[])
            .when(end, &[DropCandidate, Poll])
            .when(DONE_WITH_MORE, &[Post]);
        switching().when(Input::Queued, &[]).when(end, &[DropCandidate, Post]);
    }
}

/// Like `upgrading`, with a ping once a minute.
fn upgrading_slowly() -> Story {
    let mut story = handshake();
    let upgrades = Upgrades { websocket: true };
    let ping_interval = Duration::from_secs(60);
    let opened = Input::Opened { upgrades, ping_interval, ping_timeout: TIMEOUT };
    story.when(opened, &[OpenCandidate]).when(Input::PollDone, &[Poll]);
    story
}

#[test]
fn who_is_gone_or_has_taken_over_is_not_waited_for() {
    upgrading_slowly()
        .when(Input::LinkClosed { link: Link::Candidate }, &[DropCandidate])
        .after(60_200, &[PING_TIMEOUT]);
    upgrading_slowly()
        .when(Input::CandidateOpened, &[ProbeCandidate])
        .candidate_receives(PROBE_ANSWER, &[])
        .when(Input::PollDone, &[SwitchToCandidate])
        .after(60_200, &[CloseLink, PING_TIMEOUT]);
}

#[test]
fn a_candidate_has_its_time() {
    upgrading_slowly()
        .waits(10_000)
        .when(Input::CandidateOpened, &[ProbeCandidate])
        .candidate_receives(PROBE_ANSWER, &[])
        .after(10_000, &[DropCandidate])
        .when(Input::PollDone, &[Poll])
        .after(40_200, &[PING_TIMEOUT]);
}

#[test]
fn a_candidate_that_opens_too_late_is_not_probed() {
    upgrading()
        .when(Input::LinkFailed { link: Link::Candidate }, &[DropCandidate])
        .when(Input::CandidateOpened, &[]);
}

#[test]
fn the_heartbeat_goes_on_during_an_upgrade() {
    switching().waits(400).receives(PING, &[SendPong]).after(500, &[PING_TIMEOUT]).is_over();
}

#[test]
fn the_switch_does_not_restart_the_timer() {
    switching()
        .waits(400)
        .when(Input::PollDone, &[SwitchToCandidate])
        .after(100, &[CloseLink, PING_TIMEOUT]);
}

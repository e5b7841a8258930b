//! Stories of one session. `Story` has a clock that only moves when told to.

use super::*;
use Output::*;

struct Story {
    now: Moment,
    session: Session,
}

impl Story {
    fn over(transport: TransportName) -> Self {
        Self::speaking(Revision::Four, transport)
    }

    fn speaking(revision: Revision, transport: TransportName) -> Self {
        let timing = Timing {
            ping_interval: Duration::from_millis(300),
            ping_timeout: Duration::from_millis(200),
            upgrade_timeout: Duration::from_millis(10_000),
            write_timeout: Duration::from_millis(100),
        };
        let now = Moment::START;
        Self { now, session: Session::open(now, Arc::new(timing), revision, transport) }
    }

    #[track_caller]
    fn when(&mut self, input: Input, expected: &[Output]) -> &mut Self {
        self.session.handle(self.now, input);
        assert_eq!(self.outputs(), expected, "after {input:?}");
        self
    }

    #[track_caller]
    fn receives(&mut self, packet: Received, expected: &[Output]) -> &mut Self {
        self.when(Input::Packet { link: Link::Active, packet }, expected)
    }

    #[track_caller]
    fn candidate_receives(&mut self, packet: Received, expected: &[Output]) -> &mut Self {
        self.when(Input::Packet { link: Link::Candidate, packet }, expected)
    }

    /// Moves the clock to the next deadline, which must be `after` milliseconds away.
    #[track_caller]
    fn after(&mut self, after: u64, expected: &[Output]) -> &mut Self {
        let deadline = self.session.deadline().expect("a deadline");
        assert_eq!(deadline.since(self.now), Duration::from_millis(after));
        self.now = deadline;
        self.when(Input::DeadlinePassed, expected)
    }

    fn waits(&mut self, milliseconds: u64) -> &mut Self {
        self.now = self.now.after(Duration::from_millis(milliseconds));
        self
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.session.poll()).collect()
    }
}

fn polling() -> Story {
    Story::over(TransportName::Polling)
}

fn websocket() -> Story {
    Story::over(TransportName::WebSocket)
}

const EMPTY: Input = Input::Poll { queued: false };
const PROBE: Received = Received::Ping { probe: true };
const PING: Received = Received::Ping { probe: false };
const PONG: Received = Received::Pong { probe: false };
const TRANSPORT_ERROR: CloseReason = CloseReason::TransportError;

mod heartbeat {
    use super::*;

    #[test]
    fn e_076_the_first_ping_comes_after_the_interval_and_the_next_counts_from_the_pong() {
        websocket()
            .after(300, &[Send(Control::Ping)])
            .waits(50)
            .receives(PONG, &[])
            .after(300, &[Send(Control::Ping)]);
    }

    #[test]
    fn e_078_a_missing_pong_ends_the_session() {
        websocket()
            .after(300, &[Send(Control::Ping)])
            .after(200, &[Ended(CloseReason::PingTimeout, CloseDetail::None), CloseLink])
            // Most likely nobody is there: it is not waited for as others are.
            .after(1_000, &[Release]);
    }

    #[test]
    fn e_077_any_packet_postpones_the_time_out_once_for_each_ping() {
        websocket()
            .after(300, &[Send(Control::Ping)])
            .waits(150)
            .receives(Received::Message, &[Deliver])
            .waits(150)
            .receives(Received::Message, &[Deliver])
            .after(50, &[Ended(CloseReason::PingTimeout, CloseDetail::None), CloseLink]);
    }

    #[test]
    fn a_pong_that_was_not_read_is_not_late_but_not_for_ever() {
        let mut story = websocket();
        story.after(300, &[Send(Control::Ping)]);
        for _ in 0..10 {
            story.waits(150).when(Input::Unread, &[]);
        }
        story
            .waits(150)
            .when(Input::Unread, &[])
            .after(50, &[Ended(CloseReason::PingTimeout, CloseDetail::None), CloseLink]);
    }

    #[test]
    fn e_079_a_client_ping_in_revision_4_is_an_error_an_unasked_pong_is_not() {
        websocket()
            .receives(PONG, &[])
            .receives(PING, &[Ended(TRANSPORT_ERROR, CloseDetail::HeartbeatDirection), CloseLink]);
    }

    #[test]
    fn e_081_in_revision_3_the_client_pings() {
        Story::speaking(Revision::Three, TransportName::WebSocket)
            .waits(400)
            .receives(PING, &[Send(Control::Pong)])
            .after(500, &[Ended(CloseReason::PingTimeout, CloseDetail::None), CloseLink]);
    }

    #[test]
    fn each_ping_of_revision_3_makes_up_for_what_was_not_read() {
        let mut story = Story::speaking(Revision::Three, TransportName::WebSocket);
        for _ in 0..20 {
            story.waits(400).when(Input::Unread, &[]).receives(PING, &[Send(Control::Pong)]);
        }
    }

    #[test]
    fn e_083_a_pong_lost_in_the_upgrade_does_not_end_the_session() {
        polling()
            .after(300, &[Send(Control::Ping)])
            .when(Input::CandidateOpened, &[])
            .candidate_receives(Received::Upgrade, &[SwitchToCandidate])
            .after(300, &[Send(Control::Ping)]);
    }

    #[test]
    fn the_heartbeat_goes_on_during_a_probe() {
        polling().when(Input::CandidateOpened, &[]).after(300, &[Send(Control::Ping)]).after(
            200,
            &[Ended(CloseReason::PingTimeout, CloseDetail::None), CloseCandidate, Release],
        );
    }
}

mod polling_rules {
    use super::*;

    #[test]
    fn a_get_waits_until_something_is_queued() {
        polling()
            .when(Input::Queued, &[])
            .when(Input::Poll { queued: true }, &[AnswerPoll(PollAnswer::Queued)])
            .when(EMPTY, &[])
            .when(Input::Queued, &[AnswerPoll(PollAnswer::Queued)]);
    }

    #[test]
    fn e_051_a_second_get_is_refused_and_ends_the_session() {
        polling().when(EMPTY, &[]).when(
            EMPTY,
            &[
                RefusePoll,
                AnswerPoll(PollAnswer::Close),
                Ended(TRANSPORT_ERROR, CloseDetail::OverlappingPoll),
                Release,
            ],
        );
    }

    #[test]
    fn e_052_a_second_post_is_refused_and_ends_the_session() {
        polling().when(Input::Post, &[]).when(Input::PostDone, &[]).when(Input::Post, &[]).when(
            Input::Post,
            &[RefusePost, Ended(TRANSPORT_ERROR, CloseDetail::OverlappingPost), Release],
        );
    }

    #[test]
    fn e_053_a_post_of_unknown_content_is_refused_and_ends_the_session() {
        polling().when(EMPTY, &[]).when(
            Input::PostUnreadable,
            &[
                RefusePost,
                AnswerPoll(PollAnswer::Close),
                Ended(TRANSPORT_ERROR, CloseDetail::InvalidContent),
                Release,
            ],
        );
    }

    #[test]
    fn e_060_a_close_packet_answers_the_waiting_get_with_noop() {
        polling().when(EMPTY, &[]).receives(
            Received::Close,
            &[
                AnswerPoll(PollAnswer::Noop),
                Ended(CloseReason::TransportClose, CloseDetail::None),
                Release,
            ],
        );
    }

    #[test]
    fn e_061_an_aborted_get_or_post_ends_the_session() {
        polling()
            .when(EMPTY, &[])
            .when(Input::PollAborted, &[Ended(TRANSPORT_ERROR, CloseDetail::PollAborted), Release]);
        polling()
            .when(Input::Post, &[])
            .when(Input::PostAborted, &[Ended(TRANSPORT_ERROR, CloseDetail::PostAborted), Release]);
    }

    #[test]
    fn e_061_a_get_whose_answer_was_not_taken_ends_the_session_too() {
        polling()
            .when(Input::Poll { queued: true }, &[AnswerPoll(PollAnswer::Queued)])
            .when(Input::PollAborted, &[Ended(TRANSPORT_ERROR, CloseDetail::PollAborted), Release]);
    }

    #[test]
    fn e_058_a_broken_packet_ends_the_session() {
        polling().when(EMPTY, &[]).when(
            Input::Undecodable { link: Link::Active },
            &[
                AnswerPoll(PollAnswer::Close),
                Ended(CloseReason::ParseError, CloseDetail::None),
                Release,
            ],
        );
    }

    #[test]
    fn e_080_packets_without_meaning_are_ignored() {
        for packet in [Received::Open, Received::Upgrade, Received::Noop] {
            polling().receives(packet, &[]);
            websocket().receives(packet, &[]);
        }
        websocket().receives(Received::Close, &[]).receives(Received::Message, &[Deliver]);
    }
}

mod upgrade {
    use super::*;

    #[test]
    fn e_085_a_probe_is_answered_the_waiting_get_ended_and_the_link_switched() {
        polling()
            .when(EMPTY, &[])
            .when(Input::CandidateOpened, &[])
            .candidate_receives(PROBE, &[AnswerProbe])
            .after(5, &[AnswerPoll(PollAnswer::Noop)])
            .receives(Received::Message, &[Deliver])
            .after(100, &[])
            .candidate_receives(Received::Upgrade, &[SwitchToCandidate])
            .receives(Received::Message, &[Deliver])
            .after(195, &[Send(Control::Ping)]);
    }

    #[test]
    fn the_switch_may_come_without_a_probe_and_ends_the_waiting_get() {
        polling().when(EMPTY, &[]).when(Input::CandidateOpened, &[]).candidate_receives(
            Received::Upgrade,
            &[AnswerPoll(PollAnswer::Noop), SwitchToCandidate],
        );
    }

    #[test]
    fn e_084_a_second_candidate_and_one_after_the_upgrade_are_refused() {
        polling()
            .when(Input::CandidateOpened, &[])
            .when(Input::CandidateOpened, &[RefuseCandidate])
            .candidate_receives(Received::Upgrade, &[SwitchToCandidate])
            .when(Input::CandidateOpened, &[RefuseCandidate]);
        websocket().when(Input::CandidateOpened, &[RefuseCandidate]);
    }

    #[test]
    fn e_088_anything_else_on_the_candidate_closes_only_the_candidate() {
        for packet in [Received::Message, Received::Close, PONG, PING, Received::Noop] {
            polling()
                .when(Input::CandidateOpened, &[])
                .candidate_receives(packet, &[CloseCandidate])
                .receives(Received::Message, &[Deliver])
                .when(Input::CandidateOpened, &[]);
        }
    }

    #[test]
    fn e_089_a_candidate_that_is_late_fails_or_closes_leaves_the_session_alone() {
        let mut story = polling();
        story.when(Input::CandidateOpened, &[]).candidate_receives(PROBE, &[AnswerProbe]);
        story.waits(10_000).receives(PONG, &[]);
        story.when(Input::DeadlinePassed, &[CloseCandidate]);
        story.receives(Received::Message, &[Deliver]);
        for (input, outputs) in [
            (Input::LinkClosed { link: Link::Candidate }, &[][..]),
            (
                Input::LinkFailed { link: Link::Candidate, detail: CloseDetail::InvalidFrame },
                &[CloseCandidate],
            ),
            (Input::Undecodable { link: Link::Candidate }, &[CloseCandidate]),
        ] {
            polling()
                .when(Input::CandidateOpened, &[])
                .when(input, outputs)
                .when(Input::CandidateOpened, &[]);
        }
    }

    #[test]
    fn e_089_a_session_that_ends_closes_its_candidate() {
        polling().when(Input::CandidateOpened, &[]).receives(
            Received::Close,
            &[Ended(CloseReason::TransportClose, CloseDetail::None), CloseCandidate, Release],
        );
    }

    #[test]
    fn e_064_after_the_upgrade_polling_requests_are_a_mismatch() {
        let mut story = polling();
        let admit = |story: &Story, transport| {
            story.session.admit(transport, false, Revision::Four).map_err(|error| error.code())
        };
        assert_eq!(admit(&story, TransportName::Polling), Ok(()));
        assert_eq!(admit(&story, TransportName::WebSocket), Err(3));
        story
            .when(Input::CandidateOpened, &[])
            .candidate_receives(Received::Upgrade, &[SwitchToCandidate]);
        assert_eq!(admit(&story, TransportName::Polling), Err(3));
        story.when(EMPTY, &[RefusePoll]).when(Input::Post, &[RefusePost]);
    }

    #[test]
    fn a_request_that_fails_after_the_upgrade_leaves_the_session_alone() {
        polling()
            .when(Input::Post, &[])
            .when(Input::CandidateOpened, &[])
            .candidate_receives(Received::Upgrade, &[SwitchToCandidate])
            .when(Input::PostAborted, &[])
            .when(Input::PostUnreadable, &[RefusePost])
            .receives(Received::Message, &[Deliver]);
    }

    #[test]
    fn e_090_a_session_that_was_closing_closes_the_new_link_after_the_switch() {
        polling()
            .when(Input::CandidateOpened, &[])
            .when(Input::Close, &[Ended(CloseReason::ForcedClose, CloseDetail::None)])
            .candidate_receives(Received::Upgrade, &[SwitchToCandidate, CloseLink])
            .when(Input::LinkClosed { link: Link::Active }, &[Release]);
    }
}

mod closing {
    use super::*;

    const FORCED: Output = Ended(CloseReason::ForcedClose, CloseDetail::None);

    #[test]
    fn e_062_a_waiting_get_is_answered_with_the_close_packet() {
        polling()
            .when(EMPTY, &[])
            .when(Input::Close, &[AnswerPoll(PollAnswer::Close), FORCED, Release]);
    }

    #[test]
    fn e_062_without_a_get_the_close_waits_for_the_next_one() {
        polling()
            .when(Input::Close, &[FORCED])
            .when(EMPTY, &[AnswerPoll(PollAnswer::NoopAndClose), Release]);
    }

    #[test]
    fn e_092_what_is_queued_goes_out_before_the_close() {
        polling()
            .when(Input::Close, &[FORCED])
            .when(Input::Poll { queued: true }, &[AnswerPoll(PollAnswer::Queued)])
            .when(EMPTY, &[AnswerPoll(PollAnswer::NoopAndClose), Release]);
    }

    #[test]
    fn e_032_the_close_waits_30_seconds_at_most() {
        polling().when(Input::Close, &[FORCED]).after(30_000, &[Release]);
    }

    #[test]
    fn e_060_a_client_that_closes_too_is_not_waited_for() {
        polling().when(Input::Close, &[FORCED]).receives(Received::Close, &[Release]);
    }

    #[test]
    fn over_websocket_the_link_is_closed_and_its_end_awaited() {
        websocket()
            .when(Input::Close, &[FORCED, CloseLink])
            .receives(Received::Message, &[])
            .when(Input::LinkClosed { link: Link::Active }, &[Release]);
    }

    #[test]
    fn a_session_ends_once() {
        let mut story = websocket();
        story.when(
            Input::LinkClosed { link: Link::Active },
            &[Ended(CloseReason::TransportClose, CloseDetail::None), Release],
        );
        for input in [
            Input::Close,
            Input::LinkClosed { link: Link::Active },
            Input::Undecodable { link: Link::Active },
            Input::DeadlinePassed,
            Input::Queued,
        ] {
            story.when(input, &[]);
        }
        story.when(Input::CandidateOpened, &[RefuseCandidate]);
        assert_eq!(story.session.deadline(), None);
    }
}

mod writing {
    use super::*;

    const FULL: Input = Input::WriteBlocked { progress: false };
    const SOME: Input = Input::WriteBlocked { progress: true };
    const STALLED: Output = Ended(TRANSPORT_ERROR, CloseDetail::WriteStalled);

    #[test]
    fn b_03_a_peer_that_takes_nothing_is_ended_also_if_its_pongs_come() {
        let mut story = websocket();
        story.when(FULL, &[]).waits(60).receives(PONG, &[]).when(FULL, &[]);
        story.after(40, &[STALLED, Release]);
        assert_eq!(story.session.deadline(), None);
    }

    #[test]
    fn a_slow_peer_that_takes_something_has_its_time_anew() {
        let mut story = websocket();
        story.when(FULL, &[]).waits(99).when(SOME, &[]).waits(99).when(SOME, &[]);
        story.after(100, &[STALLED, Release]);
    }

    #[test]
    fn what_was_taken_at_last_is_not_waited_for() {
        let mut story = websocket();
        story.when(FULL, &[]).waits(99).when(Input::WriteUnblocked, &[]);
        story.after(201, &[Send(Control::Ping)]);
    }

    #[test]
    fn a_peer_that_is_told_of_the_end_has_the_time_for_that_and_no_other() {
        let forced = Ended(CloseReason::ForcedClose, CloseDetail::None);
        let mut story = websocket();
        story.when(FULL, &[]).when(Input::Close, &[forced, CloseLink]).when(FULL, &[]);
        story.after(5_000, &[Release]);
    }
}

#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 112, "{} bytes", size_of::<Session>());
}

"""What mails teach about a relay: whether mails may follow bodies, and complaints."""

from structlog.testing import capture_logs

from gcsched.adapters.smtp.feedback import RelayFeedback
from gcsched.adapters.smtp.pipelining import IN_GROUP, FollowingPolicy
from gcsched.adapters.smtp.session_limit import SessionLimit
from tests.support.relay.peer import READY, Peer, Sender

GIVEN_UP = {
    "event": "pipelining across mails given up",
    "relay": "relay:25",
    "log_level": "warning",
}


def a_policy() -> FollowingPolicy:
    return FollowingPolicy(relay="relay:25")


def make_trial(policy: FollowingPolicy, *, has_worked: bool | None) -> None:
    assert policy.may_follow
    policy.end(is_trial=policy.begin(), has_worked=has_worked)


def test_only_one_mail_tries_to_follow_until_that_is_known_to_work() -> None:
    policy = a_policy()

    is_trial = policy.begin()
    meanwhile = policy.may_follow
    policy.end(is_trial=is_trial, has_worked=True)

    assert (is_trial, meanwhile, policy.may_follow) == (True, False, True)
    assert [policy.begin(), policy.may_follow, policy.begin()] == [False, True, False]


def test_after_two_failed_trials_in_a_row_no_mail_follows_and_that_is_logged_once() -> None:
    policy = a_policy()

    with capture_logs() as events:
        make_trial(policy, has_worked=False)
        make_trial(policy, has_worked=False)

    assert not policy.may_follow
    assert events == [GIVEN_UP]


def test_a_trial_that_works_or_shows_nothing_leaves_the_next_ones() -> None:
    policy = a_policy()

    with capture_logs() as events:
        make_trial(policy, has_worked=False)
        make_trial(policy, has_worked=None)
        make_trial(policy, has_worked=True)
        policy.end(is_trial=False, has_worked=False)
        make_trial(policy, has_worked=False)

    assert policy.may_follow
    assert events == []


def test_a_relay_that_fails_after_it_worked_is_tried_by_one_mail_again() -> None:
    policy = a_policy()
    make_trial(policy, has_worked=True)
    others = [policy.begin() for _ in range(3)]

    policy.end(is_trial=False, has_worked=False)
    is_trial = policy.begin()

    assert (others, is_trial, policy.may_follow) == ([False] * 3, True, False)


def test_a_trial_that_is_under_way_stays_the_only_one_when_an_older_mail_fails() -> None:
    policy = a_policy()
    make_trial(policy, has_worked=True)
    policy.end(is_trial=False, has_worked=False)
    policy.begin()  # the trial
    policy.end(is_trial=False, has_worked=True)
    policy.begin()

    policy.end(is_trial=False, has_worked=False)

    assert not policy.may_follow


def test_no_mail_follows_while_the_relay_takes_long_for_bodies() -> None:
    policy = a_policy()
    make_trial(policy, has_worked=True)

    policy.record_reply(1.0)
    slow = policy.may_follow
    policy.record_reply(0.9)

    assert (slow, policy.may_follow) == (False, True)


def test_a_mail_that_was_withdrawn_ends_its_trial_and_no_other_follows_until_a_quick_reply() -> (
    None
):
    policy = a_policy()

    policy.withdraw(is_trial=policy.begin())
    withdrawn = policy.may_follow
    policy.record_reply(0.1)

    assert (withdrawn, policy.may_follow) == (False, True)


def a_feedback(limit: SessionLimit) -> RelayFeedback:
    return RelayFeedback(relay="relay:25", limit=limit, is_needed=lambda: False, clock=lambda: 100)


def test_the_421_of_a_kept_session_that_timed_out_is_no_complaint() -> None:
    limit, peer, first, second = SessionLimit(16), Peer(), Sender("first"), Sender("second")
    feedback = a_feedback(limit)
    peer.begin(first)
    peer.transmit(first)
    peer.reply("250 2.0.0 kept")
    peer.conversation.start(second.transaction)
    peer.reply("421 4.4.2 idle for too long")

    feedback.learn(second.transaction, IN_GROUP, is_trial=False)

    assert limit.current == 16


def test_a_421_in_a_new_session_and_a_throttled_body_are_complaints() -> None:
    for replies in ((), READY):
        limit, peer, sender = SessionLimit(16), Peer(), Sender("ada")
        peer.conversation.start(sender.transaction)
        if replies:
            peer.reply(*replies)
            peer.transmit(sender)
        peer.reply("451 4.7.0 slow down" if replies else "421 4.7.0 slow down")

        a_feedback(limit).learn(sender.transaction, IN_GROUP, is_trial=False)

        assert limit.current == 8


def test_a_trial_whose_session_is_lost_has_failed_and_another_mail_shows_nothing() -> None:
    for is_trial in (True, False):
        feedback, peer = a_feedback(SessionLimit(16)), Peer()
        first, second = Sender("first"), Sender("second")
        peer.follow(first, second)
        feedback.following.begin()
        peer.conversation.lose("the connection closed")

        feedback.learn(second.transaction, IN_GROUP, is_trial=is_trial)
        with capture_logs() as events:
            feedback.following.end(is_trial=True, has_worked=False)

        assert events == ([GIVEN_UP] if is_trial else [])

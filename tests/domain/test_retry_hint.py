"""Waits that relays ask for, and times in replies that are not waits."""

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.retry_hint import MAX_HINT, parse_retry_hint
from tests.domain.temporary_replies import ALL as TEMPORARY


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("greylisted, try again in 300 seconds", timedelta(seconds=300)),
        ("wait 5 minutes", timedelta(minutes=5)),
        ("Retry in 90s", timedelta(seconds=90)),
        ("try again in 1 Hour", timedelta(hours=1)),
        ("come back in 10min", timedelta(minutes=10)),
        ("retry in 99999 hours", timedelta(hours=4)),
        ("wait 0 seconds", None),
        ("too many messages, 100 messages are enough", None),
        ("from 192.0.2.7 server", None),
        ("later", None),
        ("Greylisting in action, please come back in 00:05:00", timedelta(minutes=5)),
        ("wait 01:00:30", timedelta(hours=1, seconds=30)),
        ("wait 00:00:00", None),
        ("Greylisted for 300 seconds", timedelta(minutes=5)),
        ("try again in 1 hour 30 minutes", timedelta(minutes=90)),
        ("try again in 1h30m", timedelta(minutes=90)),
        ("again in 1.5 hours", timedelta(minutes=90)),
        ("retry after 1 hour, 5 minutes and 3 seconds", timedelta(hours=1, minutes=5, seconds=3)),
        ("retry in at least 90 s", timedelta(seconds=90)),
        ("back in 2 days", timedelta(hours=4)),
        # A time of day, a number with a letter, a past time: none of them is a wait.
        ("retry after 14:30:00", None),
        ("at 00:05:00", None),
        ("4.7.1 code 451 s", None),
        ("queue id 12345 h", None),
        ("mx 3 m", None),
        ("(rack 7 s) busy", None),
        ("3m later", None),
        ("in 4.7.1 s", None),
        ("in 5 messages", None),
        ("in 5 seconders", None),
        ("you were here 5 minutes ago", None),
        ("in \u0663 seconds", None),
        ("in 5 \u017fecond\u017f", None),
        ("", None),
        # A cue, and words between it and the time.
        ("please wait at least 5 minutes before you try again", timedelta(minutes=5)),
        ("Try again later (in 5 minutes)", timedelta(minutes=5)),
        ("try the message again after 15 mins", timedelta(minutes=15)),
        ("5 minutes before retrying", timedelta(minutes=5)),
        ("in 5 minutes and then try again", timedelta(minutes=5)),
        ("temporarily blocked for 60 minutes", timedelta(hours=1)),
        ("your mail is delayed for 10 minutes", timedelta(minutes=10)),
        ("wait 5-10 minutes", timedelta(minutes=10)),
        ("retry in 5 to 10 minutes", timedelta(minutes=10)),
        ("limit is 100 mails in 60 minutes, retry in 30 seconds", timedelta(seconds=30)),
        # The time may touch its cue, be a guess, stand in brackets, or come before the retry.
        ("Retry-After: 120 seconds", timedelta(minutes=2)),
        ("try again in: 5 minutes", timedelta(minutes=5)),
        ("try again in ~5 minutes", timedelta(minutes=5)),
        ("try again in approx. 5 minutes", timedelta(minutes=5)),
        ("try again in less than 5 minutes", timedelta(minutes=5)),
        ("try again in roughly 5-10 minutes", timedelta(minutes=10)),
        ("try again after a minimum of 5 minutes", timedelta(minutes=5)),
        ("wait no less than 5 minutes", timedelta(minutes=5)),
        ("in 5 minutes, try again", timedelta(minutes=5)),
        ("after 5 minutes try again", timedelta(minutes=5)),
        ("Greylisted. After about 5 minutes, please retry", timedelta(minutes=5)),
        ("busy; in 1 hour, you may try again", timedelta(hours=1)),
        ("Please try again in a few minutes (300 seconds)", timedelta(minutes=5)),
        ("try again later (300 seconds)", timedelta(minutes=5)),
        ("wait time: 300 seconds", timedelta(minutes=5)),
        ("waiting period is 300 seconds", timedelta(minutes=5)),
        ("wait time: 00:05:00", timedelta(minutes=5)),
        ("greylisted 5 minutes", timedelta(minutes=5)),
        ("Greylisting: 5 minutes", timedelta(minutes=5)),
        ("greylisted, 250 seconds remaining", timedelta(seconds=250)),
        ("deferred 5 minutes", timedelta(minutes=5)),
        ("delay of 300 seconds", timedelta(minutes=5)),
        ("after a delay of about 300 seconds", timedelta(minutes=5)),
        ("please attempt delivery in 10 minutes", timedelta(minutes=10)),
        ("attempt again after 10 minutes", timedelta(minutes=10)),
        ("do not try again for 5 minutes", timedelta(minutes=5)),
        ("please do not retry before 10 minutes", timedelta(minutes=10)),
        ("try again after (300 seconds)", timedelta(minutes=5)),
        ("retry in ca. 5 min", timedelta(minutes=5)),
        ("temporarily deferred for 1 hour", timedelta(hours=1)),
        ("try again within 5 minutes", timedelta(minutes=5)),
        ("user is on holiday; try again in 5 minutes", timedelta(minutes=5)),
        ("mx is back in 20 minutes", timedelta(minutes=20)),
        # How long a person is away, how long something took, how often something is allowed.
        ("user is on holiday, back in 14 days", None),
        ("out of the office, will return in 3 days", None),
        ("Ada is on vacation and will be back in 2 days", None),
        ("she is back in 14 days", None),
        ("the user will return in 2 days", None),
        ("your mail was delayed for 3 hours", None),
        ("your mail was delayed 3 hours", None),
        ("it has been deferred for 3 hours", None),
        ("after a delay of 300 seconds ago", None),
        ("greylisted 5 minutes ago", None),
        ("timeout after 5 minutes, try again", None),
        ("500 mails in 1 hour, try again", None),
        ("no attempt in 5 days", None),
        ("timeout waiting 300 seconds for data", None),
        ("quota: 3 days remaining", None),
        ("try again later (5 messages)", None),
        ("blocked at 14:30:00", None),
        ("deferred 14:30:00", None),
        # Times that are not waits: a limit, a term, the action of another server.
        ("500 mails in 1 hour", None),
        ("limit 100 messages per 60 seconds", None),
        ("try again later, 100 messages per 60 seconds", None),
        ("more than 500 mails in 1 hour, try again later", None),
        ("Try again later. 500 mails in 1 hour are allowed", None),
        ("expires in 3 days", None),
        ("queued, will be retried for 3 days", None),
        ("retry for 3 days", None),
        ("retry within 4 hours", None),
        ("you have 5 minutes to retry", None),
        ("no answer within 600 seconds", None),
        ("in 5 minutes", None),
        ("for 300 seconds", None),
        ("back 5 minutes ago", None),
        ("wait until 14:30:00", None),
    ],
)
def test_a_hint_to_wait_is_parsed_up_to_a_limit(text: str, wait: timedelta | None) -> None:
    assert parse_retry_hint(text) == wait


@pytest.mark.parametrize(
    ("line", "wait"),
    [(line, wait) for _, line, _, wait in TEMPORARY],
    ids=[line for _, line, *_ in TEMPORARY],
)
def test_in_real_replies_only_a_wait_is_parsed_as_one(line: str, wait: timedelta | None) -> None:
    assert parse_retry_hint(line) == (wait and min(wait, MAX_HINT))


MORE_WORDS = ["in 5 minutes, ", "is back ", "on leave ", "greylisted ", "delay of ", "a few "]


@pytest.mark.parametrize(
    "word", ["wait ", "again in ", "5 minutes ", "wait 5 m ", "retry, the ", *MORE_WORDS]
)
def test_the_longest_reply_is_parsed_quickly(word: str) -> None:
    before = time.process_time()

    parse_retry_hint(word * (32_768 // len(word)))

    assert time.process_time() - before < 1


@given(
    st.text(max_size=200)
    | st.text(alphabet="in for 0123456789:.smhd,and", max_size=60)
    | st.from_regex(r"(in|for|after) [0-9]{1,5}:?[0-9. ]{0,6}(s|min|hours|\u017f|d)*")
)
def test_no_text_breaks_it_and_no_wait_is_negative_or_too_long(text: str) -> None:
    wait = parse_retry_hint(text)

    assert wait is None or timedelta(0) < wait <= MAX_HINT

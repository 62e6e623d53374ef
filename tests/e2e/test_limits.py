"""How fast the application sends under a rate limit, and to a relay that throttles it."""

from tests.support.in_process_app import (
    make_settings,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.relay.server import Relay, Throttle
from tests.support.wait import until


def most_in_a_second(relay: Relay, *, after: float = 0.0) -> int:
    """Return the most mails within a second that begins *after* so many seconds, or later."""
    times = [kept.time for kept in relay.ledger]
    starts = [each for each in times if each >= min(times) + after]
    return max(sum(start <= each < start + 1 for each in times) for start in starts)


async def test_mails_leave_at_the_rate_and_each_is_claimed_once(
    mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        settings = make_settings(
            mongo=mongo_uri,
            redis=redis_url,
            relay_port=relay.port,
            smtp_rate="20",
            smtp_burst="5",
        )
        async with running_app(settings) as app:
            await schedule_mails(app, 65)
            sent = await until(lambda: read_jobs_if_all_sent(app.resources), within=30)

    times = [kept.time for kept in relay.ledger]
    assert len(times) == 65
    assert most_in_a_second(relay) <= 27
    assert max(times) - min(times) > 2.8
    # The rate is reached also without the burst. A busy machine holds up some mails, but not all.
    assert most_in_a_second(relay, after=1) >= 17
    assert {job["version"] for job in sent} == {2}  # claimed, sent


async def test_while_redis_is_away_mails_leave_at_a_quarter_of_the_rate(
    mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        away = redis_url.partition("//")[0] + "//127.0.0.1:1/0"
        settings = make_settings(
            mongo=mongo_uri, redis=away, relay_port=relay.port, smtp_rate="40", smtp_burst="4"
        )
        async with running_app(settings) as app:
            await schedule_mails(app, 25)
            await until(lambda: read_jobs_if_all_sent(app.resources))

    times = [kept.time for kept in relay.ledger]
    assert most_in_a_second(relay) <= 12
    assert max(times) - min(times) > 2.2


async def test_a_relay_that_throttles_gets_its_mails_more_slowly_and_each_once(
    mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay:
        relay.add_rule(Throttle(per_second=40))
        settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app:
            await schedule_mails(app, 150)
            await until(lambda: read_jobs_if_all_sent(app.resources), within=60)

            throttled = len(relay.applied_actions)

    assert len(relay.ledger) == len(relay.per_recipient) == 150
    assert throttled < 150

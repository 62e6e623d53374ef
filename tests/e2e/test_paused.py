"""A process that was paused answers what has piled up meanwhile."""

from pathlib import Path

from tests.support.service import a_meet, environment, is_serving, scheduler, service

MORE_THAN_GRPC_HOLDS = 3_500  # of itself: it would answer CANCELLED to a part of them, at random


async def test_calls_that_piled_up_are_all_accepted(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with service(tmp_path, settings) as paused, scheduler(paused.target) as stub:
        await stub.ScheduleMeet(a_meet(1))
        paused.freeze()
        calls = [
            stub.ScheduleMeet(a_meet(number), timeout=60)
            for number in range(2, MORE_THAN_GRPC_HOLDS)
        ]
        assert not await is_serving(paused.target)  # silent, while they pile up
        paused.thaw()
        replies = [await call for call in calls]

    assert all(reply.success for reply in replies)

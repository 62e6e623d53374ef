import time

from gcsched.bench.load import Load
from gcsched.bench.progress import LoadProgress
from gcsched.bench.system import RemoteSystem
from gcsched.client import AsyncClient
from tests.support.fake_scheduler import ACCEPTED, fake_scheduler


async def test_a_load_knows_how_long_before_its_due_time_each_job_was_scheduled() -> None:
    async with (
        fake_scheduler(ScheduleMeet=ACCEPTED) as service,
        AsyncClient(service.target, environment={}) as client,
    ):
        system = RemoteSystem(clients=[client], target=service.target)
        load = Load(system=system, run="ab", domain="bench.test", progress=LoadProgress())
        now = time.time()

        await load.schedule(3, 1, lambda i: now + 100 * i - 50)
        late = load.least_ahead
        await load.schedule(3, 1, lambda _: now + 100)

    assert -80 < late <= -50
    assert 70 < load.least_ahead <= 100
    assert load.calls_per_s > 0

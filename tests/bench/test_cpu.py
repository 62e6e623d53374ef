import os
import threading
from pathlib import Path

from gcsched.bench.cpu import restrict_threads
from tests.support.wait import until


async def test_a_thread_that_has_ended_does_not_keep_others_from_their_cores() -> None:
    ended, stop = threading.Thread(target=int), threading.Event()
    ended.start()
    ended.join()
    running = threading.Thread(target=stop.wait)
    running.start()
    assert ended.native_id is not None
    assert running.native_id is not None
    await until(lambda: not Path(f"/proc/self/task/{ended.native_id}").exists())
    core = min(os.sched_getaffinity(running.native_id))

    try:
        restrict_threads([ended.native_id, running.native_id], {core})

        assert os.sched_getaffinity(running.native_id) == {core}
    finally:
        stop.set()
        running.join()

"""Files of TLS are read again: new ones are used, broken ones leave what is in use."""

import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
import trustme
from structlog.testing import capture_logs

from gcsched.adapters.tls import watch
from gcsched.adapters.tls.files import ListenerFiles, ListenerTls
from gcsched.adapters.tls.watch import TlsWatch
from tests.support.certificates import (
    DAY,
    NOW,
    PairFiles,
    chain_of,
    issue,
    write_authority,
    write_pair,
)
from tests.support.log_events import find_events

UNUSABLE, USABLE = "TLS files unusable, keeping those before", "TLS files usable again"
EXCHANGED, EXPIRES = "TLS certificate exchanged", "TLS certificate expires"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> PairFiles:
    return write_pair(tmp_path, issue(authority))


class Watched:
    """A watch of *files* and all that it exchanged."""

    def __init__(self, files: PairFiles, authorities: Path | None = None) -> None:
        self.now = NOW
        self.exchanged: list[ListenerTls] = []
        paths = ListenerFiles(chain=files.chain, key=files.key, authorities=authorities)
        self.watch = TlsWatch(
            listener="gRPC",
            files=paths,
            now=lambda: self.now,
            current=paths.read(now=NOW),
            on_exchange=self.exchanged.append,
        )

    async def check(self, times: int = 1) -> None:
        for _ in range(times):
            await self.watch.check()


async def test_unchanged_files_exchange_nothing(files: PairFiles) -> None:
    watched = Watched(files)
    os.utime(files.chain)  # Kubernetes touches them when it updates a secret

    with capture_logs() as logs:
        await watched.check(3)

    assert (watched.exchanged, watched.watch.problem, watched.watch.expiry, logs) == (
        [],
        None,
        None,
        [],
    )


async def test_a_new_pair_is_used_at_the_next_look(files: PairFiles, authority: trustme.CA) -> None:
    watched, following = Watched(files), issue(authority)
    files.write(following)

    with capture_logs() as logs:
        await watched.check(2)

    (found,) = watched.exchanged
    assert watched.watch.current is found
    assert found.pair.chain == chain_of(following)
    assert found.pair.key == following.private_key_pem.bytes()
    (event,) = find_events(logs, EXCHANGED)
    assert event["listener"] == "gRPC"
    assert datetime.fromisoformat(event["expires"]) == found.pair.end


async def test_links_that_kubernetes_swaps_are_followed(
    tmp_path: Path, authority: trustme.CA
) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_pair(tmp_path / name, issue(authority))
    (tmp_path / "..data").symlink_to("first")
    watched = Watched(
        PairFiles(chain=tmp_path / "..data/server.pem", key=tmp_path / "..data/server.key")
    )
    (tmp_path / "new").symlink_to("second")
    (tmp_path / "new").rename(tmp_path / "..data")

    await watched.check()

    (found,) = watched.exchanged
    assert found.pair.chain == (tmp_path / "second/server.pem").read_bytes()


async def test_new_authorities_of_callers_are_used(
    tmp_path: Path, files: PairFiles, authority: trustme.CA
) -> None:
    watched = Watched(files, write_authority(tmp_path, authority))
    write_authority(tmp_path, following := trustme.CA())

    await watched.check()

    (found,) = watched.exchanged
    assert found.authorities is not None
    assert found.authorities.certificates == following.cert_pem.bytes()


async def test_a_pair_that_is_being_written_is_no_problem(
    files: PairFiles, authority: trustme.CA
) -> None:
    watched, following = Watched(files), issue(authority)
    with capture_logs() as logs:
        files.chain.write_bytes(chain_of(following))
        await watched.check()
        between = watched.watch.problem
        files.key.write_bytes(following.private_key_pem.bytes())
        await watched.check()

    assert (between, watched.watch.problem, len(watched.exchanged)) == (None, None, 1)
    assert [each["event"] for each in logs] == [EXCHANGED]


def remove(files: PairFiles) -> None:
    files.key.unlink()


def mix(files: PairFiles) -> None:
    files.key.write_bytes(issue(trustme.CA()).private_key_pem.bytes())


def damage(files: PairFiles) -> None:
    files.chain.write_bytes(files.chain.read_bytes()[:100])


def expire(files: PairFiles) -> None:
    files.write(issue(trustme.CA(), end=NOW - timedelta(seconds=1)))


@pytest.mark.parametrize("spoil", [remove, mix, damage, expire])
async def test_files_that_cannot_be_used_leave_the_pair_in_use_and_are_logged_once(
    spoil: Callable[[PairFiles], None], files: PairFiles, tmp_path: Path
) -> None:
    watched = Watched(files)
    before = watched.watch.current
    kept = PairFiles(chain=tmp_path / "kept.pem", key=tmp_path / "kept.key")
    shutil.copy(files.chain, kept.chain)
    shutil.copy(files.key, kept.key)

    with capture_logs() as logs:
        spoil(files)
        await watched.check(5)
        problem = watched.watch.problem
        shutil.copy(kept.chain, files.chain)
        shutil.copy(kept.key, files.key)
        await watched.check(2)

    assert (watched.watch.current, watched.exchanged) == (before, [])
    (event,) = find_events(logs, UNUSABLE)
    assert problem is not None
    assert (event["error"], event["listener"], event["log_level"]) == (problem, "gRPC", "warning")
    assert str(files.chain) in problem or str(files.key) in problem
    assert watched.watch.problem is None
    assert len(find_events(logs, USABLE)) == 1


async def test_each_distinct_problem_is_logged(files: PairFiles) -> None:
    watched = Watched(files)
    with capture_logs() as logs:
        mix(files)
        await watched.check(3)
        remove(files)
        await watched.check(3)

    errors = [each["error"] for each in find_events(logs, UNUSABLE)]
    assert ["does not belong" in errors[0], "file not found" in errors[1]] == [True, True]
    assert len(errors) == 2


async def test_the_end_of_a_certificate_is_reported_once_a_day(
    tmp_path: Path, authority: trustme.CA
) -> None:
    end = (NOW + 20 * DAY).replace(microsecond=0)
    watched = Watched(write_pair(tmp_path, issue(authority, start=NOW - 80 * DAY, end=end)))
    with capture_logs() as logs:
        await watched.check(2)
        early = watched.watch.expiry
        for _ in range(4):
            watched.now = max(watched.now + timedelta(hours=12), end - timedelta(days=13))
            await watched.check(3)

    assert early is None
    assert len(find_events(logs, EXPIRES)) == 2
    assert (
        watched.watch.expiry
        == f"its server certificate expires on {end:%Y-%m-%d %H:%M} UTC: renew it"
    )
    assert not watched.watch.has_expired
    watched.now = end
    assert watched.watch.has_expired
    assert str(watched.watch.expiry).startswith("its server certificate expired on ")


async def test_files_that_hang_are_a_problem(
    files: PairFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "READ_WITHIN", timedelta(milliseconds=10))
    answers, reads = Event(), list[int]()
    watched = Watched(files)

    def hang() -> None:
        reads.append(1)
        answers.wait(30)

    monkeypatch.setattr(watched.watch, "_read_if_changed", hang)
    watched.watch.__post_init__()  # it has the method that hangs now
    await watched.check(3)
    problem = watched.watch.problem
    answers.set()
    await watched.check()

    assert (problem, len(reads)) == (watch.HANGS, 1)
    assert watched.watch.problem is None

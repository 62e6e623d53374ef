"""No two tests get the same port."""

import multiprocessing
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.ports import NOT_EPHEMERAL, NoFreePort, Ports, free_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
SOME = [free_port() for _ in range(12)]  # no other program listens there
BLOCK = 4

Holder = Callable[[], Ports]


@pytest.fixture
def a_holder(tmp_path: Path) -> Iterator[Holder]:
    """Make holders of the same ports, as processes beside each other are."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Ports(SOME, tmp_path / "locks", block=BLOCK)))


def some_ports(count: int) -> list[int]:
    return [free_port() for _ in range(count)]


def test_no_port_is_handed_out_twice() -> None:
    assert len(set(some_ports(30))) == 30


def test_processes_beside_each_other_get_different_ports() -> None:
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawning) as others:
        parts = [*others.map(some_ports, [20, 20]), some_ports(20)]

    assert len(set().union(*parts)) == 60


def test_a_block_that_another_process_holds_is_passed_over(a_holder: Holder) -> None:
    assert [a_holder().next_free() for _ in range(3)] == SOME[::BLOCK]


def test_blocks_follow_each_other_until_no_port_is_left(a_holder: Holder) -> None:
    holder = a_holder()
    assert [holder.next_free() for _ in SOME] == SOME

    with pytest.raises(NoFreePort, match=f"no free port is left from {SOME[0]} to {SOME[-1]}"):
        holder.next_free()


def test_a_block_is_for_others_when_its_process_has_ended(a_holder: Holder) -> None:
    for _ in range(5):
        with closing(a_holder()) as holder:
            assert holder.next_free() == SOME[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "", "::"])
def test_a_port_on_which_a_program_listens_is_passed_over(a_holder: Holder, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, SOME[0]), family=family, dualstack_ipv6=":" in host):
        assert a_holder().next_free() == SOME[1]


@pytest.mark.skipif(not RANGE.exists(), reason="only Linux says which ports it takes itself")
def test_no_connection_takes_one_of_our_ports_by_itself() -> None:
    lowest = int(RANGE.read_text().split()[0])

    assert max(NOT_EPHEMERAL) < lowest

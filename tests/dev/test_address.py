"""Whether we could listen somewhere, asked of the machine itself."""

import socket
from collections.abc import Iterator

import pytest

from gcsched.dev.address import free_or_any, refuse_taken
from gcsched.errors import AddressInUse
from tests.ports import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1:0", "0.0.0.0:0", "localhost:0"])
def test_a_free_address_is_no_trouble(address: str) -> None:
    refuse_taken(address, "--grpc")


@pytest.mark.parametrize("host", ["127.0.0.1:", "0.0.0.0:", "localhost:"])
def test_a_taken_one_is_refused_by_the_name_of_its_option(taken: int, host: str) -> None:
    address = f"{host}{taken}"
    with pytest.raises(AddressInUse, match=f"cannot listen on {address}: .* set --grpc to"):
        refuse_taken(address, "--grpc")


@pytest.mark.parametrize("address", ["192.0.2.1:50051", "no-such-host.invalid:50051"])
def test_an_address_that_is_not_ours_is_refused(address: str) -> None:
    with pytest.raises(AddressInUse, match="in use or not ours"):
        refuse_taken(address, "--grpc")


def test_a_port_whose_last_connection_just_ended_is_free() -> None:
    """Linux remembers such a connection for a minute; that must not stop a restart."""
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        accepted, _ = server.accept()
        accepted.close()
        client.recv(1)

    refuse_taken(f"127.0.0.1:{port}", "--grpc")


def test_a_taken_address_gives_way_to_any_free_port_of_its_host(taken: int) -> None:
    assert free_or_any(f"127.0.0.1:{taken}", beside="127.0.0.1:1") == "127.0.0.1:0"


def test_a_free_address_is_taken_unless_somebody_else_is_to_have_it() -> None:
    free = f"127.0.0.1:{free_port()}"

    assert free_or_any(free, beside="127.0.0.1:1") == free
    assert free_or_any(free, beside=free) == "127.0.0.1:0"

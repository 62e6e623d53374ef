"""Whether the service can listen on an address, checked on this machine."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from gcsched.dev.listen import choose_free_address
from gcsched.errors import CannotListen
from gcsched.process.listening import check_can_listen, make_listen_error
from tests.support.ports import free_port


@pytest.fixture
def port_in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1:0", "0.0.0.0:0", "localhost:0"])
def test_a_free_address_passes(address: str) -> None:
    check_can_listen(address, "--grpc")


@pytest.mark.parametrize("host", ["127.0.0.1:", "0.0.0.0:", "localhost:"])
def test_an_address_in_use_is_refused_by_the_name_of_its_option(
    port_in_use: int, host: str
) -> None:
    address = f"{host}{port_in_use}"
    with pytest.raises(CannotListen) as caught:
        check_can_listen(address, "--grpc")

    assert str(caught.value) == (
        f"cannot listen on {address}: another program listens there; "
        "stop it or set --grpc to another address"
    )


def test_a_port_is_shared_only_with_processes_that_share_it() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        check_can_listen(address, "--grpc", is_shared=True)
        with pytest.raises(CannotListen):
            check_can_listen(address, "--grpc")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (
            "192.0.2.1:50051",
            (
                "this machine does not have this address; set --grpc to one that it has, such as"
                " 127.0.0.1:50051, or to 0.0.0.0:50051 for all of them"
            ),
        ),
        (
            "no-such-host.invalid:50051",
            (
                "its host name is not known; set --grpc to an address of this machine, such as"
                " 127.0.0.1:50051"
            ),
        ),
        (
            "a..b:50051",
            (
                "its host name is not known; set --grpc to an address of this machine, such as"
                " 127.0.0.1:50051"
            ),
        ),
    ],
)
def test_an_address_of_another_machine_is_refused(address: str, words: str) -> None:
    with pytest.raises(CannotListen) as caught:
        check_can_listen(address, "--grpc")

    assert str(caught.value) == f"cannot listen on {address}: {words}"


@pytest.mark.parametrize(
    ("number", "address", "words"),
    [
        (
            errno.EACCES,
            "0.0.0.0:80",
            (
                "a port below 1024 needs a privilege that this process lacks;"
                " set --grpc to a port from 1024 on"
            ),
        ),
        (
            errno.EACCES,
            "127.0.0.1:8080",
            "the system does not allow it for this user; set --grpc to another address",
        ),
        (
            errno.EMFILE,
            "127.0.0.1:8080",
            "Too many open files; set --grpc to another address",
        ),
    ],
)
def test_a_forbidden_address_is_refused_with_advice(number: int, address: str, words: str) -> None:
    error = OSError(number, os.strerror(number))

    assert (
        str(make_listen_error(error, address, "--grpc")) == f"cannot listen on {address}: {words}"
    )


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

    check_can_listen(f"127.0.0.1:{port}", "--grpc")


def test_an_address_in_use_is_replaced_by_any_free_port_of_its_host(port_in_use: int) -> None:
    assert choose_free_address(f"127.0.0.1:{port_in_use}", "127.0.0.1:1") == "127.0.0.1:0"


def test_a_free_address_is_chosen_unless_it_is_reserved() -> None:
    free = f"127.0.0.1:{free_port()}"

    assert choose_free_address(free, "127.0.0.1:1") == free
    assert choose_free_address(free, "127.0.0.1:1", free) == "127.0.0.1:0"

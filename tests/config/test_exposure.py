"""Beyond loopback a service starts only with TLS and clients, or if that is not required."""

import itertools
from pathlib import Path

import pytest

from gcsched.config.exposure import find_exposure_problem
from tests.support.settings import load_settings, settings_problems

LOOPBACK = ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "LOCALHOST:1"]
BEYOND = ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "gcsched.internal:1", "[fd00::1]:1", "127.1:1"]


@pytest.mark.parametrize("listen", [*LOOPBACK, *BEYOND])
def test_every_combination_starts_or_says_what_to_set(listen: str) -> None:
    for tls, clients, ca, allowed in itertools.product([False, True], repeat=4):
        problem = find_exposure_problem(
            grpc_listen=listen,
            has_tls=tls,
            has_clients_file=clients,
            has_client_ca=ca,
            allow_insecure=allowed,
        )
        if ca and not clients:
            assert problem is not None
            assert "GCSCHED_GRPC_CLIENT_CA_FILE is given without GCSCHED_CLIENTS_FILE" in problem
        elif listen in LOOPBACK or (tls and clients) or allowed:
            assert problem is None
        else:
            assert problem is not None
            assert problem.startswith(f"GCSCHED_GRPC_LISTEN={listen} can be reached")
            assert ("GCSCHED_GRPC_TLS_CERT_FILE" in problem) is not tls
            assert ("GCSCHED_CLIENTS_FILE" in problem) is not clients
            assert problem.endswith("GCSCHED_ALLOW_INSECURE=1")


def test_a_service_beyond_loopback_is_refused_until_that_is_allowed() -> None:
    [problem] = settings_problems(GRPC_LISTEN="0.0.0.0:50051")

    assert problem.startswith("GCSCHED_GRPC_LISTEN=0.0.0.0:50051 can be reached from other")
    assert load_settings(GRPC_LISTEN="0.0.0.0:50051", ALLOW_INSECURE="1").is_insecure
    assert not load_settings(ALLOW_INSECURE="1").is_insecure


def test_a_clients_file_alone_does_not_encrypt_what_it_protects(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.touch()

    [problem] = settings_problems(GRPC_LISTEN="0.0.0.0:50051", CLIENTS_FILE=str(file))

    assert "without encryption: set GCSCHED_GRPC_TLS_CERT_FILE" in problem


def test_it_is_one_of_all_problems_and_follows_from_no_other() -> None:
    both = settings_problems(GRPC_LISTEN="0.0.0.0:50051", DAILY_AT="noon")
    [only] = settings_problems(GRPC_LISTEN="nonsense")
    [missing] = settings_problems(GRPC_LISTEN="0.0.0.0:50051", CLIENTS_FILE="/nowhere/clients")

    assert len(both) == 2
    assert only.startswith("GCSCHED_GRPC_LISTEN cannot be used")
    assert missing.startswith("GCSCHED_CLIENTS_FILE cannot be used: '/nowhere/clients'")

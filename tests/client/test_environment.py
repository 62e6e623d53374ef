"""What the caller does not give comes from the variables that the command line reads too."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gcsched.client import AsyncClient, Client

TLS = "GCSCHED_TLS"


@pytest.mark.parametrize(
    ("given", "environment", "target"),
    [
        (None, {}, "127.0.0.1:50051"),
        (None, {"GCSCHED_TARGET": ""}, "127.0.0.1:50051"),
        (None, {"GCSCHED_TARGET": "gcsched.internal"}, "gcsched.internal:50051"),
        (None, {"GCSCHED_GRPC_LISTEN": "0.0.0.0:6000"}, "127.0.0.1:50051"),
        ("[::1]", {"GCSCHED_TARGET": "gcsched.internal"}, "[::1]:50051"),
        ("unix:/run/gcsched", {}, "unix:/run/gcsched"),
    ],
)
def test_the_target_is_given_or_in_the_environment(
    given: str | None, environment: Mapping[str, str], target: str
) -> None:
    assert repr(Client(given, environment=environment)) == f"Client({target!r})"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCSCHED_TARGET", "gcsched.internal")

    assert repr(AsyncClient()) == "AsyncClient('gcsched.internal:50051')"


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"GCSCHED_TARGET": "http://a"}, "GCSCHED_TARGET: invalid address 'http://a', which is a"),
        ({TLS: "yes"}, "GCSCHED_TLS: invalid value 'yes'; give 1 or 0"),
        ({f"{TLS}_CERT_FILE": "a.pem"}, "GCSCHED_TLS_KEY_FILE belong together; set both or none"),
        ({f"{TLS}_CA_FILE": "/none.pem"}, "'/none.pem': file not found"),
        ({"GCSCHED_TOKEN_FILE": "/none"}, "^GCSCHED_TOKEN_FILE: /none: No such file"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(
    variables: Mapping[str, str], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Client(environment=variables)


def test_arguments_win(tmp_path: Path) -> None:
    unusable = {f"{TLS}_CA_FILE": "/none.pem", "GCSCHED_TOKEN_FILE": "/none"}
    file = tmp_path / "token"
    file.write_text("gcs_a")
    some: Any = object()  # credentials of gRPC are used at the first call

    Client(environment=unusable, credentials=some, token="gcs_a")
    Client(environment=unusable, credentials=some, token_file=file)


@pytest.mark.parametrize(
    ("timeout", "problem"),
    [
        (0, "timeout is 0; give seconds above 0"),
        (9e9, "timeout is 9000000000.0; give seconds above 0, at most a year"),
        (float("nan"), "timeout is nan; give seconds above 0"),
        (float("inf"), "timeout is inf; give seconds above 0"),
        ("3", "timeout is '3'; give seconds, such as 2.5"),
        (True, "timeout is True; give seconds, such as 2.5"),
    ],
)
def test_a_timeout_is_a_time_that_ends(timeout: Any, problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        Client(timeout=timeout, environment={})
    with Client(environment={}) as client, pytest.raises((TypeError, ValueError), match=problem):
        client.get_job("7", timeout=timeout)

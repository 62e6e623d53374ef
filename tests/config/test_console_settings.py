"""The settings of the console: open on loopback only; beyond it the start says what is missing."""

import itertools
from pathlib import Path

import pytest
import trustme

from gcsched.config.exposure import find_console_problem
from tests.support.certificates import PairFiles, issue, write_pair
from tests.support.settings import load_settings, settings_problems

LOOPBACK = ["127.0.0.1:1", "[::1]:1", "localhost:1"]
BEYOND = ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "gcsched.internal:1"]
ORIGINS = ["", "http://localhost:1", "http://ops.example.org", "https://ops.example.org/x"]
KEY = "0123456789abcdef" * 2


@pytest.fixture
def clients_file(tmp_path: Path) -> str:
    file = tmp_path / "clients.toml"
    file.touch()
    return str(file)


@pytest.fixture
def pair(tmp_path: Path) -> PairFiles:
    return write_pair(tmp_path, issue(trustme.CA()))


@pytest.mark.parametrize("listen", [*LOOPBACK, *BEYOND])
@pytest.mark.parametrize("origin", ORIGINS)
def test_every_combination_starts_or_says_what_to_set(listen: str, origin: str) -> None:
    is_reached = listen in BEYOND or "example.org" in origin
    for has_tls, has_clients in itertools.product([False, True], repeat=2):
        problem = find_console_problem(
            listen=listen, origin=origin, has_tls=has_tls, has_clients_file=has_clients
        )
        is_encrypted = has_tls or origin.startswith("https")
        if not is_reached or (is_encrypted and has_clients):
            assert problem is None
        else:
            assert problem is not None
            assert ("GCSCHED_CONSOLE_TLS_CERT_FILE" in problem) is not is_encrypted
            assert ("GCSCHED_CLIENTS_FILE" in problem) is not has_clients
            assert problem.endswith("GCSCHED_ALLOW_INSECURE=1")


def test_by_default_there_is_no_console() -> None:
    settings = load_settings()

    assert settings.console_listen is None
    assert not settings.is_console_insecure


def test_on_loopback_it_may_be_open() -> None:
    assert load_settings(CONSOLE_LISTEN="127.0.0.1:8090").console_listen == "127.0.0.1:8090"


def test_beyond_loopback_it_starts_with_tls_and_clients(clients_file: str, pair: PairFiles) -> None:
    listen = {"CONSOLE_LISTEN": "0.0.0.0:8090"}
    tls = {"CONSOLE_TLS_CERT_FILE": str(pair.chain), "CONSOLE_TLS_KEY_FILE": str(pair.key)}

    [neither] = settings_problems(**listen)
    [no_tls] = settings_problems(**listen, CLIENTS_FILE=clients_file)
    [no_clients] = settings_problems(**listen, **tls)

    assert "without encryption and without control of who may call: set" in neither
    assert "without encryption: set GCSCHED_CONSOLE_TLS_CERT_FILE" in no_tls
    assert "without control of who may call: set GCSCHED_CLIENTS_FILE" in no_clients
    settings = load_settings(**listen, **tls, CLIENTS_FILE=clients_file)
    assert not settings.is_console_insecure
    assert settings.is_console_encrypted


def test_a_proxy_that_encrypts_stands_for_tls(clients_file: str) -> None:
    settings = load_settings(
        CONSOLE_LISTEN="0.0.0.0:8090",
        CONSOLE_ORIGIN="https://ops.example.org",
        CLIENTS_FILE=clients_file,
    )

    assert not settings.is_console_insecure


def test_a_proxy_makes_a_login_necessary_on_loopback_too() -> None:
    [problem] = settings_problems(
        CONSOLE_LISTEN="127.0.0.1:8090", CONSOLE_ORIGIN="https://ops.example.org"
    )

    assert problem.startswith("GCSCHED_CONSOLE_ORIGIN=https://ops.example.org says")
    assert "leave that out" in problem


def test_it_can_be_allowed_as_for_the_other_listeners() -> None:
    settings = load_settings(CONSOLE_LISTEN="0.0.0.0:8090", ALLOW_INSECURE="1")

    assert settings.is_console_insecure


def test_a_problem_follows_from_no_other(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    [problem] = settings_problems(CONSOLE_LISTEN="0.0.0.0:8090", CLIENTS_FILE=missing)

    assert problem.startswith("GCSCHED_CLIENTS_FILE cannot be used")


@pytest.mark.parametrize(("field", "listener"), [("GRPC", "gRPC"), ("HTTP", "HTTP")])
def test_it_needs_a_port_of_its_own(field: str, listener: str) -> None:
    more = {f"{field}_LISTEN": "127.0.0.1:9000", "CONSOLE_LISTEN": "127.0.0.1:9000"}
    [problem] = settings_problems(**more)

    assert f"is where {listener} listens: give another port" in problem


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://Ops.Example.org", "https://ops.example.org"),
        ("https://ops.example.org:443/", "https://ops.example.org"),
        ("https://ops.example.org:8443/gcsched/", "https://ops.example.org:8443/gcsched"),
        ("http://localhost:8090", "http://localhost:8090"),
        ("https://[FD00::1]:8443", "https://[fd00::1]:8443"),
    ],
)
def test_an_origin_is_kept_in_its_usual_form(given: str, kept: str, clients_file: str) -> None:
    settings = load_settings(CONSOLE_ORIGIN=given, CLIENTS_FILE=clients_file)

    assert settings.console_origin == kept


@pytest.mark.parametrize(
    "origin",
    [
        *("ops.example.org", "ftp://ops.example.org", "https://", "https://a b", "//ops"),
        *("https://eva@ops.example.org", "https://ops.example.org/?x", "https://ops/#x"),
        *("https://ops.example.org:x", "https://ops.example.org:99999"),
    ],
)
def test_what_is_not_an_origin_is_refused(origin: str) -> None:
    [problem] = settings_problems(CONSOLE_ORIGIN=origin)

    assert problem.startswith("GCSCHED_CONSOLE_ORIGIN cannot be used")
    assert "https://ops.example.org" in problem


def test_a_key_is_long_and_never_shown() -> None:
    [problem] = settings_problems(CONSOLE_KEY="secret-and-short")

    assert problem.startswith("GCSCHED_CONSOLE_KEY cannot be used: give a random text")
    assert "secret-and-short" not in problem
    assert KEY not in repr(load_settings(CONSOLE_KEY=KEY))


def test_a_key_may_come_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "gcsched_console_key").write_text(f"{KEY}\n", encoding="utf-8")

    key = load_settings(SECRETS_DIR=str(tmp_path)).console_key

    assert key is not None
    assert key.get_secret_value() == KEY


@pytest.mark.parametrize("label", ["x" * 41, "two\nlines", "\x1b[1m"])
def test_a_label_is_one_short_line(label: str) -> None:
    [problem] = settings_problems(CONSOLE_LABEL=label)

    assert problem.startswith("GCSCHED_CONSOLE_LABEL cannot be used")

"""Settings of the relays: the HELO name, security, logins, the fallback."""

import socket
from pathlib import Path

import pytest

from gcsched.wiring.relays import fallback_settings, primary_settings
from tests.support.settings import load_settings, settings_problems

NOT_PUBLIC = (
    *("internal", "lan", "corp", "home", "intranet", "home.arpa", "test", "example", "local"),
    *("localdomain", "localhost", "invalid", "onion", "10.in-addr.arpa"),
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("mail.example.org", "mail.example.org"),
        ("relay-7", "relay-7"),
        ("bücher.example.org", "xn--bcher-kva.example.org"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[ipv6:2001:DB8::1]", "[IPv6:2001:db8::1]"),
    ],
)
def test_the_name_for_relays_is_a_domain_name_or_a_literal(given: str, expected: str) -> None:
    assert load_settings(SMTP_HELO_NAME=given).smtp_helo_name == expected


@pytest.mark.parametrize("given", ["[IPv6:fe80::1%eth0]", "[IPv6:::1%1]", "[192.0.2.1%lo]"])
def test_a_literal_with_an_interface_is_refused_as_a_helo_name(given: str) -> None:
    (sentence,) = settings_problems(SMTP_HELO_NAME=given)

    assert sentence.startswith("GCSCHED_SMTP_HELO_NAME ")


def test_both_relays_get_the_same_helo_name() -> None:
    settings = load_settings(
        SMTP_HELO_NAME="mail.example.org", FALLBACK_SMTP_HOST="smtp2.example.org"
    )

    names = [
        relay.local_hostname
        for relay in (primary_settings(settings), fallback_settings(settings))
        if relay
    ]
    assert names == ["mail.example.org", "mail.example.org"]


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("mail.example.org", "mail.example.org"),
        ("mail.example.org.", "mail.example.org"),
        *((f"host.{name}", None) for name in NOT_PUBLIC),
        ("ip-10-0-0-7.ec2.internal", None),
        ("ip-10-0-0-7.EC2.INTERNAL.", None),
        ("internal.example.org", "internal.example.org"),
        ("notlocal.notlan", "notlocal.notlan"),
        ("gcsched-5d9c7b-x2x9z", None),
        ("localhost", None),
        ("localhost.localdomain", None),
        ("annas-laptop.local", None),
        ("my_host.example.org", None),
        ("10.0.0.7", None),
        ("", None),
    ],
)
def test_unset_the_machines_name_is_used_if_it_is_a_full_one(
    machine: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: machine)
    monkeypatch.setattr(socket, "getaddrinfo", None)  # no query of DNS
    monkeypatch.setattr(socket, "gethostbyaddr", None)

    assert primary_settings(load_settings()).local_hostname == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"SMTP_PORT": "465"}, "tls"),
        ({"SMTP_PORT": "587"}, "starttls"),
        ({"SMTP_PORT": "25", "SMTP_SECURITY": "tls"}, "tls"),
        ({"SMTP_PORT": "25", "SMTP_SECURITY": "NONE"}, "none"),
    ],
)
def test_the_port_decides_the_security_unless_it_is_set(
    given: dict[str, str], expected: str
) -> None:
    assert load_settings(**given).smtp_security == expected


def test_security_is_required_on_another_port() -> None:
    (sentence,) = settings_problems(SMTP_PORT="2525")

    assert sentence.startswith("GCSCHED_SMTP_SECURITY is missing: give starttls, tls or none")


def test_a_login_is_a_name_and_a_password() -> None:
    assert settings_problems(SMTP_USERNAME="anna") == [
        "GCSCHED_SMTP_PASSWORD is missing: GCSCHED_SMTP_USERNAME is given, so give both or none"
    ]
    assert settings_problems(SMTP_PASSWORD="s3cret") == [
        "GCSCHED_SMTP_PASSWORD is given without GCSCHED_SMTP_USERNAME: give both or none"
    ]


def test_a_password_never_crosses_the_network_unencrypted() -> None:
    login = {"SMTP_USERNAME": "anna", "SMTP_PASSWORD": "s3cret", "SMTP_SECURITY": "none"}

    (sentence,) = settings_problems(**login)

    assert "the password would cross the network to smtp.example.org" in sentence
    for here in ("localhost", "127.0.0.1", "::1"):
        assert load_settings(**login, SMTP_HOST=here).smtp_security == "none"


def test_without_a_fallback_its_settings_are_not_needed() -> None:
    assert load_settings().fallback_smtp_host is None


def test_a_fallback_is_checked_like_the_first_relay(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    login = {"FALLBACK_SMTP_USERNAME": "anna", "FALLBACK_SMTP_PASSWORD": "s3cret"}

    def only_problem(**more: str) -> str:
        (sentence,) = settings_problems(FALLBACK_SMTP_HOST="smtp2.example.org", **more)
        return sentence.removeprefix("GCSCHED_FALLBACK_SMTP_")

    assert (
        load_settings(FALLBACK_SMTP_HOST="smtp2.example.org").fallback_smtp_security == "starttls"
    )
    assert only_problem(FALLBACK_SMTP_PORT="2525").startswith("SECURITY is missing: give starttls")
    assert only_problem(FALLBACK_SMTP_USERNAME="anna") == (
        "PASSWORD is missing: GCSCHED_FALLBACK_SMTP_USERNAME is given, so give both or none"
    )
    assert only_problem(**login, FALLBACK_SMTP_SECURITY="none").startswith(
        "SECURITY is none, so the password would cross the network to smtp2.example.org"
    )
    assert only_problem(FALLBACK_SMTP_CA_FILE=str(file), FALLBACK_SMTP_SECURITY="none") == (
        "CA_FILE is given, but with GCSCHED_FALLBACK_SMTP_SECURITY=none nothing is checked: "
        "give starttls or tls, or no file"
    )


def test_a_login_of_a_fallback_without_its_host_is_refused() -> None:
    (sentence,) = settings_problems(FALLBACK_SMTP_USERNAME="anna", FALLBACK_SMTP_PASSWORD="s3cret")

    assert sentence == (
        "GCSCHED_FALLBACK_SMTP_USERNAME is given without GCSCHED_FALLBACK_SMTP_HOST: "
        "give both or none"
    )

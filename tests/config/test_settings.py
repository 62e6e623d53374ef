from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gcsched.adapters.mail.header_encoding import format_message_id
from gcsched.config.settings import find_unknown_names, read_settings
from gcsched.errors import SettingsProblems
from gcsched.wiring.policies import message_id_domain
from tests.generate.settings_table import PAGE, extract_table, settings_table
from tests.support.settings import REQUIRED, load_settings, settings_problems


def test_four_settings_are_enough() -> None:
    settings = load_settings()

    assert settings.mongo_database == "invitations"
    assert (settings.smtp_port, settings.smtp_security) == (587, "starttls")
    assert settings.grpc_listen == "127.0.0.1:50051"
    assert (settings.daily_at, settings.timezone) == (time(10), ZoneInfo("UTC"))
    assert settings.smtp_sessions == 32


def test_each_missing_setting_is_one_sentence_that_says_what_to_do() -> None:
    with pytest.raises(SettingsProblems) as caught:
        read_settings({})

    missing = [sentence.split()[0] for sentence in caught.value.sentences]
    assert missing == list(REQUIRED)
    assert caught.value.sentences[0] == (
        "GCSCHED_MONGO_URI is missing: give the MongoDB connection string, "
        "e.g. mongodb://user:password@host/gcsched?replicaSet=rs0, "
        "special characters in the password written as %XX "
        "(for a try-out without any server run: python -m gcsched dev)"
    )


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings(SMTP_USERNAME="", SMTP_PORT="").smtp_port == 587


def test_the_environment_of_the_process_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCSCHED_SMTP_PORT", "465")

    assert load_settings().smtp_port == 587


def test_all_problems_are_reported_at_once() -> None:
    names = [
        sentence.split()[0]
        for sentence in settings_problems(
            MONGO_URI="nonsense", SMTP_PORT="2525", SMTP_USERNAME="anna", DAILY_AT="noon"
        )
    ]

    assert names == [
        "GCSCHED_MONGO_URI",
        "GCSCHED_SMTP_PASSWORD",
        "GCSCHED_SMTP_SECURITY",
        "GCSCHED_DAILY_AT",
    ]


def test_jobs_are_kept_for_as_long_as_their_employee_gets_no_other_mail() -> None:
    given = {"DEDUP": "employee", "DEDUP_WINDOW": "10d"}

    (sentence,) = settings_problems(**given, RETENTION_DAYS="9")

    assert sentence.startswith("GCSCHED_RETENTION_DAYS is less than GCSCHED_DEDUP_WINDOW: ")
    assert load_settings(**given, RETENTION_DAYS="10").retention_days == 10
    assert load_settings(**given | {"DEDUP": "content"}, RETENTION_DAYS="9").retention_days == 9


def test_certificates_without_tls_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()

    (sentence,) = settings_problems(SMTP_CA_FILE=str(file), SMTP_SECURITY="none")

    assert sentence.startswith("GCSCHED_SMTP_CA_FILE is given, but")


def test_the_waits_are_a_list(tmp_path: Path) -> None:
    (tmp_path / "gcsched_retry_waits_seconds").write_text("5,10\n")

    assert load_settings().retry_waits_seconds == (60, 300, 900, 3600, 7200, 14400)
    assert load_settings(RETRY_WAITS_SECONDS="1, 2.5").retry_waits_seconds == (1, 2.5)
    assert load_settings(SECRETS_DIR=str(tmp_path)).retry_waits_seconds == (5, 10)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().smtp_port = 25


def test_the_database_has_a_default_name() -> None:
    assert load_settings(MONGO_URI="mongodb://one,two:27018").mongo_database == "gcsched"


def test_unknown_variables_are_found() -> None:
    environ = REQUIRED | {"GCSCHED_MONGO_URL": "", "gcsched_smtp_host": "", "PATH": ""}

    assert find_unknown_names(environ) == ["GCSCHED_MONGO_URL", "gcsched_smtp_host"]


def test_the_page_on_settings_lists_all() -> None:
    assert extract_table(PAGE.read_text(encoding="utf-8")) == settings_table(), (
        "docs/settings.md is out of date: run `poe settings`"
    )


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("team@corp.local", "corp.local"),
        ("root@localhost", "localhost"),
        ("ada@[192.0.2.1]", "[192.0.2.1]"),
        ('"the team"@[IPv6:2001:db8::1]', "[IPv6:2001:db8::1]"),
    ],
)
def test_an_internal_sender_is_accepted_if_its_domain_is_allowed(sender: str, domain: str) -> None:
    assert load_settings(SENDER_EMAIL=sender, INTERNAL_DOMAINS=domain).sender_email == sender

    (sentence,) = settings_problems(SENDER_EMAIL=sender)
    assert sentence.startswith("GCSCHED_SENDER_EMAIL must be one e-mail address such as")
    assert f"the domain {domain!r}" in sentence
    assert "GCSCHED_INTERNAL_DOMAINS" in sentence


def test_if_the_internal_domains_are_invalid_the_sender_is_not_reported() -> None:
    (sentence,) = settings_problems(SENDER_EMAIL="team@corp.local", INTERNAL_DOMAINS="corp local")

    assert sentence == (
        "GCSCHED_INTERNAL_DOMAINS cannot be used: 'corp local' is not a domain; "
        "give domains separated by commas, e.g. corp.local,localhost,[10.0.0.0/8]"
    )


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("team@example.org", "example.org"),
        ("team@bücher.example", "xn--bcher-kva.example"),
        ("team@localhost", "localhost"),
        ("team@[192.0.2.1]", "192.0.2.1"),
        ("team@[IPv6:2001:db8::1]", "IPv6-2001-db8--1"),
    ],
)
def test_a_message_id_can_be_made_for_every_sender(sender: str, expected: str) -> None:
    settings = load_settings(SENDER_EMAIL=sender, INTERNAL_DOMAINS="*")

    assert message_id_domain(settings) == expected
    assert format_message_id(f"j1.0@{expected}") == f"<j1.0@{expected}>".encode()

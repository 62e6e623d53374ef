import socket
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import trustme

from gcsched.adapters.mail.headers import message_id
from gcsched.config.settings import Settings, load, unknown_names
from gcsched.errors import SettingsProblems
from gcsched.wiring.policies import message_id_domain
from gcsched.wiring.relays import fallback, primary
from tests.generate.settings_table import README, settings_table, table_in

NOT_PUBLIC = (
    *("internal", "lan", "corp", "home", "intranet", "home.arpa", "test", "example", "local"),
    *("localdomain", "localhost", "invalid", "onion", "10.in-addr.arpa"),
)

NEEDED = {
    "GCSCHED_MONGO_URI": "mongodb://anna:s3cret@db.example.org/invitations?replicaSet=rs0",
    "GCSCHED_REDIS_URL": "rediss://:s3cret@redis.example.org:6379/0",
    "GCSCHED_SMTP_HOST": "smtp.example.org",
    "GCSCHED_SENDER_EMAIL": "no-reply@example.org",
}


def loaded(**more: str) -> Settings:
    return load(NEEDED | {f"GCSCHED_{name}": value for name, value in more.items()})


def problems(**more: str) -> list[str]:
    with pytest.raises(SettingsProblems) as caught:
        loaded(**more)
    return caught.value.sentences


def test_four_settings_are_enough() -> None:
    settings = loaded()

    assert settings.mongo_database == "invitations"
    assert (settings.smtp_port, settings.smtp_security) == (587, "starttls")
    assert settings.grpc_listen == "127.0.0.1:50051"
    assert (settings.daily_at, settings.timezone) == (time(10), ZoneInfo("UTC"))
    assert settings.smtp_sessions == 16


def test_each_missing_setting_is_one_sentence_that_says_what_to_do() -> None:
    with pytest.raises(SettingsProblems) as caught:
        load({})

    missing = [sentence.split()[0] for sentence in caught.value.sentences]
    assert missing == list(NEEDED)
    assert caught.value.sentences[0] == (
        "GCSCHED_MONGO_URI is missing: give the MongoDB connection string, "
        "e.g. mongodb://user:password@host/gcsched?replicaSet=rs0, "
        "special characters in the password written as %XX "
        "(for a try-out without any server run: python -m gcsched dev)"
    )


def test_an_empty_variable_counts_as_unset() -> None:
    assert loaded(SMTP_USERNAME="", SMTP_PORT="").smtp_port == 587


def test_the_environment_of_the_process_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GCSCHED_SMTP_PORT", "465")

    assert loaded().smtp_port == 587


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGO_URI", "postgres://host/db"),
        ("MONGO_URI", "mongodb://user:with/slash@host/db"),
        ("MONGO_URI", "mongodb://[::1/db"),
        ("REDIS_URL", "http://host"),
        ("SMTP_HOST", "smtp://host"),
        ("SMTP_HOST", "host:25"),
        ("SMTP_PORT", "0"),
        ("SMTP_PORT", "ten"),
        ("SMTP_SECURITY", "ssl"),
        ("SMTP_CA_FILE", "/does/not/exist.pem"),
        ("SMTP_SESSIONS", "0"),
        ("SMTP_HELO_NAME", "mail example.org"),
        ("SMTP_HELO_NAME", "mail_1.example.org"),
        ("SMTP_HELO_NAME", "-mail.example.org"),
        ("SMTP_HELO_NAME", "mail..example.org"),
        ("SMTP_HELO_NAME", "mail.example.org."),
        ("SMTP_HELO_NAME", "mail.example.org\n"),
        ("SMTP_HELO_NAME", "192.0.2.1"),
        ("SMTP_HELO_NAME", "[192.0.2.256]"),
        ("SMTP_HELO_NAME", "[2001:db8::1]"),
        ("SMTP_HELO_NAME", "[IPv6:192.0.2.1]"),
        ("SMTP_HELO_NAME", "x" * 64 + ".example.org"),
        ("FALLBACK_SMTP_HOST", "smtp://host"),
        ("FALLBACK_SMTP_PORT", "0"),
        ("FALLBACK_SMTP_SECURITY", "ssl"),
        ("SENDER_EMAIL", "nobody"),
        ("INTERNAL_DOMAINS", "corp..local"),
        ("INTERNAL_DOMAINS", "[10.0.0.1/8]"),
        ("SENDER_EMAIL", "no-reply@exa\u0085mple.org"),
        ("GRPC_LISTEN", "50051"),
        ("GRPC_LISTEN", "::1:50051"),
        ("GRPC_LISTEN", "0.0.0.0:70000"),
        ("REUSE_PORT", "perhaps"),
        ("ADMISSION_WAITING", "0"),
        ("DAILY_AT", "25:00"),
        ("DAILY_AT", "ten"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../UTC"),
        ("TEMPLATES_DIR", "/does/not/exist"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("RETRY_ATTEMPTS", "0"),
        ("RETRY_WAITS_SECONDS", "60,nan"),
        ("RETRY_WAITS_SECONDS", "inf"),
        ("RETRY_WAITS_SECONDS", "60,,300"),
        ("RETRY_WAITS_SECONDS", "0"),
        ("RETRY_WAITS_SECONDS", "one minute"),
        ("DEDUP_WINDOW", "24"),
        ("DEDUP_WINDOW", "0s"),
        ("DEDUP_WINDOW", "366d"),
        ("DEDUP_WINDOW", "one day"),
        ("NOT_AFTER_HOURS", "0"),
        ("NOT_AFTER_HOURS", "nan"),
        ("ON_UNCERTAIN", "panic"),
        ("SUPPRESSION_DAYS", "0"),
        ("STOP_GRACE_SECONDS", "-1"),
        ("RETENTION_DAYS", "0.5"),
        ("WORKER_JOBS", "0"),
        ("SECRETS_DIR", "/does/not/exist"),
    ],
)
def test_a_malformed_value_is_refused_and_repeated_unless_it_is_a_secret(
    name: str, value: str
) -> None:
    (sentence,) = problems(**{name: value})

    assert sentence.startswith(f"GCSCHED_{name} cannot be used: ")
    assert (repr(value) in sentence) == (name not in {"MONGO_URI", "REDIS_URL"})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "SMTP_HELO_NAME",
            "mail.example.org\r\nMAIL FROM:<x@example.org>",
            "'…@example.org>' is not",
        ),
        ("SMTP_HELO_NAME", ".".join(["x" * 60] * 5), "xxx…"),
        ("INTERNAL_DOMAINS", "corp.local,", "'' is not a domain"),
        ("SENDER_NAME", "Anna\r\nBcc: all@example.org", "U+000D as character 5"),
        ("SENDER_EMAIL", "no-reply@example.org\udcff", "octets that are not UTF-8"),
        ("SENDER_NAME", "Anna\udcff", "octets that are not UTF-8"),
        ("SENDER_NAME", "x" * 257, "at most 256 characters"),
    ],
)
def test_a_value_that_cannot_be_repeated_whole_is_told_by_what_is_wrong(
    name: str, value: str, words: str
) -> None:
    (sentence,) = problems(**{name: value})

    assert sentence.startswith(f"GCSCHED_{name} ")
    assert words in sentence
    assert "\n" not in sentence


def test_a_value_is_repeated_on_one_line_and_shortened() -> None:
    (sentence,) = problems(TIMEZONE=f"Mars\n\x1b[2J{'x' * 1000}")

    assert sentence.startswith("GCSCHED_TIMEZONE cannot be used: 'Mars\\n\\x1b[2Jxxx")
    assert sentence.endswith("…' is not valid: give an IANA name, e.g. UTC or Europe/Berlin")
    assert len(sentence) < 250


@pytest.mark.parametrize("text", ["\udcff", "a\udcffb", "1\udcff"])
@pytest.mark.parametrize("name", ["SMTP_HOST", "TIMEZONE", "SMTP_PORT", "TEMPLATES_DIR"])
def test_octets_that_are_no_text_are_a_sentence(name: str, text: str) -> None:
    (sentence,) = problems(**{name: text})

    assert sentence.startswith(f"GCSCHED_{name} cannot be used: ")
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "url", ["smtp://anna:s3cret@mail.example.org", "anna:s3cret@mail.example.org"]
)
def test_a_password_in_a_setting_that_is_no_secret_is_not_repeated(url: str) -> None:
    (sentence,) = problems(SMTP_HOST=url)

    assert "s3cret" not in sentence
    assert "'…@mail.example.org' is not valid" in sentence


def test_a_ca_file_must_hold_certificates(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no PEM")
    of_fallback = {"FALLBACK_SMTP_HOST": "smtp2.example.org", "FALLBACK_SMTP_CA_FILE": str(file)}

    for given in ({"SMTP_CA_FILE": str(file)}, of_fallback):
        (sentence,) = problems(**given)
        name = next(name for name in given if name.endswith("CA_FILE"))
        assert sentence == (
            f"GCSCHED_{name} cannot be used: '{file}': it holds no certificate as PEM"
        )
    trustme.CA().cert_pem.write_to_path(file)
    assert loaded(SMTP_CA_FILE=str(file)).smtp_ca_file == file


@pytest.mark.parametrize(
    ("name", "character", "place"),
    [
        ("Anna\r\nBcc: all@example.org", "U+000D", 5),
        ("Anna\tMüller", "U+0009", 5),
        ("Anna\x7f", "U+007F", 5),
        ("Anna\x85", "U+0085", 5),
        ("\x9bAnna", "U+009B", 1),
        ("Anna\u2028", "U+2028 (LINE SEPARATOR)", 5),
        ("Anna\u2029", "U+2029 (PARAGRAPH SEPARATOR)", 5),
        ("An\u202ena", "U+202E (RIGHT-TO-LEFT OVERRIDE)", 3),
        ("An\u2066na", "U+2066 (LEFT-TO-RIGHT ISOLATE)", 3),
        ("An\ufffena", "U+FFFE", 3),
        ("An\ufdd0na", "U+FDD0", 3),
        ("\U0001f600\U0002ffff", "U+2FFFF", 2),
        ("An\u200bna", "U+200B (ZERO WIDTH SPACE)", 3),
        ("An\u2060na", "U+2060 (WORD JOINER)", 3),
        ("\ufeffAnna", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)", 1),
        ("An\u00adna", "U+00AD (SOFT HYPHEN)", 3),
    ],
    ids=ascii,
)
def test_a_senders_name_that_no_mail_can_show_is_refused_with_its_place(
    name: str, character: str, place: int
) -> None:
    (sentence,) = problems(SENDER_NAME=name)

    assert sentence.startswith(
        f"GCSCHED_SENDER_NAME holds {character} as character {place}, which is "
    )
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "Jörg Müller",
        "Ада",
        "محمد",
        "می\u200cنو",
        "\U0001f469\u200d\U0001f4bb",
        "Team \U0001fadf\U0001f6d8",  # emoji newer than Python's tables
        "Anna \u0378",
        '"A\\B" <x>',
        "  ",
    ],
)
def test_a_senders_name_may_be_anybodys(name: str) -> None:
    assert loaded(SENDER_NAME=name).sender_name == name


@pytest.mark.parametrize(
    ("address", "character", "place"),
    [
        ("jörg@example.org", "U+00F6 (LATIN SMALL LETTER O WITH DIAERESIS)", 2),
        ("адам@example.org", "U+0430 (CYRILLIC SMALL LETTER A)", 1),
        ("no-reply\U0001f600@bücher.example.org", "U+1F600 (GRINNING FACE)", 9),
    ],
)
def test_a_sender_that_needs_smtputf8_is_refused_with_its_place(
    address: str, character: str, place: int
) -> None:
    (sentence,) = problems(SENDER_EMAIL=address)

    assert sentence.startswith(
        f"GCSCHED_SENDER_EMAIL is {address}, with {character} as character {place}: "
    )


@pytest.mark.parametrize(
    ("domain", "sent"),
    [
        ("bücher.example.org", "xn--bcher-kva.example.org"),
        ("straße.example.org", "xn--strae-oqa.example.org"),
        ("例え.テスト.example.org", "xn--r8jz45g.xn--zckzah.example.org"),
        ("BÜCHER.example.org", "xn--bcher-kva.example.org"),
    ],
)
def test_a_senders_domain_is_written_as_relays_take_it(domain: str, sent: str) -> None:
    settings = loaded(SENDER_EMAIL=f"no-reply@{domain}")

    assert settings.sender_email == f"no-reply@{sent}"
    assert message_id_domain(settings) == sent


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("mail.example.org", "mail.example.org"),
        ("relay-7", "relay-7"),
        ("bücher.example.org", "xn--bcher-kva.example.org"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[ipv6:2001:DB8::1]", "[IPv6:2001:db8::1]"),
    ],
)
def test_the_name_for_relays_is_a_domain_name_or_a_literal(given: str, said: str) -> None:
    assert loaded(SMTP_HELO_NAME=given).smtp_helo_name == said


@pytest.mark.parametrize("given", ["[IPv6:fe80::1%eth0]", "[IPv6:::1%1]", "[192.0.2.1%lo]"])
def test_a_literal_that_names_an_interface_is_no_name_for_relays(given: str) -> None:
    (sentence,) = problems(SMTP_HELO_NAME=given)

    assert sentence.startswith("GCSCHED_SMTP_HELO_NAME ")


def test_both_relays_hear_the_same_name() -> None:
    settings = loaded(SMTP_HELO_NAME="mail.example.org", FALLBACK_SMTP_HOST="smtp2.example.org")

    names = [relay.local_hostname for relay in (primary(settings), fallback(settings)) if relay]
    assert names == ["mail.example.org", "mail.example.org"]


@pytest.mark.parametrize(
    ("machine", "said"),
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
def test_unset_the_machines_name_counts_where_it_is_a_full_one(
    machine: str, said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: machine)
    monkeypatch.setattr(socket, "getaddrinfo", None)  # DNS is not asked
    monkeypatch.setattr(socket, "gethostbyaddr", None)

    assert primary(loaded()).local_hostname == said


def test_all_problems_are_told_at_once() -> None:
    names = [
        sentence.split()[0]
        for sentence in problems(
            MONGO_URI="nonsense", SMTP_PORT="2525", SMTP_USERNAME="anna", DAILY_AT="noon"
        )
    ]

    assert names == [
        "GCSCHED_MONGO_URI",
        "GCSCHED_SMTP_PASSWORD",
        "GCSCHED_SMTP_SECURITY",
        "GCSCHED_DAILY_AT",
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"SMTP_PORT": "465"}, "tls"),
        ({"SMTP_PORT": "587"}, "starttls"),
        ({"SMTP_PORT": "25", "SMTP_SECURITY": "tls"}, "tls"),
        ({"SMTP_PORT": "25", "SMTP_SECURITY": "NONE"}, "none"),
    ],
)
def test_the_port_speaks_for_the_security_unless_it_is_said(
    given: dict[str, str], expected: str
) -> None:
    assert loaded(**given).smtp_security == expected


def test_security_must_be_said_on_another_port() -> None:
    (sentence,) = problems(SMTP_PORT="2525")

    assert sentence.startswith("GCSCHED_SMTP_SECURITY is missing: say starttls, tls or none")


def test_a_login_is_a_name_and_a_password() -> None:
    assert problems(SMTP_USERNAME="anna") == [
        "GCSCHED_SMTP_PASSWORD is missing: GCSCHED_SMTP_USERNAME is given, so give both or none"
    ]
    assert problems(SMTP_PASSWORD="s3cret") == [
        "GCSCHED_SMTP_PASSWORD is given without GCSCHED_SMTP_USERNAME: give both or none"
    ]


def test_a_password_never_crosses_the_network_readable() -> None:
    login = {"SMTP_USERNAME": "anna", "SMTP_PASSWORD": "s3cret", "SMTP_SECURITY": "none"}

    (sentence,) = problems(**login)

    assert "the password would cross the network to smtp.example.org" in sentence
    for here in ("localhost", "127.0.0.1", "::1"):
        assert loaded(**login, SMTP_HOST=here).smtp_security == "none"


def test_without_a_fallback_nothing_of_it_is_needed() -> None:
    assert loaded().fallback_smtp_host is None


def test_a_fallback_is_checked_like_the_first_relay(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    login = {"FALLBACK_SMTP_USERNAME": "anna", "FALLBACK_SMTP_PASSWORD": "s3cret"}

    def only_problem(**more: str) -> str:
        (sentence,) = problems(FALLBACK_SMTP_HOST="smtp2.example.org", **more)
        return sentence.removeprefix("GCSCHED_FALLBACK_SMTP_")

    assert loaded(FALLBACK_SMTP_HOST="smtp2.example.org").fallback_smtp_security == "starttls"
    assert only_problem(FALLBACK_SMTP_PORT="2525").startswith("SECURITY is missing: say starttls")
    assert only_problem(FALLBACK_SMTP_USERNAME="anna") == (
        "PASSWORD is missing: GCSCHED_FALLBACK_SMTP_USERNAME is given, so give both or none"
    )
    assert only_problem(**login, FALLBACK_SMTP_SECURITY="none").startswith(
        "SECURITY is none, so the password would cross the network to smtp2.example.org"
    )
    assert only_problem(FALLBACK_SMTP_CA_FILE=str(file), FALLBACK_SMTP_SECURITY="none") == (
        "CA_FILE is given, but with GCSCHED_FALLBACK_SMTP_SECURITY=none nothing is checked"
    )


def test_a_login_of_a_fallback_without_its_host_is_a_slip() -> None:
    (sentence,) = problems(FALLBACK_SMTP_USERNAME="anna", FALLBACK_SMTP_PASSWORD="s3cret")

    assert sentence == (
        "GCSCHED_FALLBACK_SMTP_USERNAME is given without GCSCHED_FALLBACK_SMTP_HOST: "
        "give both or none"
    )


def test_jobs_are_kept_for_as_long_as_their_employee_gets_no_other_mail() -> None:
    asked = {"DEDUP": "employee", "DEDUP_WINDOW": "10d"}

    (sentence,) = problems(**asked, RETENTION_DAYS="9")

    assert sentence.startswith("GCSCHED_RETENTION_DAYS is less than GCSCHED_DEDUP_WINDOW: ")
    assert loaded(**asked, RETENTION_DAYS="10").retention_days == 10
    assert loaded(**asked | {"DEDUP": "content"}, RETENTION_DAYS="9").retention_days == 9


def test_certificates_without_tls_contradict(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()

    (sentence,) = problems(SMTP_CA_FILE=str(file), SMTP_SECURITY="none")

    assert sentence.startswith("GCSCHED_SMTP_CA_FILE is given, but")


def test_the_waits_are_a_list(tmp_path: Path) -> None:
    (tmp_path / "gcsched_retry_waits_seconds").write_text("5,10\n")

    assert loaded().retry_waits_seconds == (60, 300, 900, 3600, 7200, 14400)
    assert loaded(RETRY_WAITS_SECONDS="1, 2.5").retry_waits_seconds == (1, 2.5)
    assert loaded(SECRETS_DIR=str(tmp_path)).retry_waits_seconds == (5, 10)


def test_secrets_come_from_files_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "gcsched_smtp_username").write_text("from the file\n")
    (tmp_path / "GCSCHED_SMTP_PASSWORD").write_text("also from a file\n")

    settings = loaded(SECRETS_DIR=str(tmp_path), SMTP_USERNAME="anna")

    assert settings.smtp_username == "anna"
    assert settings.smtp_password is not None
    assert settings.smtp_password.get_secret_value() == "also from a file"


def test_a_secret_from_a_file_is_read_again_when_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "gcsched_smtp_password"
    file.write_text("old\n")
    settings = loaded(SECRETS_DIR=str(tmp_path), SMTP_USERNAME="anna")
    before = settings.secret("smtp_password")

    file.write_text("new\n")
    after = settings.secret("smtp_password")
    file.unlink()
    gone = settings.secret("smtp_password")

    assert (before, after, gone) == ("old", "new", "old")


def test_a_secret_from_the_environment_stays_whatever_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "gcsched_smtp_password").write_text("from the file\n")
    folder = str(tmp_path)

    settings = loaded(SECRETS_DIR=folder, SMTP_USERNAME="anna", SMTP_PASSWORD="from outside")

    assert settings.secret("smtp_password") == "from outside"


def test_a_secret_that_was_not_given_is_none() -> None:
    assert loaded().secret("smtp_password") is None


def test_a_secret_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "gcsched_smtp_password").write_bytes(b"\xff\xfe")

    (sentence,) = problems(SECRETS_DIR=str(tmp_path))

    assert sentence.startswith("GCSCHED_SECRETS_DIR holds a file that cannot be read")


def test_secrets_show_up_nowhere() -> None:
    settings = loaded(SMTP_USERNAME="anna", SMTP_PASSWORD="s3cret")
    refused = problems(MONGO_URI="mysql://u:s3cret@h", REDIS_URL="s3cret", SMTP_PASSWORD="s3cret")

    assert "s3cret" not in repr(settings)
    assert "s3cret" not in " ".join(refused)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        loaded().smtp_port = 25


def test_the_database_has_a_default_name() -> None:
    assert loaded(MONGO_URI="mongodb://one,two:27018").mongo_database == "gcsched"


def test_variables_that_mean_nothing_are_found() -> None:
    environ = NEEDED | {"GCSCHED_MONGO_URL": "", "gcsched_smtp_host": "", "PATH": ""}

    assert unknown_names(environ) == ["GCSCHED_MONGO_URL", "gcsched_smtp_host"]


def test_the_readme_lists_all_settings() -> None:
    assert table_in(README.read_text(encoding="utf-8")) == settings_table(), (
        "the settings in README.md are out of date: run `poe settings`"
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
def test_an_internal_sender_is_one_where_its_domain_is_allowed(sender: str, domain: str) -> None:
    assert loaded(SENDER_EMAIL=sender, INTERNAL_DOMAINS=domain).sender_email == sender

    (sentence,) = problems(SENDER_EMAIL=sender)
    assert sentence.startswith("GCSCHED_SENDER_EMAIL must be one e-mail address such as")
    assert f"the domain {domain!r}" in sentence
    assert "GCSCHED_INTERNAL_DOMAINS" in sentence


def test_where_the_internal_domains_are_wrong_the_sender_is_not_blamed() -> None:
    (sentence,) = problems(SENDER_EMAIL="team@corp.local", INTERNAL_DOMAINS="corp local")

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
    settings = loaded(SENDER_EMAIL=sender, INTERNAL_DOMAINS="*")

    assert message_id_domain(settings) == expected
    assert message_id(f"j1.0@{expected}") == f"<j1.0@{expected}>".encode()

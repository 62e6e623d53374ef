"""The valid values of single settings, and how an error quotes an invalid one."""

from pathlib import Path

import pytest
import trustme

from gcsched.wiring.policies import message_id_domain
from tests.support.settings import load_settings, settings_problems


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
        ("REDIRECT_TO", "nobody"),
        ("REDIRECT_TO", " "),
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
    (sentence,) = settings_problems(**{name: value})

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
        ("REDIRECT_TO", "zoë@example.org", "U+00EB"),
        ("REDIRECT_TO", "qa@mailhost", "GCSCHED_INTERNAL_DOMAINS"),
        ("ALLOWED_RECIPIENTS", "example.org,", '"" is neither an address nor a domain'),
        ("ALLOWED_RECIPIENTS", "*", '"*" is neither an address nor a domain'),
        ("TEST_RECIPIENTS", "example.org, a@b@c", '"a@b@c" is not an address'),
        ("ORGANIZER_DOMAINS", "example.com, a@b.org", '"a@b.org" is not a domain'),
        ("TEST_RECIPIENTS", " ", '"" is neither an address nor a domain'),
        ("SENDER_NAME", "Anna\r\nBcc: all@example.org", "U+000D as character 5"),
        ("SENDER_EMAIL", "no-reply@example.org\udcff", "octets that are not UTF-8"),
        ("SENDER_NAME", "Anna\udcff", "octets that are not UTF-8"),
        ("SENDER_NAME", "x" * 257, "at most 256 characters"),
    ],
)
def test_a_value_that_cannot_be_quoted_whole_is_described(
    name: str, value: str, words: str
) -> None:
    (sentence,) = settings_problems(**{name: value})

    assert sentence.startswith(f"GCSCHED_{name} ")
    assert words in sentence
    assert "\n" not in sentence


def test_organizer_domains_are_normalised_and_none_by_default() -> None:
    listed = load_settings(ORGANIZER_DOMAINS=" Example.com, bücher.example.org")

    assert listed.organizer_domains == {"example.com", "bücher.example.org"}
    assert load_settings(ORGANIZER_DOMAINS="").organizer_domains == frozenset()


def test_recipients_are_normalised_and_none_are_restricted_by_default() -> None:
    ordinary = load_settings(REDIRECT_TO="", ALLOWED_RECIPIENTS="")
    assert ordinary.redirect_to == ""
    assert ordinary.allowed_recipients is ordinary.test_recipients is None

    found = load_settings(REDIRECT_TO="qa@Bücher.example", ALLOWED_RECIPIENTS="a@X.org, Y.org")

    assert found.redirect_to == "qa@xn--bcher-kva.example"
    assert found.allowed_recipients is not None
    assert found.allowed_recipients.entries == ("a@x.org", "y.org")


@pytest.mark.parametrize(
    ("redirect_to", "variable"),
    [
        ("No-Reply@example.org", "GCSCHED_SENDER_EMAIL"),
        ("pay@bücher.example", "GCSCHED_SENDERS"),
        ("NEWS@example.net", "GCSCHED_SENDERS"),
    ],
)
def test_mails_are_not_redirected_to_a_sender(redirect_to: str, variable: str) -> None:
    """A calendar takes itself for the organizer there, and asks nothing."""
    senders = "Pay <pay@xn--bcher-kva.example>, news@example.net"

    (sentence,) = settings_problems(REDIRECT_TO=redirect_to, SENDERS=senders)

    assert sentence.startswith("GCSCHED_REDIRECT_TO is ")
    assert f"which is in {variable} too" in sentence
    assert sentence.endswith("redirect to another mailbox, e.g. staging@example.org")


def test_mails_may_be_redirected_beside_the_senders() -> None:
    found = load_settings(REDIRECT_TO="qa@example.org", SENDERS="news@example.net")

    assert found.redirect_to == "qa@example.org"
    assert [each.address for each in found.senders] == ["news@example.net"]


def test_a_value_is_repeated_on_one_line_and_shortened() -> None:
    (sentence,) = settings_problems(TIMEZONE=f"Mars\n\x1b[2J{'x' * 1000}")

    assert sentence.startswith("GCSCHED_TIMEZONE cannot be used: 'Mars\\n\\x1b[2Jxxx")
    assert sentence.endswith("…' is not valid: give an IANA name, e.g. UTC or Europe/Berlin")
    assert len(sentence) < 250


@pytest.mark.parametrize("text", ["\udcff", "a\udcffb", "1\udcff"])
@pytest.mark.parametrize("name", ["SMTP_HOST", "TIMEZONE", "SMTP_PORT", "TEMPLATES_DIR"])
def test_octets_that_are_not_utf_8_are_reported_in_a_sentence(name: str, text: str) -> None:
    (sentence,) = settings_problems(**{name: text})

    assert sentence.startswith(f"GCSCHED_{name} cannot be used: ")
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "url", ["smtp://anna:s3cret@mail.example.org", "anna:s3cret@mail.example.org"]
)
def test_a_password_in_a_setting_that_is_not_a_secret_is_not_repeated(url: str) -> None:
    (sentence,) = settings_problems(SMTP_HOST=url)

    assert "s3cret" not in sentence
    assert "'…@mail.example.org' is not valid" in sentence


def test_a_ca_file_must_hold_certificates(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no PEM")
    of_fallback = {"FALLBACK_SMTP_HOST": "smtp2.example.org", "FALLBACK_SMTP_CA_FILE": str(file)}

    for given in ({"SMTP_CA_FILE": str(file)}, of_fallback):
        (sentence,) = settings_problems(**given)
        name = next(name for name in given if name.endswith("CA_FILE"))
        assert sentence == (
            f"GCSCHED_{name} cannot be used: '{file}': it contains no certificate in PEM format"
        )
    trustme.CA().cert_pem.write_to_path(file)
    assert load_settings(SMTP_CA_FILE=str(file)).smtp_ca_file == file


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
    (sentence,) = settings_problems(SENDER_NAME=name)

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
def test_a_senders_name_may_be_in_any_script(name: str) -> None:
    assert load_settings(SENDER_NAME=name).sender_name == name


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
    (sentence,) = settings_problems(SENDER_EMAIL=address)

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
def test_a_senders_domain_is_encoded_for_relays(domain: str, sent: str) -> None:
    settings = load_settings(SENDER_EMAIL=f"no-reply@{domain}")

    assert settings.sender_email == f"no-reply@{sent}"
    assert message_id_domain(settings) == sent

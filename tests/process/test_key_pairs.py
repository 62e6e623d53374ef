"""Files of TLS that cannot be used are distinguished, each with what to do."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gcsched.process.key_pairs import (
    UnusableFile,
    describe_expiry,
    read_authorities,
    read_key_pair,
)
from tests.support.certificates import (
    DAY,
    NOW,
    PairFiles,
    issue,
    write_authority,
    write_pair,
)

GARBAGE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
PKCS8, TRADITIONAL = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> PairFiles:
    return write_pair(tmp_path, issue(authority, "gcsched.internal", "127.0.0.1"))


def problem_of(files: PairFiles) -> str:
    with pytest.raises(UnusableFile) as caught:
        read_key_pair(files.chain, files.key, now=NOW)
    return str(caught.value)


def test_a_pair_is_read_with_its_names_and_dates(tmp_path: Path, authority: trustme.CA) -> None:
    between = authority.create_child_ca()
    files = write_pair(tmp_path, issue(between, "gcsched.internal", "127.0.0.1"))

    pair = read_key_pair(files.chain, files.key, now=NOW)

    assert pair.certificate.hosts == ("gcsched.internal", "127.0.0.1")
    assert pair.certificate.start == (NOW - DAY).replace(microsecond=0)
    assert pair.end == (NOW + 365 * DAY).replace(microsecond=0)
    assert pair.chain == files.chain.read_bytes()
    assert pair.chain.count(b"BEGIN CERTIFICATE") == 2
    assert pair.key == files.key.read_bytes()
    assert repr(pair.key[40:60])[2:-1] not in repr(pair)


def test_a_certificate_without_other_names_has_its_common_name(
    tmp_path: Path, authority: trustme.CA
) -> None:
    files = write_pair(tmp_path, authority.issue_cert(common_name="gcsched"))

    assert read_key_pair(files.chain, files.key, now=NOW).certificate.hosts == ("gcsched",)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda files: files.chain.unlink(), "server.pem': file not found; give the path"),
        (lambda files: files.key.unlink(), "server.key': file not found; give the path"),
        (lambda files: files.key.write_text("x"), "server.key': it contains no private key in PEM"),
        (
            lambda files: files.chain.write_text(""),
            "server.pem': it contains no certificate in PEM",
        ),
        (
            lambda files: files.chain.write_bytes(GARBAGE),
            "server.pem': OpenSSL cannot use it with ",
        ),
        (
            lambda files: shutil.copy(files.key, files.chain),
            "server.pem': it contains no certificate in PEM",
        ),
        (
            lambda files: shutil.copy(files.chain, files.key),
            "server.key': it contains no private key in PEM",
        ),
    ],
)
def test_a_file_without_what_it_should_hold_is_named(
    files: PairFiles, change: Callable[[PairFiles], object], expected: str
) -> None:
    change(files)

    assert expected in problem_of(files)


def test_a_folder_is_not_a_file(files: PairFiles) -> None:
    files.key.unlink()
    files.key.mkdir()

    assert problem_of(files).endswith("server.key': is a directory; give the path of a file")


def test_a_key_of_another_certificate_is_reported(files: PairFiles, authority: trustme.CA) -> None:
    files.key.write_bytes(issue(authority).private_key_pem.bytes())

    expected = f"it does not belong to the key in '{files.key}'; give the files of one pair"
    assert problem_of(files).endswith(expected)


@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
def test_an_encrypted_key_is_reported_and_no_password_is_asked_for(
    files: PairFiles, form: PrivateFormat
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    files.key.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"x")))

    assert "the key is encrypted; decrypt it (`openssl pkey" in problem_of(files)


def test_a_kind_of_key_that_grpc_cannot_serve_is_refused(files: PairFiles) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PKCS8, NoEncryption()))

    assert "gRPC's TLS has no Ed25519 and Ed448 keys; use an ECDSA key" in problem_of(files)


@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
def test_keys_of_both_usual_kinds_and_forms_are_read(files: PairFiles, form: PrivateFormat) -> None:
    for key in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)):
        files.key.write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))

        assert "it does not belong to the key" in problem_of(files)


def test_an_expired_certificate_and_one_of_the_future_are_reported(
    tmp_path: Path, authority: trustme.CA
) -> None:
    expired = issue(authority, end=NOW - timedelta(minutes=1))
    future = issue(authority, start=NOW + DAY)

    assert "it expired on " in problem_of(write_pair(tmp_path, expired))
    assert "it is not valid before " in problem_of(write_pair(tmp_path, future))


def test_authorities_are_read_and_the_last_end_counts(
    tmp_path: Path, authority: trustme.CA, files: PairFiles
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(trustme.CA().cert_pem.bytes() + b"\n# old\xff\n" + authority.cert_pem.bytes())

    assert read_authorities(both, now=NOW).certificates == both.read_bytes()
    for file, problem in {
        files.chain: "its certificate is not one of an authority (CA:FALSE)",
        files.key: "it contains no certificate in PEM format",
        tmp_path / "none": "file not found",
    }.items():
        with pytest.raises(UnusableFile) as caught:
            read_authorities(file, now=NOW)
        assert f"'{file}': {problem}" in str(caught.value)
    with pytest.raises(UnusableFile, match="it expired on 3000-01-01"):
        read_authorities(write_authority(tmp_path, authority), now=NOW.replace(year=3001))


@pytest.mark.parametrize(
    ("days", "left", "is_reported"),
    [
        (365, timedelta(days=15), False),
        (365, timedelta(days=13), True),
        (90, timedelta(days=29), False),
        (1, timedelta(hours=6), False),
        (1, timedelta(hours=4), True),
        (1, timedelta(hours=-1), True),
    ],
)
def test_a_certificate_near_its_end_is_reported_but_not_one_that_is_short_by_design(
    tmp_path: Path, authority: trustme.CA, days: int, left: timedelta, *, is_reported: bool
) -> None:
    start = NOW - DAY
    files = write_pair(tmp_path, issue(authority, start=start, end=start + timedelta(days=days)))
    certificate = read_key_pair(
        files.chain, files.key, now=start + timedelta(seconds=1)
    ).certificate

    text = describe_expiry(certificate, certificate.end - left)

    assert (text is not None) == is_reported
    if text is not None:
        assert text.startswith("expired on" if left < timedelta() else "expires on")

"""Read the files of TLS, all in PEM: a certificate, its private key, the clients' authorities."""

import base64
import binascii
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from gcsched.process.certificates import (
    PEM_CERTIFICATE,
    Certificate,
    join_certificates,
    parse_certificate,
    try_certificate,
)

PEM_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----([^-]+)-----END ")
ENCRYPTED_KEY = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: *4,ENCRYPTED")
EDWARDS_IDS = (bytes.fromhex("06032b6570"), bytes.fromhex("06032b6571"))  # Ed25519, Ed448
KEY_START = 32  # base64 characters that hold the algorithm of a key in PKCS #8

WARN_BEFORE = timedelta(days=14)
WARN_FRACTION = 5  # of the lifetime, for certificates that last for some hours or days

CHAIN_ADVICE = "give a PEM file with the certificate, then those of intermediate authorities"
AUTHORITIES_ADVICE = "give a PEM file with the certificates of the authorities of your clients"
NOT_OF_KEY = "it does not belong to the key in {key}; give the files of one pair"
SSL_PROBLEMS = {
    "KEY_VALUES_MISMATCH": NOT_OF_KEY,
    "NO_CERTIFICATE_ASSIGNED": NOT_OF_KEY,  # an RSA key and a certificate of another kind of key
    "EE_KEY_TOO_SMALL": "its key is too short; use an RSA key of 2048 bits, or an ECDSA key",
    "CA_MD_TOO_WEAK": "its signature is too weak; use a certificate that is signed with SHA-256",
    "CERTIFICATE_VERIFY_FAILED": "it is not one of a server; its extended key usage, if it has"
    " any, must include serverAuth",
}
"""What is wrong with a certificate, and what to do, by OpenSSL's reason."""
UNKNOWN_SSL_PROBLEM = "OpenSSL cannot use it with {key} ({reason}); give the files of one pair"


class UnusableFile(ValueError):
    """A file of TLS cannot be used; the text names the file, what is wrong, and what to do."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{str(file)!r}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """The certificate of a server, with intermediate ones after it, and its key.

    *context* serves TLS with the pair.
    """

    chain: bytes
    key: bytes = field(repr=False)
    certificate: Certificate
    context: ssl.SSLContext = field(compare=False, repr=False)

    @property
    def end(self) -> datetime:
        return self.certificate.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorities:
    """Certificates of authorities; *certificate* is the one that is valid for the longest time."""

    certificates: bytes
    certificate: Certificate

    @property
    def end(self) -> datetime:
        return self.certificate.end


def read_key_pair(chain_file: Path, key_file: Path, *, now: datetime) -> KeyPair:
    """Read and check the pair of a server. Raises UnusableFile."""
    chain, key = read_chain(chain_file), read_key(key_file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with explain_errors(chain_file, key_file):
        load_pair(context, chain_file, key_file)
        certificate = try_certificate(context, chain)
    check_dates(chain_file, certificate, now)
    return KeyPair(chain=chain, key=key, certificate=certificate, context=context)


def read_client_pair(chain_file: Path, key_file: Path) -> tuple[bytes, bytes]:
    """Return the certificate and the key of a client. Raises UnusableFile."""
    chain, key = read_chain(chain_file), read_key(key_file)
    with explain_errors(chain_file, key_file):
        load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), chain_file, key_file)
    return chain, key


def load_pair(context: ssl.SSLContext, chain_file: Path, key_file: Path) -> None:
    # With an empty password, because OpenSSL asks for a missing one on the terminal.
    context.load_cert_chain(chain_file, key_file, password="")


@contextmanager
def explain_errors(chain_file: Path, key_file: Path) -> Iterator[None]:
    """Raise UnusableFile for an error of OpenSSL in the block."""
    try:
        yield
    except ssl.SSLError as error:
        template = SSL_PROBLEMS.get(error.reason or "", UNKNOWN_SSL_PROBLEM)
        problem = template.format(key=repr(str(key_file)), reason=error.reason or "damaged")
        raise UnusableFile(chain_file, problem) from error
    except OSError as error:  # a file has vanished since it was read
        raise UnusableFile(chain_file, describe_os_error(error)) from error


def read_chain(file: Path) -> bytes:
    """Read a file with a certificate. Raises UnusableFile."""
    text = read_file(file)
    if not PEM_CERTIFICATE.search(text):
        raise UnusableFile(file, f"it contains no certificate in PEM format; {CHAIN_ADVICE}")
    return text


def read_key(file: Path) -> bytes:
    """Read a file with a private key. Raises UnusableFile."""
    text = read_file(file)
    if ENCRYPTED_KEY.search(text):
        problem = "the key is encrypted; decrypt it (`openssl pkey -in FILE -out FILE`)"
        raise UnusableFile(file, f"{problem}, and protect the file by its rights")
    if (block := PEM_KEY.search(text)) is None:
        problem = "it contains no private key in PEM format; give the file with the key"
        raise UnusableFile(file, problem)
    with suppress(binascii.Error):
        start = base64.b64decode(b"".join(block[1].split())[:KEY_START])
        if any(each in start for each in EDWARDS_IDS):
            problem = "gRPC's TLS has no Ed25519 and Ed448 keys; use an ECDSA key (P-256) or RSA"
            raise UnusableFile(file, problem)
    return text


def read_authorities(file: Path, *, now: datetime) -> Authorities:
    """Read certificates of authorities, of which one must be valid. Raises UnusableFile."""
    text = read_file(file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=join_certificates(text))
    except (ssl.SSLError, ValueError) as error:
        problem = f"it contains no certificate in PEM format; {AUTHORITIES_ADVICE}"
        raise UnusableFile(file, problem) from error
    found = [parse_certificate(each) for each in context.get_ca_certs()]
    if not found:
        problem = f"its certificate is not one of an authority (CA:FALSE); {AUTHORITIES_ADVICE}"
        raise UnusableFile(file, problem)
    lasting = max(found, key=lambda each: (each.start <= now, each.end))
    check_dates(file, lasting, now)
    return Authorities(certificates=text, certificate=lasting)


def read_file(file: Path) -> bytes:
    """Return the octets of *file*. Raises UnusableFile."""
    try:
        return file.read_bytes()
    except (OSError, ValueError) as error:
        raise UnusableFile(file, describe_os_error(error)) from error


def describe_os_error(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "file not found; give the path of a file that exists"
    if isinstance(error, PermissionError):
        return "permission denied; let the user of this process read it"
    reason = (
        error.strerror.lower() if isinstance(error, OSError) and error.strerror else "unreadable"
    )
    return f"{reason}; give the path of a file"


def check_dates(file: Path, certificate: Certificate, now: datetime) -> None:
    """Raise UnusableFile unless *certificate* is valid at *now*."""
    if certificate.end <= now:
        raise UnusableFile(file, f"it expired on {format_date(certificate.end)}; renew it")
    if now < certificate.start:
        start = format_date(certificate.start)
        problem = f"it is not valid before {start}; wait, or correct the clock of this machine"
        raise UnusableFile(file, problem)


def describe_expiry(certificate: Certificate, now: datetime) -> str | None:
    """Return in words that *certificate* has expired or expires soon; None if it does not."""
    if certificate.end <= now:
        return f"expired on {format_date(certificate.end)}: renew it"
    lifetime = certificate.end - certificate.start
    if certificate.end - now >= min(WARN_BEFORE, lifetime / WARN_FRACTION):
        return None
    return f"expires on {format_date(certificate.end)}: renew it"


def format_date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"

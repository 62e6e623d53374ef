"""The options of TLS of client commands, and the certificate of the service beside them."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gcsched.cli.arguments import parse_path
from gcsched.cli.failure import WrongUsage
from gcsched.environment import (
    CA_FILE,
    CERT_FILE,
    DEFAULT_TARGET,
    KEY_FILE,
    TLS_SWITCH,
    read_tls_switch,
)
from gcsched.proxies import own_target

if TYPE_CHECKING:
    import grpc

    from gcsched.client import Tls

OWN_CERT_FILE, OWN_KEY_FILE = "GCSCHED_GRPC_TLS_CERT_FILE", "GCSCHED_GRPC_TLS_KEY_FILE"
OWN_CLIENT_CA_FILE = "GCSCHED_GRPC_CLIENT_CA_FILE"


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--tls",
        action="store_true",
        help=f"encrypt calls, and trust the authorities of this system ({TLS_SWITCH}=1)",
    )
    for option, variable, what in (
        ("--tls-ca-file", CA_FILE, "encrypt calls, and trust the authorities in this PEM file"),
        ("--tls-cert-file", CERT_FILE, "your client certificate, a PEM file"),
        ("--tls-key-file", KEY_FILE, "its key, a PEM file"),
    ):
        add(option, metavar="FILE", type=parse_path, help=f"{what} ({variable})")


def choose_tls(chosen: Namespace, environ: Mapping[str, str]) -> "Tls | None":
    """Return the TLS of the options, else of *environ*; None: calls are not encrypted.

    Without either, the service with this environment is known by its own certificate. Raises
    WrongUsage.
    """
    own = uses_own_certificate(chosen, environ)
    if not own and not wants_tls(chosen, environ):
        return None
    from gcsched.client import Tls

    cert_file, key_file = find_pair(chosen, environ)
    name = read_own_name(environ) if own else ""
    ca_file = environ[OWN_CERT_FILE] if own else find_file(chosen.tls_ca_file, environ, CA_FILE)
    return Tls(ca_file=ca_file, cert_file=cert_file, key_file=key_file, server_name=name)


def wants_tls(chosen: Namespace, environ: Mapping[str, str]) -> bool:
    """Return whether an option or a variable asks for TLS. Raises WrongUsage."""
    try:
        is_on = read_tls_switch(environ)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    ca_file = find_file(chosen.tls_ca_file, environ, CA_FILE)
    return chosen.tls or is_on or bool(ca_file or any(find_pair(chosen, environ)))


def uses_own_certificate(chosen: Namespace, environ: Mapping[str, str]) -> bool:
    """Return whether the target is the service with this environment, which serves TLS.

    Not if an option or a variable says which authorities to trust.
    """
    is_own = chosen.target == (own_target(environ) or DEFAULT_TARGET)
    is_given = chosen.tls or environ.get(TLS_SWITCH) or chosen.tls_ca_file or environ.get(CA_FILE)
    return bool(environ.get(OWN_CERT_FILE)) and is_own and not is_given


def find_file(given: Path | None, environ: Mapping[str, str], variable: str) -> Path | str | None:
    return given if given is not None else environ.get(variable) or None


def find_pair(
    chosen: Namespace, environ: Mapping[str, str]
) -> tuple[Path | str | None, Path | str | None]:
    """Return the files of the client certificate. Raises WrongUsage if there is only one."""
    cert_file = find_file(chosen.tls_cert_file, environ, CERT_FILE)
    key_file = find_file(chosen.tls_key_file, environ, KEY_FILE)
    if (cert_file is None) != (key_file is None):
        raise WrongUsage(
            "a client certificate and its key belong together; give both --tls-cert-file"
            f" ({CERT_FILE}) and --tls-key-file ({KEY_FILE}), or none"
        )
    return cert_file, key_file


def read_credentials(tls: "Tls") -> "grpc.ChannelCredentials":
    """Read the files of *tls*. Raises WrongUsage."""
    from gcsched.process.key_pairs import UnusableFile

    try:
        return tls.read_credentials()
    except UnusableFile as error:
        raise WrongUsage(f"a file of TLS cannot be used: {error}") from error


def read_own_name(environ: Mapping[str, str]) -> str:
    """Return a name in the certificate of the own service. Raises WrongUsage."""
    from gcsched.process.key_pairs import UnusableFile, read_key_pair

    files = [Path(environ.get(each, "")) for each in (OWN_CERT_FILE, OWN_KEY_FILE)]
    try:
        hosts = read_key_pair(*files, now=datetime.now(UTC)).certificate.hosts
    except UnusableFile as error:
        raise WrongUsage(f"the certificate of the service cannot be used: {error}") from error
    # Any name that a wildcard covers will do.
    return hosts[0].replace("*", "gcsched") if hosts else ""


def requires_certificate(chosen: Namespace, environ: Mapping[str, str]) -> bool:
    """Return whether the own service requires a client certificate, and there is none here."""
    return bool(environ.get(OWN_CLIENT_CA_FILE)) and not any(find_pair(chosen, environ))

"""The settings of TLS: certificate and key of each listener, and the authorities of clients."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationInfo, field_validator

from gcsched.config.connections import ConnectionSettings
from gcsched.config.fields import setting, variable_name
from gcsched.domain.invalid_setting import InvalidSetting
from gcsched.process.key_pairs import (
    UnusableFile,
    read_authorities,
    read_chain,
    read_key,
    read_key_pair,
)


class TlsSettings(ConnectionSettings):
    """The files of TLS, which are checked here, and read again while the service runs."""

    # Each key comes before its certificate, whose check uses both.
    grpc_tls_key_file: Path | None = setting(
        "The private key of the certificate of gRPC (PEM, not encrypted).",
        "give the path of a PEM file with the private key",
        default=None,
    )
    grpc_tls_cert_file: Path | None = setting(
        "The certificate of gRPC, then those of intermediate authorities (PEM); unset: no TLS. All "
        "files of TLS are read again when they change.",
        "give the path of a PEM file with the certificate",
        default=None,
    )
    grpc_client_ca_file: Path | None = setting(
        "The certificate authorities of the callers of gRPC (PEM): each caller needs a certificate "
        "of one of them; unset: callers need no certificate.",
        "give the path of a PEM file with the certificates of authorities",
        default=None,
    )
    http_tls_key_file: Path | None = setting(
        "The private key of the certificate of HTTP (PEM, not encrypted).",
        "give the path of a PEM file with the private key",
        default=None,
    )
    http_tls_cert_file: Path | None = setting(
        "The certificate of HTTP, the listener of metrics and probes (PEM); unset: no TLS. Callers "
        "never need a certificate there.",
        "give the path of a PEM file with the certificate",
        default=None,
    )

    console_tls_key_file: Path | None = setting(
        "The private key of the certificate of the console (PEM, not encrypted).",
        "give the path of a PEM file with the private key",
        default=None,
    )
    console_tls_cert_file: Path | None = setting(
        "The certificate of the console (PEM); unset: no TLS. The console answers to the names in "
        "it. Browsers never need a certificate there.",
        "give the path of a PEM file with the certificate",
        default=None,
    )

    @field_validator("grpc_tls_key_file", "http_tls_key_file", "console_tls_key_file")
    @classmethod
    def _check_key(cls, key: Path | None) -> Path | None:
        if key is not None:
            check_file(read_key, key)
        return key

    @field_validator("grpc_tls_cert_file", "http_tls_cert_file", "console_tls_cert_file")
    @classmethod
    def _check_certificate(cls, chain: Path | None, info: ValidationInfo) -> Path | None:
        key_field = str(info.field_name).replace("cert", "key")
        key: Path | None = info.data.get(key_field)
        if key is None and key_field not in info.data:  # it is invalid, and reported already
            if chain is not None:
                check_file(read_chain, chain)
        elif chain is None and key is not None:
            raise InvalidSetting(
                f"is missing: {variable_name(key_field)} is given, so give both or none"
            )
        elif chain is not None and key is None:
            raise InvalidSetting(f"is given without {variable_name(key_field)}: give both or none")
        elif chain is not None:
            check_file(read_key_pair, chain, key, now=datetime.now(UTC))
        return chain

    @field_validator("grpc_client_ca_file")
    @classmethod
    def _check_client_ca(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is None:
            return None
        certificate = "grpc_tls_cert_file"
        if info.data.get(certificate, file) is None:
            raise InvalidSetting(
                f"is given without {variable_name(certificate)}: certificates of callers need TLS,"
                " so give the certificate and the key of gRPC too"
            )
        check_file(read_authorities, file, now=datetime.now(UTC))
        return file


def check_file(read: Callable[..., object], *arguments: object, **more: Any) -> None:
    """Call *read*; raise InvalidSetting if a file cannot be used."""
    try:
        read(*arguments, **more)
    except UnusableFile as error:
        raise InvalidSetting(f"cannot be used: {error}") from error

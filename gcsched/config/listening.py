"""The settings of the ports: where they listen, and who may call."""

from typing import Annotated

from pydantic import AfterValidator, FilePath, ValidationInfo, field_validator

from gcsched.config import fields as formats
from gcsched.config.exposure import find_exposure_problem, is_open_beyond_loopback
from gcsched.config.fields import setting
from gcsched.config.tls import TlsSettings
from gcsched.domain.invalid_setting import ContradictorySettings

TLS_FILE, CLIENT_CA_FILE = "grpc_tls_cert_file", "grpc_client_ca_file"


class ListenSettings(TlsSettings):
    """The second part of the settings. The check of a field may use the fields before it."""

    grpc_listen: Annotated[str, AfterValidator(formats.parse_listen_address)] = setting(
        "Where gRPC listens, as `host:port`; `0.0.0.0:50051` or `[::]:50051` for all interfaces.",
        "give host:port, e.g. 127.0.0.1:50051, 0.0.0.0:50051 or [::1]:50051",
        default="127.0.0.1:50051",
    )
    http_listen: Annotated[str, AfterValidator(formats.parse_http_listen)] = setting(
        "Where HTTP listens for `/metrics`, `/livez`, `/servez` and `/readyz`, as `host:port`.",
        "give host:port, e.g. 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080",
        default="127.0.0.1:8080",
    )
    reuse_port: bool = setting(
        "Whether other processes of the same user may listen on the same address: the kernel "
        "distributes connections among them. Off: a second process is refused.",
        "give 1 or 0",
        default=False,
    )
    clients_file: FilePath | None = setting(
        "The clients that may call, with their tokens, scopes and limits (TOML); `gcsched token` "
        "writes it. It is read again within 2 s after a change. Unset: anyone who reaches the port "
        "may call.",
        "give the path of a TOML file that exists; `gcsched token new` makes one",
        default=None,
    )
    allow_insecure: bool = setting(
        "Whether gRPC and the console may listen beyond loopback without TLS, or without "
        "`GCSCHED_CLIENTS_FILE`: "
        "then anyone who reaches the port can read what calls carry, or schedule mails, read jobs "
        "and pause sending. Each start logs a warning.",
        "give 1 or 0",
        default=False,
    )

    @property
    def has_tls(self) -> bool:
        return self.grpc_tls_cert_file is not None

    @property
    def has_client_ca(self) -> bool:
        """Whether callers identify themselves by client certificates."""
        return self.grpc_client_ca_file is not None

    @property
    def is_insecure(self) -> bool:
        """Whether other machines can reach gRPC without encryption or control of callers."""
        return is_open_beyond_loopback(
            self.grpc_listen, has_tls=self.has_tls, has_clients_file=self.clients_file is not None
        )

    @field_validator("allow_insecure")
    @classmethod
    def _check_exposure(cls, allowed: object, info: ValidationInfo) -> object:
        given = info.data
        if {"grpc_listen", "clients_file"} <= given.keys():  # otherwise they are reported
            problem = find_exposure_problem(
                grpc_listen=given["grpc_listen"],
                has_tls=given.get(TLS_FILE) is not None,
                has_clients_file=given["clients_file"] is not None,
                has_client_ca=given.get(CLIENT_CA_FILE) is not None,
                allow_insecure=bool(allowed),
            )
            if problem is not None:
                raise ContradictorySettings(problem)
        return allowed

"""The settings of stores and relays.

Of the adapters this imports only the checks of store URLs, and the drivers behind them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, FilePath, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gcsched.adapters.mongo.uri import parse_database, validate_uri
from gcsched.adapters.redis.url import validate_url
from gcsched.adapters.store_url import find_ca_problem
from gcsched.config import fields as formats
from gcsched.config.fields import PREFIX, setting, variable_name
from gcsched.config.helo import parse_helo_name
from gcsched.domain.invalid_setting import InvalidSetting

SECURITY_OF_PORT = {465: "tls", 587: "starttls"}
MIN_RATE = 0.01


class ConnectionSettings(BaseSettings):
    """The first part of the settings. The check of a field may use the fields before it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    mongo_uri: Annotated[SecretStr, AfterValidator(validate_uri)] = setting(
        "MongoDB, which stores all jobs: the `mongodb://` or `mongodb+srv://` string of a replica "
        "set; its path names the database (`gcsched` if it has none).",
        "give the MongoDB connection string, "
        "e.g. mongodb://user:password@host/gcsched?replicaSet=rs0, "
        "special characters in the password written as %XX",
    )
    allow_standalone: bool = setting(
        "Whether to accept a standalone mongod, which can lose confirmed writes, for a try-out; "
        "otherwise only a replica set (one member is enough) or a cluster is accepted.",
        "give 1 or 0",
        default=False,
    )
    redis_url: Annotated[SecretStr, AfterValidator(validate_url)] = setting(
        "Redis 6.2 or newer, or Valkey, for wake-ups: `redis://`, `rediss://` (TLS) or `unix://`. "
        "With TLS the certificate must name the host, unless `ssl_check_hostname=false` or "
        "`ssl_cert_reqs=none`.",
        "give the URL of Redis or Valkey, e.g. redis://:password@host:6379/0, "
        "special characters in the password written as %XX",
    )
    smtp_host: Annotated[str, AfterValidator(formats.parse_host)] = setting(
        "The mail relay: a host name or an IP address.",
        "give the host name or IP address of the mail relay, e.g. smtp.example.org",
    )
    smtp_port: int = setting(
        "Port of the mail relay.", "give a port from 1 to 65535", default=587, ge=1, le=65535
    )
    smtp_username: str | None = setting(
        "Login at the mail relay; unset: no login.", "give a name", default=None, min_length=1
    )
    smtp_password: SecretStr | None = setting(
        "Password of that login.", "give a password", default=None, min_length=1
    )
    smtp_security: Literal["none", "starttls", "tls"] = setting(
        "How the connection to the relay is encrypted: `starttls`, `tls` or `none`. "
        "Unset: `tls` on port 465, `starttls` on 587; required on any other port.",
        "give starttls, tls or none (only the ports 465 and 587 have a default)",
        default="",
    )
    smtp_ca_file: FilePath | None = setting(
        "Certificate authorities for the relay's certificate (PEM); unset: those of the system.",
        "give the path of a PEM file that exists",
        default=None,
    )
    smtp_sessions: int = setting(
        "The most sessions with a relay, in each process. Up to 16 open at first, more while mails "
        "wait and the relay keeps up; a relay that throttles gets fewer.",
        "give a whole number from 1 to 1000",
        default=32,
        ge=1,
        le=1000,
    )
    smtp_sessions_per_domain: int = setting(
        "How many of them may send mails for the same recipient domain at once, in each process; "
        "0: no limit. So a slow domain does not delay the others.",
        "give a whole number from 0 to 1000",
        default=0,
        ge=0,
        le=1000,
    )
    smtp_rate: float = setting(
        "How many mails per second the relay gets from all processes together; 0: no limit. While "
        "Redis is unavailable each process uses a quarter of it, so that up to four stay below it. "
        "The second relay has its own limit of the same size.",
        "give mails per second, 0 or from 0.01 to 100000",
        default=0,
        ge=0,
        le=100_000,
        allow_inf_nan=False,
    )
    smtp_burst: int = setting(
        "How many mails above that rate the relay may get at once, after idle time.",
        "give a whole number from 1 to 100000",
        default=10,
        ge=1,
        le=100_000,
    )
    smtp_helo_name: Annotated[str, AfterValidator(parse_helo_name)] | None = setting(
        "Our name in HELO and EHLO to either relay: a domain name, or an address as "
        "`[192.0.2.1]`. Unset: the machine's name if it is a full one (`hostname` prints a dot) "
        "that the public DNS can have (not within `internal`, `local`, `lan` or the like), else "
        "our address on the connection, which some relays refuse.",
        "give a domain name, e.g. mail.example.org, or an address literal, e.g. [192.0.2.1] or "
        "[IPv6:2001:db8::1]",
        default=None,
    )
    fallback_smtp_host: Annotated[str, AfterValidator(formats.parse_host)] | None = setting(
        "A second relay, which takes over while the first is down; unset: mails wait instead.",
        "give the host name or IP address of the second relay, e.g. smtp2.example.org",
        default=None,
    )
    fallback_smtp_port: int = setting(
        "Port of the second relay.", "give a port from 1 to 65535", default=587, ge=1, le=65535
    )
    fallback_smtp_username: str | None = setting(
        "Login at the second relay; unset: no login.", "give a name", default=None, min_length=1
    )
    fallback_smtp_password: SecretStr | None = setting(
        "Password of that login.", "give a password", default=None, min_length=1
    )
    fallback_smtp_security: Literal["none", "starttls", "tls"] = setting(
        "How the connection to the second relay is encrypted, as with the first.",
        "give starttls, tls or none (only the ports 465 and 587 have a default)",
        default="",
    )
    fallback_smtp_ca_file: FilePath | None = setting(
        "Certificate authorities for the second relay (PEM); unset: those of the system.",
        "give the path of a PEM file that exists",
        default=None,
    )

    @property
    def mongo_database(self) -> str:
        return str(parse_database(self.mongo_uri.get_secret_value()))

    @field_validator("fallback_smtp_username", "fallback_smtp_ca_file")
    @classmethod
    def _check_fallback_host(cls, value: str | Path | None, info: ValidationInfo) -> object:
        if value is not None and info.data.get("fallback_smtp_host", value) is None:
            raise InvalidSetting("is given without GCSCHED_FALLBACK_SMTP_HOST: give both or none")
        return value

    @field_validator("smtp_rate")
    @classmethod
    def _check_rate(cls, value: float) -> float:
        if 0 < value < MIN_RATE:
            raise InvalidSetting(
                f"is less than one mail in {1 / MIN_RATE:g} s: "
                f"give at least {MIN_RATE:g}, or 0 for no limit"
            )
        return value

    @field_validator("smtp_password", "fallback_smtp_password")
    @classmethod
    def _check_login(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        name = sibling_field(info, "username")
        username = info.data.get(name, value)
        if value is None and username is not None:
            raise InvalidSetting(
                f"is missing: {variable_name(name)} is given, so give both or none"
            )
        if value is not None and username is None:
            raise InvalidSetting(f"is given without {variable_name(name)}: give both or none")
        return value

    @field_validator("smtp_security", "fallback_smtp_security", mode="before")
    @classmethod
    def _default_security(cls, value: str, info: ValidationInfo) -> str:
        port = info.data.get(sibling_field(info, "port"), 587)
        return value.lower() or SECURITY_OF_PORT.get(port, "")

    @field_validator("smtp_security", "fallback_smtp_security")
    @classmethod
    def _check_password_encrypted(cls, value: str, info: ValidationInfo) -> str:
        host = info.data.get(sibling_field(info, "host")) or "localhost"
        username = sibling_field(info, "username")
        if value == "none" and info.data.get(username) and not formats.is_loopback(host):
            raise InvalidSetting(
                f"is none, so the password would cross the network to {host} unencrypted: "
                f"give starttls or tls, or no {variable_name(username)}"
            )
        return value

    @field_validator("smtp_ca_file", "fallback_smtp_ca_file")
    @classmethod
    def _check_ca_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        security = sibling_field(info, "security")
        if value is not None and info.data.get(security) == "none":
            raise InvalidSetting(
                f"is given, but with {variable_name(security)}=none nothing is checked: "
                "give starttls or tls, or no file"
            )
        if value is not None and (problem := find_ca_problem(value)):
            raise InvalidSetting(f"cannot be used: {problem}")
        return value


def sibling_field(info: ValidationInfo, name: str) -> str:
    """Return the field *name* of the same relay: `smtp_port` beside `smtp_host`."""
    first, _, _ = str(info.field_name).partition("smtp_")
    return f"{first}smtp_{name}"

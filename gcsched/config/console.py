"""The settings of the console: where it listens, how it is reached, and the key of its logins."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, ValidationInfo, field_validator

from gcsched.config import fields as formats
from gcsched.config.exposure import find_console_problem
from gcsched.config.fields import setting
from gcsched.config.listening import ListenSettings
from gcsched.domain.invalid_setting import ContradictorySettings

MIN_KEY_LENGTH = 32
MAX_LABEL_LENGTH = 40
ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?"
    r"(?P<path>(?:/[a-z0-9._~-]+)*)/?",
    re.IGNORECASE,
)
DEFAULT_PORTS = {"http": 80, "https": 443}
EXPOSURE_FIELDS = {"console_listen", "console_tls_cert_file", "clients_file", "allow_insecure"}
"""What decides, beside the origin, whether other machines reach the console unprotected."""


def parse_origin(text: str) -> str:
    """Return the address of a proxy in its usual form: scheme, host, port if unusual, path."""
    found = ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError
    scheme, host, path = found["scheme"].lower(), found["host"].lower(), found["path"]
    port = urlsplit(text).port
    is_usual = port in {None, DEFAULT_PORTS[scheme]}
    return f"{scheme}://{host}{'' if is_usual else f':{port}'}{path}"


def parse_label(text: str) -> str:
    if not text.isprintable():
        raise ValueError
    return text


class ConsoleSettings(ListenSettings):
    """The settings of the console. The check of a field may use the fields before it."""

    console_listen: Annotated[str, AfterValidator(formats.parse_console_listen)] | None = setting(
        "Where the console for operators listens, as `host:port`; unset: there is none. Beyond "
        "loopback it needs TLS, its own or a proxy's, and `GCSCHED_CLIENTS_FILE`.",
        "give host:port, e.g. 127.0.0.1:8090, 0.0.0.0:8090 or [::1]:8090",
        default=None,
    )
    console_label: Annotated[str, AfterValidator(parse_label)] = setting(
        "The name of this installation, which each page of the console begins with, e.g. `prod`.",
        f"give one line of at most {MAX_LABEL_LENGTH} characters",
        default="",
        max_length=MAX_LABEL_LENGTH,
    )
    console_key: SecretStr | None = setting(
        "The key that signs the logins of the console, the same for all processes. Unset: a random "
        "one, so each restart ends the logins, and those of one process do not count at another.",
        f"give a random text of at least {MIN_KEY_LENGTH} characters: `openssl rand -hex 32`",
        default=None,
        min_length=MIN_KEY_LENGTH,
    )
    console_origin: Annotated[str, AfterValidator(parse_origin)] | None = setting(
        "The address by which browsers reach the console through a proxy, with its path if it has "
        "one: `https://ops.example.org/gcsched`. The proxy passes the `Host` on, and removes the "
        "path. Unset: browsers reach it directly.",
        "give an address that begins with https://, e.g. https://ops.example.org",
        default=None,
    )

    @property
    def is_console_encrypted(self) -> bool:
        """Whether browsers reach the console by HTTPS, its own or that of a proxy."""
        is_proxy_encrypted = (self.console_origin or "").startswith("https:")
        return self.console_tls_cert_file is not None or is_proxy_encrypted

    @property
    def is_console_insecure(self) -> bool:
        """Whether other machines can reach the console without encryption or without a login."""
        return self.console_listen is not None and bool(
            find_console_problem(
                listen=self.console_listen,
                origin=self.console_origin or "",
                has_tls=self.console_tls_cert_file is not None,
                has_clients_file=self.clients_file is not None,
            )
        )

    @field_validator("console_origin")
    @classmethod
    def _check_console_exposure(cls, origin: str | None, info: ValidationInfo) -> str | None:
        given = info.data
        # A setting that is absent is invalid, and reported already.
        if not given.keys() >= EXPOSURE_FIELDS or given["allow_insecure"]:
            return origin
        listen = given["console_listen"]
        problem = listen and find_console_problem(
            listen=listen,
            origin=origin or "",
            has_tls=given["console_tls_cert_file"] is not None,
            has_clients_file=given["clients_file"] is not None,
        )
        if problem:
            raise ContradictorySettings(problem)
        return origin

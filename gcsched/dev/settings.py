"""The settings of `gcsched dev`: the operator's, except for the stores and the relay."""

from collections.abc import Mapping
from dataclasses import dataclass

from gcsched.config import settings
from gcsched.config.fields import variable_name
from gcsched.config.settings import Settings

DEFAULT_HTTP_LISTEN = "127.0.0.1:8080"
DEFAULT_CONSOLE_LISTEN = "127.0.0.1:8090"
DEFAULTS = {
    "sender_email": "no-reply@example.org",
    "sender_name": "gcsched dev",
    "test_recipients": "example.org",
    "log_level": "WARNING",  # the lines of `dev` say what happens
    "meeting_settle": "1",  # the author of a change waits for its mail
}
IGNORED_SETTINGS = frozenset(
    {
        "mongo_uri",
        "redis_url",
        "secrets_dir",
        "smtp_host",
        "smtp_port",
        "smtp_username",
        "smtp_password",
        "smtp_security",
        "smtp_ca_file",
        "smtp_helo_name",
        "fallback_smtp_host",
        "fallback_smtp_port",
        "fallback_smtp_username",
        "fallback_smtp_password",
        "fallback_smtp_security",
        "fallback_smtp_ca_file",
    }
)
"""Settings that `gcsched dev` ignores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevEndpoints:
    """The addresses of dev's own stores and relay, and those the service listens on.

    The operator's settings take precedence over *http_listen* and *console_listen*; without either
    there is no console.
    """

    mongo_uri: str
    redis_url: str
    smtp_port: int
    grpc_listen: str
    http_listen: str = DEFAULT_HTTP_LISTEN
    console_listen: str = ""


def load_dev_settings(environ: Mapping[str, str], endpoints: DevEndpoints) -> Settings:
    """Return the settings of the service; raise SettingsProblems if they are invalid."""
    fixed = {
        "mongo_uri": endpoints.mongo_uri,
        "redis_url": endpoints.redis_url,
        "smtp_host": "127.0.0.1",
        "smtp_port": str(endpoints.smtp_port),
        "smtp_security": "none",
        "grpc_listen": endpoints.grpc_listen,
    }
    ignored = find_ignored(environ)
    given = {name: value for name, value in environ.items() if name not in ignored and value}
    defaults = {
        **DEFAULTS,
        "http_listen": endpoints.http_listen,
        "console_listen": endpoints.console_listen,
    }
    # The last one wins: defaults, then the operator's settings, then what dev must set itself.
    return settings.read_settings({**to_environ(defaults), **given, **to_environ(fixed)})


def check_settings(environ: Mapping[str, str], *, grpc_listen: str) -> Settings:
    """Check the settings before anything is started, with stand-ins for stores and relay."""
    endpoints = DevEndpoints(
        mongo_uri="mongodb://127.0.0.1/gcsched",
        redis_url="redis://127.0.0.1",
        smtp_port=25,
        grpc_listen=grpc_listen,
        http_listen="127.0.0.1:0",
        console_listen="127.0.0.1:0",
    )
    return load_dev_settings(environ, endpoints)


def find_ignored(environ: Mapping[str, str]) -> list[str]:
    """Return the variables in *environ* that `gcsched dev` ignores."""
    return sorted(name for name in map(variable_name, IGNORED_SETTINGS) if environ.get(name))


def to_environ(values: Mapping[str, str]) -> dict[str, str]:
    return {variable_name(field): value for field, value in values.items()}

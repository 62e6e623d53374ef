"""The settings of `gcsched dev`: the operator's, except for the stores and the relay."""

from collections.abc import Mapping
from dataclasses import dataclass

from gcsched.config import settings
from gcsched.config.fields import variable_name
from gcsched.config.settings import Settings

DEFAULT_HTTP_LISTEN = "127.0.0.1:8080"
DEFAULTS = {
    "sender_email": "no-reply@example.org",
    "sender_name": "gcsched dev",
    "log_level": "WARNING",  # what happens is told on stdout
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
"""Settings that mean nothing here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevEndpoints:
    """Where the stores and the relay are that dev brings along, and where we shall listen.

    *http_listen* gives way to the operator's wish.
    """

    mongo_uri: str
    redis_url: str
    smtp_port: int
    grpc_listen: str
    http_listen: str = DEFAULT_HTTP_LISTEN


def load_dev_settings(environ: Mapping[str, str], brought: DevEndpoints) -> Settings:
    """Give the settings of the service; raises SettingsProblems."""
    ours = {
        "mongo_uri": brought.mongo_uri,
        "redis_url": brought.redis_url,
        "smtp_host": "127.0.0.1",
        "smtp_port": str(brought.smtp_port),
        "smtp_security": "none",
        "grpc_listen": brought.grpc_listen,
    }
    ignored_here = find_ignored(environ)
    said = {name: value for name, value in environ.items() if name not in ignored_here and value}
    defaults = {**DEFAULTS, "http_listen": brought.http_listen}
    return settings.read_settings({**to_environ(defaults), **said, **to_environ(ours)})


def check_settings(environ: Mapping[str, str], *, grpc_listen: str) -> Settings:
    """Find what is wrong before anything is started; stores and relay are stand-ins."""
    brought = DevEndpoints(
        mongo_uri="mongodb://127.0.0.1/gcsched",
        redis_url="redis://127.0.0.1",
        smtp_port=25,
        grpc_listen=grpc_listen,
        http_listen="127.0.0.1:0",
    )
    return load_dev_settings(environ, brought)


def find_ignored(environ: Mapping[str, str]) -> list[str]:
    """Give those settings in *environ* that mean nothing here."""
    return sorted(name for name in map(variable_name, IGNORED_SETTINGS) if environ.get(name))


def to_environ(values: Mapping[str, str]) -> dict[str, str]:
    return {variable_name(field): value for field, value in values.items()}

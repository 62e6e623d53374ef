"""The first lines of a service's log: where it listens, what it is connected to, what to know."""

from gcsched import __version__
from gcsched.adapters.mongo.uri import format_mongo_location
from gcsched.adapters.redis.url import format_redis_location
from gcsched.config.settings import Settings
from gcsched.process.zone_data import find_zone_version
from gcsched.wiring.access import warn_if_insecure
from gcsched.wiring.optional_console import find_console_address
from gcsched.wiring.recipients import log_recipient_settings
from gcsched.wiring.relays import fallback_settings, primary_settings
from gcsched.wiring.resources import Resources


def start_facts(settings: Settings, resources: Resources, *, grpc_port: int) -> dict[str, object]:
    """Return the fields of the line; they contain no password and no user name."""
    relays = [
        relay
        for relay in (primary_settings(settings), fallback_settings(settings))
        if relay is not None
    ]
    console = find_console_address(settings, resources.console.port)
    return {
        "version": __version__,
        "grpc": replace_port(settings.grpc_listen, grpc_port),
        "grpc_security": describe_security(settings),
        "http": replace_port(settings.http_listen, resources.http_port),
        **({"console": console} if console else {}),
        "mongodb": format_mongo_location(settings.mongo_uri.get_secret_value()),
        "redis": format_redis_location(settings.redis_url.get_secret_value()),
        "relays": [f"{each.host}:{each.port} ({each.security})" for each in relays],
        "daily_at": f"{settings.daily_at:%H:%M}",
        "timezone": str(settings.timezone),
        "zone_version": find_zone_version(),
        "templates": [each.name for each in resources.templates.list_info()],
        "templates_dir": str(resources.templates.folder),
    }


def log_start_warnings(settings: Settings) -> None:
    """Log what the settings allow or restrict in a way that an operator should know of."""
    warn_if_insecure(settings)
    log_recipient_settings(settings)


def describe_security(settings: Settings) -> str:
    if settings.grpc_tls_cert_file is None:
        return "none"
    return "tls" if settings.grpc_client_ca_file is None else "mutual tls"


def replace_port(listen: str, port: int) -> str:
    """Return the address of *listen* with the *port* that the system chose for port 0."""
    return f"{listen.rpartition(':')[0]}:{port}"

"""Refuse to listen beyond loopback without encryption and control of callers. Pure."""

from urllib.parse import urlsplit

from gcsched.config.fields import is_loopback

TLS = "GCSCHED_GRPC_TLS_CERT_FILE and GCSCHED_GRPC_TLS_KEY_FILE"
CLIENTS = "GCSCHED_CLIENTS_FILE (`gcsched token new` makes one)"
CONSOLE_TLS = (
    "GCSCHED_CONSOLE_TLS_CERT_FILE and GCSCHED_CONSOLE_TLS_KEY_FILE (or, behind a proxy that"
    " encrypts, GCSCHED_CONSOLE_ORIGIN to its https:// address)"
)


def find_exposure_problem(
    *,
    grpc_listen: str,
    has_tls: bool,
    has_clients_file: bool,
    has_client_ca: bool,
    allow_insecure: bool,
) -> str | None:
    """Return the sentence for an operator whose service must not start so; None if it may."""
    if has_client_ca and not has_clients_file:
        # Any certificate of that authority could call, and the service would not know who does.
        return (
            "GCSCHED_GRPC_CLIENT_CA_FILE is given without GCSCHED_CLIENTS_FILE, which names the"
            " clients that certificates belong to: give both, or no GCSCHED_GRPC_CLIENT_CA_FILE"
        )
    is_open = is_open_beyond_loopback(
        grpc_listen, has_tls=has_tls, has_clients_file=has_clients_file
    )
    if not is_open or allow_insecure:
        return None
    return describe_exposure(
        f"GCSCHED_GRPC_LISTEN={grpc_listen}",
        tls=None if has_tls else TLS,
        clients=None if has_clients_file else CLIENTS,
    )


def find_console_problem(
    *, listen: str, origin: str, has_tls: bool, has_clients_file: bool
) -> str | None:
    """Return the sentence for an operator whose console is open to other machines; None if not.

    A login in clear text would protect nothing. A proxy with an *origin* beyond loopback opens the
    console to other machines wherever it listens.
    """
    proxy = urlsplit(origin)
    is_reached_there = not is_loopback(urlsplit(f"//{listen}").hostname or "")
    is_reached_by_proxy = bool(origin) and not is_loopback(proxy.hostname or "")
    if not is_reached_there and not is_reached_by_proxy:
        return None
    is_encrypted = has_tls or proxy.scheme == "https"
    if is_encrypted and has_clients_file:
        return None
    tls = None if is_encrypted else CONSOLE_TLS
    clients = None if has_clients_file else CLIENTS
    if is_reached_there:
        return describe_exposure(f"GCSCHED_CONSOLE_LISTEN={listen}", tls=tls, clients=clients)
    place = f"GCSCHED_CONSOLE_ORIGIN={origin} says that the console"
    return describe_exposure(place, tls=tls, clients=clients, remedy="leave that out")


def describe_exposure(
    place: str, *, tls: str | None, clients: str | None, remedy: str = "listen on 127.0.0.1"
) -> str:
    """Return the sentence about *place*, which lacks *tls*, *clients* or both: what to set."""
    missing = [each for each in (tls, clients) if each is not None]
    lacks = [
        *([] if tls is None else ["encryption"]),
        *([] if clients is None else ["control of who may call"]),
    ]
    return (
        f"{place} can be reached from other machines, without"
        f" {' and without '.join(lacks)}: set {' and '.join(missing)}, or {remedy}, or"
        " accept that with GCSCHED_ALLOW_INSECURE=1"
    )


def is_open_beyond_loopback(grpc_listen: str, *, has_tls: bool, has_clients_file: bool) -> bool:
    """Return whether other machines can reach *grpc_listen* without encryption or control."""
    host = urlsplit(f"//{grpc_listen}").hostname or ""
    return not is_loopback(host) and not (has_tls and has_clients_file)

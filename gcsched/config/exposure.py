"""Refuse to listen beyond loopback without encryption and control of callers. Pure."""

from urllib.parse import urlsplit

from gcsched.config.fields import is_loopback

TLS = "GCSCHED_GRPC_TLS_CERT_FILE and GCSCHED_GRPC_TLS_KEY_FILE"
CLIENTS = "GCSCHED_CLIENTS_FILE (`gcsched token new` makes one)"


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
    missing = [*([] if has_tls else [TLS]), *([] if has_clients_file else [CLIENTS])]
    lacks = [
        *([] if has_tls else ["encryption"]),
        *([] if has_clients_file else ["control of who may call"]),
    ]
    return (
        f"GCSCHED_GRPC_LISTEN={grpc_listen} can be reached from other machines, without"
        f" {' and without '.join(lacks)}: set {' and '.join(missing)}, or listen on 127.0.0.1, or"
        " accept that with GCSCHED_ALLOW_INSECURE=1"
    )


def is_open_beyond_loopback(grpc_listen: str, *, has_tls: bool, has_clients_file: bool) -> bool:
    """Return whether other machines can reach *grpc_listen* without encryption or control."""
    host = urlsplit(f"//{grpc_listen}").hostname or ""
    return not is_loopback(host) and not (has_tls and has_clients_file)

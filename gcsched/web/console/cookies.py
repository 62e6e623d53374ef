"""The cookies of the console: their names, and how browsers keep them."""

from aiohttp import web

from gcsched.web.console.security import DEFAULT_PORTS, OwnAddresses, split_host

LOGIN, VIEW = "gcsched-login", "gcsched-view"
SECURE_PREFIX = "__Host-"
YEAR_SECONDS = 365 * 86_400
LONGEST_SECONDS = {LOGIN: 12 * 3_600, VIEW: YEAR_SECONDS}


def full_name(name: str, host: str, *, is_secure: bool) -> str:
    """Return the name of the cookie *name* for a browser that sends *host*.

    Browsers do not keep the cookies of two ports apart, so the port is part of the name: two
    consoles on one machine must not end each other's logins.
    """
    _, port = split_host(host, DEFAULT_PORTS["https" if is_secure else "http"])
    return f"{SECURE_PREFIX if is_secure else ''}{name}-{port}"


def read_cookie(request: web.Request, name: str, addresses: OwnAddresses) -> str:
    """Return the value of the cookie *name*, "" without one."""
    is_secure = addresses.is_encrypted(request.host)
    return request.cookies.get(full_name(name, request.host, is_secure=is_secure), "")


def write_cookie(
    response: web.StreamResponse,
    request: web.Request,
    name: str,
    value: str,
    addresses: OwnAddresses,
) -> None:
    """Set the cookie *name*, or delete it if *value* is empty.

    Without TLS it is not `Secure`: a browser would not send it back.
    """
    is_secure = addresses.is_encrypted(request.host)
    response.set_cookie(
        full_name(name, request.host, is_secure=is_secure),
        value,
        max_age=LONGEST_SECONDS[name] if value else 0,
        path="/",
        httponly=True,
        samesite="Lax",  # Strict would ask for a login at each link from a chat
        secure=is_secure,
    )

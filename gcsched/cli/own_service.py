"""Ask the service with this environment by HTTP whether it takes calls, as in its container."""

import http.client
import ssl
from collections.abc import Mapping

from gcsched.proxies import callable_host

DEFAULT_LISTEN = "127.0.0.1:8080"
PATH = "/servez"
OK = 200


def find_url(environ: Mapping[str, str]) -> str:
    """Return the address of the probe for calls."""
    host, _, port = (environ.get("GCSCHED_HTTP_LISTEN") or DEFAULT_LISTEN).rpartition(":")
    scheme = "https" if environ.get("GCSCHED_HTTP_TLS_CERT_FILE") else "http"
    return f"{scheme}://{callable_host(host)}:{port}{PATH}"


def takes_calls(environ: Mapping[str, str], *, timeout: float) -> bool:
    """Return whether the service says that it takes calls. Raises OSError, HTTPException."""
    scheme, _, rest = find_url(environ).partition("://")
    place = rest.removesuffix(PATH)
    connection: http.client.HTTPConnection
    if scheme == "https":
        # Unverified: this sends nothing secret, and to this machine.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(place, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(place, timeout=timeout)
    try:
        connection.request("GET", PATH)
        return connection.getresponse().status == OK
    finally:
        connection.close()

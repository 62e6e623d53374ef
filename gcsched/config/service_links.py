"""Detect variables that Kubernetes sets for a Service and that look like settings.

A Service `gcsched-smtp` gives every pod that starts later `GCSCHED_SMTP_PORT=tcp://10.3.104.47:25`,
in the form of Docker's links, and six more. Source: Kubernetes, "Accessing the Service".
"""

import re
from collections.abc import Collection, Mapping

from gcsched.config.fields import PREFIX

LINK_URL = re.compile(
    r"(tcp|udp|sctp)://(\[[0-9A-Fa-f:.]+\]|[^\[\]/:@?#]+):[0-9]{1,5}", re.IGNORECASE
)
LINK_NAME = re.compile(
    PREFIX
    + r"""(?:[A-Z0-9_]+_)?
    (?: SERVICE_HOST
      | SERVICE_PORT (?:_[A-Z0-9_]+)?
      | PORT_[0-9]{1,5}_(?:TCP|UDP|SCTP) (?:_(?:PROTO|PORT|ADDR))?
    )""",
    re.VERBOSE,
)


def find_service_links(environ: Mapping[str, str], *, settings: Collection[str]) -> list[str]:
    """Return the names in *environ* that Kubernetes has set, sorted.

    Some are names of *settings* too: those are recognised by their value.
    """
    return sorted(
        name
        for name, value in environ.items()
        if is_port_of_service(name, value) or (name not in settings and LINK_NAME.fullmatch(name))
    )


def is_port_of_service(name: str, value: str) -> bool:
    is_port = name == f"{PREFIX}PORT" or (name.startswith(PREFIX) and name.endswith("_PORT"))
    return is_port and bool(LINK_URL.fullmatch(value))

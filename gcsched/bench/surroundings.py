"""Where a load test ran: the machine, the versions, and the settings that matter."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from gcsched import __version__
from gcsched.client import AsyncClient, CallFailed

PACKAGES = ("grpcio", "protobuf", "motor", "redis", "uvloop")
NO_ACCESS = {"PERMISSION_DENIED", "UNIMPLEMENTED"}


def describe_surroundings(command: str) -> dict[str, Any]:
    """Return what a reader needs to compare two reports."""
    return {
        "command": command,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "gcsched": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "packages": {name: found for name in PACKAGES if (found := read_version(name))},
    }


def read_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


async def describe_service(client: AsyncClient) -> dict[str, Any]:
    """Return what the service reports of itself; empty if the caller may not read it."""
    try:
        report = await client.status()
    except CallFailed as error:
        if error.code in NO_ACCESS:
            return {}
        raise
    sending = report.sending
    return {
        "version": report.version,
        "python": report.python,
        "relays": [each.name for each in report.relays],
        "sessions": sum(each.sessions_limit for each in report.relays[:1]),
        "rate": sum(each.rate for each in report.relays[:1]),
        "redirect_to": sending.redirect_to if sending else "",
        "allowed_recipients": list(sending.allowed_recipients) if sending else [],
    }

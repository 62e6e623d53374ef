"""Whether a load test may run against a service of others. Pure."""

from collections.abc import Mapping
from typing import Any

from gcsched.bench.failure import BenchFailed


def check_safe(service: Mapping[str, Any], target: str, *, is_confirmed: bool) -> None:
    """Raise BenchFailed if mails may reach a relay that delivers, unless the caller agreed.

    What a relay does with a mail cannot be found out, so each counts as one that delivers. Safe is
    a service that says of itself where mails may go.
    """
    if is_confirmed or service.get("redirect_to") or service.get("allowed_recipients"):
        return
    relays = ", ".join(service.get("relays", ())) or "a relay that it does not name"
    raise BenchFailed(
        f"the service at {target} hands its mails to {relays}, which may deliver them: add --really"
        " if that is meant, set GCSCHED_REDIRECT_TO there, or leave out --target"
    )

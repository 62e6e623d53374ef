"""Whether a load test may run against a service of others. Pure."""

from collections.abc import Mapping
from typing import Any

from gcsched.bench.failure import BenchFailed


def check_safe(service: Mapping[str, Any], target: str, *, is_confirmed: bool) -> None:
    """Raise BenchFailed unless the caller agreed that the service's relay gets the mails.

    What a relay does with a mail cannot be found out, so each counts as one that delivers. A
    redirection or a list of allowed recipients does not prevent it: they name the addresses whose
    mails are delivered.
    """
    if is_confirmed:
        return
    relays = ", ".join(service.get("relays", ())) or "a relay that it does not name"
    raise BenchFailed(
        f"the service at {target} hands {describe_mails(service)} to {relays}, which may deliver"
        " them: add --really if that is meant, or leave out --target"
    )


def describe_mails(service: Mapping[str, Any]) -> str:
    if service.get("redirect_to"):
        return f"all mails, redirected to {service['redirect_to']},"
    if service.get("allowed_recipients"):
        return f"mails to {', '.join(service['allowed_recipients'])}"
    return "its mails"

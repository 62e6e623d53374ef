"""Suppressions and pauses that keep mails from leaving, for the hints that a command prints."""

import os
from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gcsched.cli import tls
from gcsched.cli.call import open_client

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from gcsched.client import Client
    from gcsched.pb import task_pb2

MAX_LOOKUP_SECONDS = 1.0
"""The job is accepted by then: the operator must not wait long for a hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryBlockers:
    """The blockers of a mail now; None: there is none, or the service did not answer."""

    suppression: "task_pb2.Suppression | None" = None
    pause: "task_pb2.Pause | None" = None


def find_blockers(chosen: Namespace, *, due: datetime | None) -> DeliveryBlockers:
    """Return what blocks a mail to ``chosen.to`` that is due at *due*."""
    from gcsched.pb import task_pb2

    with make_lookup_client(chosen) as service:
        request = task_pb2.GetSuppressionRequest(email=chosen.to)
        suppression = call_or_none(service, "GetSuppression", request)
    # A suppression that expires before the mail is due does not block it.
    if suppression is not None and due is not None and ends_before(suppression, due):
        suppression = None
    return DeliveryBlockers(suppression=suppression, pause=find_pause(chosen))


def find_pause(chosen: Namespace) -> "task_pb2.Pause | None":
    """Return the pause of sending, if there is one."""
    from gcsched.pb import task_pb2

    with make_lookup_client(chosen) as service:
        status = call_or_none(service, "GetStatus", task_pb2.GetStatusRequest())
    return status.pause if status is not None and status.HasField("pause") else None


def make_lookup_client(chosen: Namespace) -> "Client":
    """Create a client like that of the command, with a short timeout."""
    secured = tls.choose_tls(chosen, os.environ)
    return open_client(chosen, secured, timeout=min(chosen.timeout, MAX_LOOKUP_SECONDS))


def call_or_none(service: "Client", method: str, request: "Message") -> Any:
    """Return the answer; None if the call fails, as on a service without the method."""
    from gcsched.client import CallFailed

    try:
        return service.call(method, request)
    except CallFailed:
        return None


def ends_before(suppression: "task_pb2.Suppression", due: datetime) -> bool:
    return (
        suppression.HasField("expire_time") and suppression.expire_time.seconds <= due.timestamp()
    )

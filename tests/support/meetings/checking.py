"""What requests about meetings are checked against in tests."""

import dataclasses
from collections.abc import Callable

import pytest

from gcsched.domain.access import ANYONE
from gcsched.domain.meetings.requests import Checking
from gcsched.domain.senders import Senders
from gcsched.errors import InvalidRequest
from tests.support.builders import NOW, WITH_INVITATIONS

CONTEXT = dataclasses.replace(
    WITH_INVITATIONS,
    templates={"doc": (), "invitation": ("meeting",), "shout": ("meeting", "room"), "soft": ()},
    reserved_names={"username", "meeting"},
    senders=Senders(default="no-reply@example.net", others=("hr@example.com",)),
)
CHECKING = Checking(context=CONTEXT, client=ANYONE, now=NOW, zone_version="2026f")


def find_violations(call: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        call()
    return [(each.field, each.problem) for each in caught.value.violations]

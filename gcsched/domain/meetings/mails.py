"""Builds the jobs of a meeting's mails. Pure, but for the random part of their ids."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.domain.ids import new_id
from gcsched.domain.meeting_mail import Purpose

SETTLE = timedelta(seconds=10)
TEMPLATES: Mapping[Purpose, str] = {
    Purpose.INVITATION: "invitation",
    Purpose.UPDATE: "update",
    Purpose.CANCELLATION: "cancellation",
    Purpose.REMINDER: "reminder",
}
"""The template of each mail, unless the caller names another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRules:
    """The configuration that mails about meetings are made by.

    *sender_domains* are the Message-ID domains of the senders beside the default one. An update
    waits for *settle*, so that further edits change it instead of making another mail.
    """

    message_id_domain: str
    sender_domains: Mapping[str, str] = field(default_factory=dict)
    settle: timedelta = SETTLE
    make_id: Callable[[datetime], str] = new_id

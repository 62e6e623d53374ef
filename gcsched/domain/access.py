"""Who may do what: clients, their scopes, and the scope that each method needs. Pure."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from gcsched.errors import ScopeMissing

NO_ONE_KNOWN = "anyone (access is not controlled)"
"""The name in audit entries where the service verifies no callers."""


class Scope(StrEnum):
    """A right that a client can have."""

    SCHEDULE = "schedule"  #: Schedule mails and meetings, and read one's own.
    READ = "read"  #: Read jobs and meetings of all clients, without content, and the status.
    CONTENT = "content"  #: Read also the texts of mails, and user details.
    STEER = "steer"  #: Change single jobs and meetings: cancel, reschedule, retry, resolve, update.
    BULK = "bulk"  #: Change many jobs at once, and run the daily queue.
    OPERATE = "operate"  #: Pause sending, and manage suppressions.
    ERASE = "erase"  #: Erase the personal data of an employee.
    ADMIN = "admin"  #: Everything, and read the audit.


class ClientLimits(Struct, frozen=True, kw_only=True):
    """The limits of one client; None and an empty tuple: no limit.

    *calls_per_second* and *burst* are for all processes together, as are *jobs_per_day*, by days of
    UTC, and *jobs_waiting*. *recipient_domains* are in lower case and include their subdomains.
    *senders* are keys of senders; the first is that of requests that name none.
    """

    calls_per_second: float | None = None
    burst: int | None = None
    jobs_per_day: int | None = None
    jobs_waiting: int | None = None
    recipient_domains: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()


NO_LIMITS = ClientLimits()


class Token(Struct, frozen=True, kw_only=True):
    """One token of a client: its public id, and the SHA-256 digest of its secret."""

    id: str
    digest: bytes
    create_time: datetime | None = None
    expire_time: datetime | None = None
    revoke_time: datetime | None = None


class Client(Struct, frozen=True, kw_only=True):
    """A caller that the service knows. Its *name* is stored in its jobs and in the audit.

    *identities* are those of its certificates: `spiffe://…`, `dns:…` or `cn:…`.
    """

    name: str
    scopes: frozenset[Scope]
    limits: ClientLimits = NO_LIMITS
    identities: tuple[str, ...] = ()
    tokens: tuple[Token, ...] = ()
    note: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the service has verified who calls."""
        return bool(self.name)

    @property
    def audit_name(self) -> str:
        return self.name or NO_ONE_KNOWN

    def has(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_see(self, owner: str) -> bool:
        """Return whether it may read or change the jobs of the client *owner*."""
        return self.has(Scope.READ) or (bool(self.name) and owner == self.name)

    def may_read_content(self, owner: str) -> bool:
        """Return whether it may read the texts of a job of the client *owner*."""
        return self.has(Scope.CONTENT) or (bool(self.name) and owner == self.name)


ANYONE = Client(name="", scopes=frozenset(Scope))
"""Every caller, where access is not controlled."""

OWN_OR_ALL = (Scope.SCHEDULE, Scope.READ)

SCOPES: Mapping[str, tuple[Scope, ...]] = {
    "ScheduleMeet": (Scope.SCHEDULE,),
    "BatchScheduleMeets": (Scope.SCHEDULE,),
    "GetJob": OWN_OR_ALL,
    "ListJobs": OWN_OR_ALL,
    "CountJobs": OWN_OR_ALL,
    "CancelJob": (Scope.STEER,),
    "RescheduleJob": (Scope.STEER,),
    "RetryJob": (Scope.STEER,),
    "ResolveJob": (Scope.STEER,),
    "CancelJobs": (Scope.BULK,),
    "RetryJobs": (Scope.BULK,),
    "RunDailyQueue": (Scope.BULK,),
    "PauseSending": (Scope.OPERATE,),
    "ResumeSending": (Scope.OPERATE,),
    "GetStatus": (Scope.READ, Scope.OPERATE),
    "ListSuppressions": (Scope.OPERATE,),
    "GetSuppression": (Scope.OPERATE,),
    "AddSuppression": (Scope.OPERATE,),
    "RemoveSuppression": (Scope.OPERATE,),
    "GetRecipient": (Scope.CONTENT,),
    "ForgetRecipient": (Scope.ERASE,),
    "ListTemplates": (Scope.SCHEDULE,),
    "PreviewTemplate": (Scope.SCHEDULE,),
    "SendTestMail": (Scope.SCHEDULE,),
    "CreateMeeting": (Scope.SCHEDULE,),
    "GetMeeting": OWN_OR_ALL,
    "ListMeetings": OWN_OR_ALL,
    "UpdateMeeting": (Scope.STEER,),
    "CancelMeeting": (Scope.STEER,),
    "AddAttendees": (Scope.SCHEDULE,),
    "RemoveAttendees": (Scope.STEER,),
    "GetMeetingCalendar": OWN_OR_ALL,
    "ListAudit": (Scope.ADMIN,),
    "reflection": (Scope.READ,),
    "console": (Scope.READ,),
    "inbox": (Scope.CONTENT,),
    "clients": (Scope.ADMIN,),
}
"""The scopes of each act: a caller needs one of them. Every entrance asks this table."""

UNLISTED = (Scope.ADMIN,)
"""The scope of an act that the table lacks: what is forgotten is closed."""


def check_scope(client: Client, act: str) -> None:
    """Raise ScopeMissing unless *client* has one of the scopes of *act*."""
    needed = SCOPES.get(act, UNLISTED)
    if client.scopes.isdisjoint(needed) and Scope.ADMIN not in client.scopes:
        raise ScopeMissing(client.name, act, needed)

"""What the pages use of the service: its use cases, and the limits that its calls share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gcsched.domain.access import Client
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import Job
from gcsched.domain.mail import TemplateInfo
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.read_clients import ReadClients
from gcsched.usecases.admission.preview import PreviewTemplate
from gcsched.usecases.admission.send_test import SendTestMail
from gcsched.usecases.admission.submit import Submit
from gcsched.usecases.audit import Audit
from gcsched.usecases.audited_acts import (
    AuditedBulkChange,
    AuditedRecipients,
    AuditedSending,
    AuditedSuppressions,
)
from gcsched.usecases.call_slots import CallSlots
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.management.recipients import ManageRecipients
from gcsched.usecases.management.suppressions import ManageSuppressions
from gcsched.usecases.meetings.change import ChangeMeeting
from gcsched.usecases.meetings.read import ReadMeetings
from gcsched.usecases.monitoring.attempt_record import AttemptRecord
from gcsched.usecases.monitoring.read_history import ReadHistory
from gcsched.usecases.monitoring.status import ReadStatus
from gcsched.usecases.ports import Drafter, MailComposer
from gcsched.web.console.figures import Figures
from gcsched.web.console.history_panels import KeptPanels
from gcsched.web.console.own_process import OwnProcess


class MailMaker(Drafter, MailComposer, Protocol):
    """Makes the mails of jobs, for previews and as they leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The slots of calls, shared with gRPC: a page waits for one as a call does."""

    reading: CallSlots
    listing: CallSlots
    changing: CallSlots
    changing_many: CallSlots
    changing_meetings: CallSlots


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRules:
    """What commands for jobs depend on, the same as for calls of gRPC.

    *keep_trying* and *window* are those of a retry, *addresses* those of new suppressions.
    """

    daily_plan: DailyPlan
    keep_trying: timedelta
    window: timedelta
    addresses: AddressRules


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Services:
    """The use cases, as gRPC calls them. Without *access* anyone may do everything.

    *check_call* counts a call of a client; it raises ClientLimit if there were too many.
    *write_json* writes a job in full, as GetJob returns it.
    """

    access: AccessControl | None
    check_call: Callable[[Client], None]
    slots: Slots
    status: ReadStatus
    read_jobs: ReadJobs
    read_meetings: ReadMeetings
    change_meeting: ChangeMeeting
    change_job: ChangeJob
    change_jobs: AuditedBulkChange
    sending: AuditedSending
    suppressions: ManageSuppressions
    change_suppressions: AuditedSuppressions
    recipients: ManageRecipients
    erase_recipients: AuditedRecipients
    submit: Submit
    templates: Callable[[], Sequence[TemplateInfo]]
    preview: PreviewTemplate
    send_test: SendTestMail
    mails: MailMaker
    rules: JobRules
    write_json: Callable[[Job], str]
    process: OwnProcess
    attempts: AttemptRecord
    figures: Figures
    history: ReadHistory
    panels: KeptPanels = field(default_factory=KeptPanels)
    audit: Audit
    clients: ReadClients | None

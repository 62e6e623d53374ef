"""Compose the mail of a job: render the template, encode the headers, set the addresses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.calendar_mime import CalendarSkeleton
from gcsched.adapters.mail.header_encoding import (
    clean_display_name,
    encode_domain,
    encode_mailbox,
    encode_unstructured,
    format_message_id,
)
from gcsched.adapters.mail.meeting_texts import MeetingTexts
from gcsched.adapters.mail.mime import (
    REFERENCES,
    REPLY_TO,
    Bodies,
    Headers,
    Skeleton,
    derive_boundary,
    encode_base64,
    encode_body,
)
from gcsched.adapters.mail.prerendering import list_meeting_texts
from gcsched.adapters.mail.template_variables import Variables
from gcsched.adapters.mail.templates import RenderedParts, TemplateSet
from gcsched.domain.calendar_file import METHODS, Method, write_file
from gcsched.domain.job import Job
from gcsched.domain.mail import Mail, MailPreview
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.senders import DEFAULT, Sender


class Origin(NamedTuple):
    """One sender: its envelope address, what previews show, and the skeletons of its mails.

    Those of mails with a calendar part are by its method.
    """

    address: str
    skeleton: Skeleton
    calendar_skeletons: Mapping[Method, CalendarSkeleton]
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Composes mails; the same job always gives the same octets.

    Only the date is missing: it is inserted when a mail leaves. *sender_email* and *sender_name*
    are the default sender; each of *more_senders* has skeletons of its own. Mails about meetings,
    but for reminders, have a calendar part, and the file invite.ics unless *has_invite_file* is
    False.

    Raises ValueError for a value that a header cannot hold and for a sender that is missing,
    TemplateProblem for a template that is missing or fails.
    """

    templates: TemplateSet
    sender_email: str
    sender_name: str
    timezone: ZoneInfo
    more_senders: Sequence[Sender] = ()
    has_invite_file: bool = True
    origins: Mapping[str, Origin] = field(init=False)

    def __post_init__(self) -> None:
        senders = (Sender(DEFAULT, self.sender_email, self.sender_name), *self.more_senders)
        origins = {each.key: build_origin(each, has_file=self.has_invite_file) for each in senders}
        object.__setattr__(self, "origins", origins)

    def compose(self, job: Job) -> Mail:
        """Return the mail of *job*; most bodies are filled in rather than rendered."""
        return self.build_mail(job, self._fill_bodies(job) or encode_bodies(job, self.render(job)))

    def draft(self, job: Job) -> MailPreview:
        """Return a preview of the mail that `compose` makes of *job*."""
        rendered = self.render(job)
        calendar = find_calendar(job)
        return MailPreview(
            subject=job.message,
            text=rendered.text,
            html=rendered.html,
            size=len(self.build_mail(job, encode_bodies(job, rendered)).content),
            sender=self.origins[job.sender].shown,
            calendar="" if calendar is None else self.write_calendar(job, *calendar).decode(),
        )

    def render(self, job: Job) -> RenderedParts:
        return self.templates.render(job.template, self.build_variables(job), job.variables)

    def _fill_bodies(self, job: Job) -> Bodies | None:
        """Put the values of *job* into a kept rendering; None where that is not possible."""
        prerenderer = self.templates.find_prerenderer(job.template)
        if prerenderer is None:
            return None
        values = {
            "username": job.name,
            "empid": job.empid,
            "email": job.email,
            "message": job.message,
            "job_id": job.id,
        }
        if job.meeting is not None:
            values |= list_meeting_texts(MeetingTexts.describe(job.meeting))
        prerendered = prerenderer.find(values, job.schedule_time, self.timezone)
        if prerendered is None:
            return None
        return prerendered.fill(values, derive_boundary(job.id))

    def build_mail(self, job: Job, bodies: Bodies) -> Mail:
        recipient = encode_domain(job.email)
        reply_to = encode_domain(job.reply_to) if job.reply_to else ""
        mail = self._assemble(job, bodies, recipient, reply_to)
        if mail.smtputf8 and recipient.isascii():
            # Only the Reply-To address needs SMTPUTF8: a mail without it is better than no mail.
            plain = self._assemble(job, bodies, recipient, "")
            return replace(mail, ascii_fallback=replace(plain, left_out=f"Reply-To {job.reply_to}"))
        return mail

    def _assemble(self, job: Job, bodies: Bodies, recipient: str, reply_to: str) -> Mail:
        headers = build_headers(job, recipient, reply_to)
        origin = self.origins.get(job.sender)
        if origin is None:  # no other sender may stand in for it
            raise make_sender_error(job)
        skeleton, content = self._fill_skeleton(origin, job, headers, bodies)
        return Mail(
            sender=origin.address,
            recipient=recipient,
            content=content,
            smtputf8=not (recipient + reply_to).isascii(),
            date_offset=skeleton.date_offset(headers),
            personal_texts=job,
            is_canonical=bodies.is_canonical,
        )

    def _fill_skeleton(
        self, origin: Origin, job: Job, headers: Headers, bodies: Bodies
    ) -> tuple[Skeleton, bytes]:
        """Return the content of the mail, and the skeleton that was filled for it."""
        calendar = find_calendar(job)
        if calendar is None:
            return origin.skeleton, origin.skeleton.fill(headers, bodies)
        _, method = calendar
        skeleton = origin.calendar_skeletons[method]
        file = encode_base64(self.write_calendar(job, *calendar))
        return skeleton, skeleton.fill_calendar(headers, bodies, file)

    def write_calendar(self, job: Job, mail: MeetingMail, method: Method) -> bytes:
        """Return the calendar file of *mail*, with *method*, for the recipient of *job*."""
        return write_file(method, mail, Person(job.email, clean_display_name(job.name)))

    def build_variables(self, job: Job) -> Variables:
        variables = Variables(
            username=job.name,
            empid=job.empid,
            email=job.email,
            message=job.message,
            due=job.schedule_time.astimezone(self.timezone),
            job_id=job.id,
        )
        if job.meeting is not None:
            variables["meeting"] = MeetingTexts.describe(job.meeting)
        return variables


def build_origin(sender: Sender, *, has_file: bool) -> Origin:
    address = encode_domain(sender.address)
    if not address.isascii():  # else every mail would need a relay that offers SMTPUTF8
        raise ValueError("the sender's address must be ASCII before the @")
    name = sender.name.strip()
    mailbox = encode_mailbox("From", name, address)
    return Origin(
        address,
        Skeleton.for_sender(mailbox),
        {each: CalendarSkeleton.for_method(mailbox, each, has_file=has_file) for each in Method},
        str(Sender(sender.key, address, name)),
    )


def find_calendar(job: Job) -> tuple[MeetingMail, Method] | None:
    """Return what the calendar part of the mail is made of; None for a mail without one."""
    if job.meeting is None or (method := METHODS.get(job.meeting.purpose)) is None:
        return None
    return job.meeting, method


def make_sender_error(job: Job) -> ValueError:
    problem = f"the sender {job.sender} is not a sender of this service"
    return ValueError(f"{problem}: add it to GCSCHED_SENDERS, then retry the job")


def encode_bodies(job: Job, rendered: RenderedParts) -> Bodies:
    boundary = derive_boundary(job.id)
    return Bodies(
        boundary=boundary,
        text=encode_body(rendered.text, boundary),
        html=encode_body(rendered.html, boundary),
    )


def build_headers(job: Job, recipient: str, reply_to: str) -> Headers:
    # RFC 6532: where the mail needs SMTPUTF8 anyway, headers show the address as it was given.
    to = recipient if recipient.isascii() else job.email
    optional = b""
    if reply_to:
        optional = REPLY_TO + (reply_to if reply_to.isascii() else job.reply_to).encode()
    if job.meeting is not None and job.meeting.references:
        optional += REFERENCES + format_message_id(job.meeting.references, header="References")
    return Headers(
        to=encode_mailbox("To", clean_display_name(job.name), to),
        subject=encode_unstructured("Subject", job.message),
        message_id=format_message_id(job.message_id),
        optional=optional,
    )

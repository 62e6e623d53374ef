"""Compose the mail of a job: render the template, encode the headers, set the addresses."""

from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.header_encoding import (
    clean_display_name,
    encode_domain,
    encode_mailbox,
    encode_unstructured,
    format_message_id,
)
from gcsched.adapters.mail.mime import Headers, Skeleton
from gcsched.adapters.mail.template_variables import Variables
from gcsched.adapters.mail.templates import RenderedParts, TemplateSet
from gcsched.domain.job import Job
from gcsched.domain.mail import Mail, MailPreview


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Composes mails from one sender; the same job always gives the same octets.

    Only the date is missing: it is inserted when a mail leaves.

    Raises ValueError for a value that a header cannot hold, TemplateProblem for a template that is
    missing or fails.
    """

    templates: TemplateSet
    sender_email: str
    sender_name: str
    timezone: ZoneInfo
    sender: str = field(init=False)
    skeleton: Skeleton = field(init=False)

    def __post_init__(self) -> None:
        sender = encode_domain(self.sender_email)
        if not sender.isascii():  # else every mail would need a relay that offers SMTPUTF8
            raise ValueError("the sender's address must be ASCII before the @")
        skeleton = Skeleton.for_sender(encode_mailbox("From", self.sender_name.strip(), sender))
        object.__setattr__(self, "sender", sender)
        object.__setattr__(self, "skeleton", skeleton)

    def compose(self, job: Job) -> Mail:
        return self.build_mail(job, self.render(job))

    def draft(self, job: Job) -> MailPreview:
        """Return a preview of the mail that `compose` makes of *job*."""
        rendered = self.render(job)
        size = len(self.build_mail(job, rendered).content)
        return MailPreview(subject=job.message, text=rendered.text, html=rendered.html, size=size)

    def render(self, job: Job) -> RenderedParts:
        return self.templates.render(job.template, self.build_variables(job), job.variables)

    def build_mail(self, job: Job, rendered: RenderedParts) -> Mail:
        recipient = encode_domain(job.email)
        reply_to = encode_domain(job.reply_to) if job.reply_to else ""
        mail = self._encode_mail(job, rendered, recipient, reply_to)
        if mail.smtputf8 and recipient.isascii():
            # Only the Reply-To address needs SMTPUTF8: a mail without it is better than no mail.
            plain = self._encode_mail(job, rendered, recipient, "")
            return replace(mail, ascii_fallback=replace(plain, left_out=f"Reply-To {job.reply_to}"))
        return mail

    def _encode_mail(
        self, job: Job, rendered: RenderedParts, recipient: str, reply_to: str
    ) -> Mail:
        headers = build_headers(job, recipient, reply_to)
        content = self.skeleton.fill(headers, job_id=job.id, text=rendered.text, html=rendered.html)
        return Mail(
            sender=self.sender,
            recipient=recipient,
            content=content,
            smtputf8=not (recipient + reply_to).isascii(),
            date_offset=self.skeleton.date_offset(headers),
            personal_texts=job,
        )

    def build_variables(self, job: Job) -> Variables:
        return Variables(
            username=job.name,
            empid=job.empid,
            email=job.email,
            message=job.message,
            due=job.schedule_time.astimezone(self.timezone),
            job_id=job.id,
        )


def build_headers(job: Job, recipient: str, reply_to: str) -> Headers:
    # RFC 6532: where the mail needs SMTPUTF8 anyway, headers show the address as it was given.
    to = recipient if recipient.isascii() else job.email
    shown_reply_to = reply_to if reply_to.isascii() else job.reply_to
    return Headers(
        to=encode_mailbox("To", clean_display_name(job.name), to),
        subject=encode_unstructured("Subject", job.message),
        message_id=format_message_id(job.message_id),
        reply_to=shown_reply_to.encode(),
    )

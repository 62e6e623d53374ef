"""Turn a job into the mail for it: render, encode, address."""

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
    """Compose mails from one sender; the same job always gives the same octets.

    Their date is not theirs: it is put in when a mail leaves.

    Raises ValueError for a value that cannot stand in a header, TemplateProblem for a template
    that is not there or fails.
    """

    templates: TemplateSet
    sender_email: str
    sender_name: str
    timezone: ZoneInfo
    sender: str = field(init=False)
    skeleton: Skeleton = field(init=False)

    def __post_init__(self) -> None:
        sender = encode_domain(self.sender_email)
        if not sender.isascii():  # every relay would have to offer SMTPUTF8, for every mail
            raise ValueError("the sender's address must be ASCII before the @")
        skeleton = Skeleton.for_sender(encode_mailbox("From", self.sender_name.strip(), sender))
        object.__setattr__(self, "sender", sender)
        object.__setattr__(self, "skeleton", skeleton)

    def compose(self, job: Job) -> Mail:
        return self.build_mail(job, self.render(job))

    def draft(self, job: Job) -> MailPreview:
        """Show the mail of *job*, as `compose` makes it."""
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
            # Only the address for replies is in the way: better without it than not at all.
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
    # RFC 6532: where SMTPUTF8 is needed anyway, the reader sees the address as it is spelled.
    to = recipient if recipient.isascii() else job.email
    answers_to = reply_to if reply_to.isascii() else job.reply_to
    return Headers(
        to=encode_mailbox("To", clean_display_name(job.name), to),
        subject=encode_unstructured("Subject", job.message),
        message_id=format_message_id(job.message_id),
        reply_to=answers_to.encode(),
    )

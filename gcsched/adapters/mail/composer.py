"""Turn a job into the mail for it: render, encode, address."""

from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.headers import (
    ascii_domain,
    display_name,
    mailbox,
    message_id,
    unstructured,
)
from gcsched.adapters.mail.mime import Headers, Skeleton
from gcsched.adapters.mail.template_variables import Variables
from gcsched.adapters.mail.templates import Rendered, TemplateSet
from gcsched.domain.job import Job
from gcsched.domain.mail import Draft, Mail


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
        sender = ascii_domain(self.sender_email)
        if not sender.isascii():  # every relay would have to offer SMTPUTF8, for every mail
            raise ValueError("the sender's address must be ASCII before the @")
        skeleton = Skeleton.sent_by(mailbox("From", self.sender_name.strip(), sender))
        object.__setattr__(self, "sender", sender)
        object.__setattr__(self, "skeleton", skeleton)

    def compose(self, job: Job) -> Mail:
        return self.addressed(job, self.rendered(job))

    def draft(self, job: Job) -> Draft:
        """Show the mail of *job*, as `compose` makes it."""
        rendered = self.rendered(job)
        size = len(self.addressed(job, rendered).content)
        return Draft(subject=job.message, text=rendered.text, html=rendered.html, size=size)

    def rendered(self, job: Job) -> Rendered:
        return self.templates.render(job.template, self.variables(job), job.variables)

    def addressed(self, job: Job, rendered: Rendered) -> Mail:
        recipient = ascii_domain(job.email)
        reply_to = ascii_domain(job.reply_to) if job.reply_to else ""
        mail = self._mail(job, rendered, recipient, reply_to)
        if mail.smtputf8 and recipient.isascii():
            # Only the address for replies is in the way: better without it than not at all.
            plain = self._mail(job, rendered, recipient, "")
            return replace(mail, plain=replace(plain, left_out=f"Reply-To {job.reply_to}"))
        return mail

    def _mail(self, job: Job, rendered: Rendered, recipient: str, reply_to: str) -> Mail:
        headers = headers_of(job, recipient, reply_to)
        content = self.skeleton.fill(headers, job_id=job.id, text=rendered.text, html=rendered.html)
        return Mail(
            sender=self.sender,
            recipient=recipient,
            content=content,
            smtputf8=not (recipient + reply_to).isascii(),
            date_at=self.skeleton.date_at(headers),
            letter=job,
        )

    def variables(self, job: Job) -> Variables:
        return Variables(
            username=job.name,
            empid=job.empid,
            email=job.email,
            message=job.message,
            due=job.schedule_time.astimezone(self.timezone),
            job_id=job.id,
        )


def headers_of(job: Job, recipient: str, reply_to: str) -> Headers:
    # RFC 6532: where SMTPUTF8 is needed anyway, the reader sees the address as it is spelled.
    to = recipient if recipient.isascii() else job.email
    answers_to = reply_to if reply_to.isascii() else job.reply_to
    return Headers(
        to=mailbox("To", display_name(job.name), to),
        subject=unstructured("Subject", job.message),
        message_id=message_id(job.message_id),
        reply_to=answers_to.encode(),
    )

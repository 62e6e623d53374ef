"""Measure the CPU time of composing a mail: by the skeleton, and by an EmailMessage per mail.

    python -m tests.measure.compose [MAILS_PER_ROUND ROUNDS]

The rounds of all variants are interleaved, so that a slow moment of the machine affects each of
them. Prints JSON; the unit is microseconds of CPU time per mail.
"""

import json
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from gcsched.adapters.mail.composer import Composer, build_headers, encode_bodies
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import RenderedParts, Templates
from gcsched.domain.job import Job
from tests.support.builders import a_job

DUE = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)

PLAIN = a_job(
    id="01890a5d-ac96-774b-bcce-b302099a8057",
    email="zoe.miller@example.org",
    message="Quarterly planning, room 4",
    name="Zoe Miller",
    empid="E-1024",
    schedule_time=DUE,
    message_id="01890a5d.1@scheduler.example.org",
)
UNICODE = replace(
    PLAIN, name="Zoë Müller", message="Quartalsplanung für alle: Raum 4, größer als zuvor"
)


def a_composer(folder: Path) -> Composer:
    return Composer(
        templates=Templates.load(folder),
        sender_email="no-reply@example.org",
        sender_name="Scheduler",
        timezone=ZoneInfo("Europe/Berlin"),
    )


def as_email_message(job: Job, rendered: RenderedParts) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Scheduler", addr_spec="no-reply@example.org")
    message["To"] = job.email
    message["Subject"] = job.message
    message["Date"] = format_datetime(DUE)
    message["Message-ID"] = f"<{job.message_id}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(rendered.text)
    message.add_alternative(rendered.html, subtype="html")
    return message.as_bytes()


def variants(composer: Composer, job: Job) -> dict[str, Callable[[], object]]:
    """Return the functions to compare: encoding alone, rendering alone, and both."""
    values = composer.build_variables(job)
    rendered = composer.templates.render("doc", values)
    return {
        "render": lambda: composer.templates.render("doc", values),
        "encode, skeleton": lambda: composer.origins[""].skeleton.fill(
            build_headers(job, job.email, ""), encode_bodies(job, rendered)
        ),
        "compose, rendered": lambda: composer.build_mail(
            job, encode_bodies(job, composer.render(job))
        ),
        "encode, EmailMessage": lambda: as_email_message(job, rendered),
        "compose, prerendered": lambda: composer.compose(job),
        "compose, EmailMessage": lambda: as_email_message(
            job, composer.templates.render("doc", composer.build_variables(job))
        ),
    }


def compose_html_only(folder: Path) -> Callable[[], object]:
    (folder / "doc.html").write_text("<p>Dear {{username}},</p><p>see you there.</p>", "utf-8")
    composer = a_composer(folder)
    return lambda: composer.compose(PLAIN)


def microseconds_per_call(work: Callable[[], object], mails: int) -> float:
    start = process_time()
    for _ in range(mails):
        work()
    return (process_time() - start) / mails * 1e6


def spread(times: list[float]) -> dict[str, float]:
    return {
        "median": round(median(times), 1),
        "min": round(min(times), 1),
        "max": round(max(times), 1),
    }


def main() -> None:
    mails, rounds = map(int, sys.argv[1:] or ("300", "9"))
    composer = a_composer(default_folder())
    work = {f"ASCII: {name}": call for name, call in variants(composer, PLAIN).items()}
    work |= {f"UTF-8: {name}": call for name, call in variants(composer, UNICODE).items()}
    with TemporaryDirectory() as folder:
        work["a user's doc.html without doc.txt: compose"] = compose_html_only(Path(folder))
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            times[name].append(microseconds_per_call(call, mails))
    report = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "mails per round": mails,
        "rounds": rounds,
        "octets": {
            "ASCII": len(composer.compose(PLAIN).content),
            "UTF-8": len(composer.compose(UNICODE).content),
        },
        "microseconds of CPU per mail": {name: spread(times[name]) for name in work},
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()

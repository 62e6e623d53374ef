"""Ask SpamAssassin what it thinks of our mails: with the rules as packaged, without a network.

    python -m tests.measure.spam_points [--json docs/measurements/spam_points.json]

Each mail gets the Received header of a relay, which a mail in a mailbox always has. The exit code
is 1 if a rule gives a point. Needs the Debian package ``spamassassin``.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.domain.job import Job
from tests.measure.delivery import run_metadata
from tests.support.invitations import an_invitation_job
from tests.support.meeting_mails import KINDS, a_meeting_job

RECEIVED = (
    "Return-Path: <people@example.org>\r\n"
    "Received: from mail.example.org (mail.example.org [93.184.216.34])\r\n"
    "\tby mx.example.net (Postfix) with ESMTPS id 4Zz9\r\n"
    "\tfor <ada@example.net>; {date}\r\n"
)
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
RULE = re.compile(r"^\s*\*?\s*(-?\d+(?:\.\d+)?) (\w+)", re.MULTILINE)


def list_jobs() -> Iterator[tuple[str, Job]]:
    everyday: dict[str, object] = {"email": "ada@example.net"}
    yield "invitation", an_invitation_job(job=everyday)
    yield (
        "invitation, not ASCII",
        an_invitation_job(
            job={**everyday, "name": "Zoë Müller"}, summary="Gespräch über die Zusammenarbeit, Köln"
        ),
    )
    yield (
        "invitation, few words",
        an_invitation_job(
            job={**everyday, "name": "", "empid": "1"},
            summary="Sync",
            location="",
            url="",
            description="",
        ),
    )
    yield "invitation by the template doc", an_invitation_job(job={**everyday, "template": "doc"})
    yield "doc", an_invitation_job(job={**everyday, "template": "doc", "meeting": None})
    yield from ((kind, a_meeting_job(kind, job=everyday)) for kind in KINDS[1:])


def list_mails(now: datetime) -> Iterator[tuple[str, bytes]]:
    received = RECEIVED.format(date=format_datetime(now)).encode()
    for has_file in (True, False):
        composer = Composer(
            templates=Templates.load(default_folder()),
            sender_email="people@example.org",
            sender_name="People Team",
            timezone=ZoneInfo("Europe/Berlin"),
            has_invite_file=has_file,
        )
        for name, job in list_jobs():
            content = EncodedMail.encode(composer.compose(job)).dot_stuff(now)
            kind = "" if has_file else ", without invite.ics"
            yield f"{name}{kind}", received + content.removesuffix(b".\r\n")


def list_points(program: str, content: bytes) -> dict[str, float]:
    """Return the points of each rule that says something about the mail."""
    command = [program, "--local", "--test-mode"]
    done = subprocess.run(command, input=content, capture_output=True, check=True)
    report = done.stdout.decode(errors="replace").partition("Content analysis details:")[2]
    return {rule: float(points) for points, rule in RULE.findall(report)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    program = shutil.which("spamassassin")
    if program is None:
        sys.exit("spamassassin is not installed; Debian: apt-get install spamassassin")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = {name: list_points(program, mail) for name, mail in list_mails(datetime.now(UTC))}
    if "GTUBE" not in list_points(program, b"Subject: test\r\n\r\n" + GTUBE + b"\r\n"):
        sys.exit("spamassassin does not find what every installation must find")
    figures = {
        "surroundings": {**run_metadata(), "spamassassin": version.stdout.splitlines()[0]},
        "rules that say something, and their points": found,
    }
    text = json.dumps(figures, indent=1)
    print(text)
    if options.json:
        options.json.write_text(f"{text}\n")
    sys.exit(int(any(points > 0 for rules in found.values() for points in rules.values())))


if __name__ == "__main__":
    main()

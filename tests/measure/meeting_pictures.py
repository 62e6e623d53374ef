"""Draw the mails about one meeting as their reader sees them, and write them as example files.

    python -m tests.measure.meeting_pictures [PICTURES EXAMPLES] [--check FOLDER]

The folders are ``docs/images`` and ``docs/examples`` unless others are named. The composer of the
service makes the mails, Chromium shows them; mail_picture.py says which packages that needs.

With --check it draws each mail to FOLDER in every view, also with texts that are set right to left
and with the longest ones, to be looked at, and writes nothing else. It fails if a mail is wider
than its window.
"""

import argparse
import sys
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from msgspec import structs

from gcsched.adapters.smtp.envelope import EncodedMail
from gcsched.domain.job import Job
from gcsched.domain.meeting import Person
from tests.measure.mail_picture import PICTURE, View, draw
from tests.support.invitations import INTERVIEW, parse_mail, read_calendar
from tests.support.mail_trees import a_composer
from tests.support.meeting_mails import KINDS, WITH_CALENDAR, a_meeting_job

EXAMPLES = PICTURE.parents[1] / "examples"
FILES = {"invitation": "invite.ics"}
PHONE, SMALL_PHONE = 375, 320
DARK = View(scheme="dark")
PICTURES = {
    **{f"{kind}.png": (kind, View()) for kind in KINDS},
    "invitation-dark.png": ("invitation", DARK),
    "invitation-phone.png": ("invitation", View(width=PHONE)),
    "update-dark.png": ("update", DARK),
    "update-phone.png": ("update", View(width=SMALL_PHONE)),
}
CHECKED = {
    "light": View(),
    "dark": DARK,
    "phone": View(width=SMALL_PHONE),
    "dark phone": View(scheme="dark", width=SMALL_PHONE),
}
HEBREW: Mapping[str, Any] = {
    "summary": "ראיון עם דנה כהן, צוות ההנדסה",
    "location": "חדר 4.2, קומה שנייה",
    "description": "נדבר על ההערות שלך.\n\nנא להביא:\n- את ההערות\n- עיפרון",
    "organizer": Person("people@example.org", "צוות האנשים"),
    "reason": "שניים מאיתנו חולים; נמצא יום אחר.",
}
LONGEST: Mapping[str, Any] = {
    "summary": "W" * 255,
    "location": "x" * 255,
    "url": f"https://meet.example.org/{'a' * 400}",
    "description": f"{'d' * 300}\n" * 3,
    "organizer": Person(f"{'o' * 64}@{'long.' * 20}example.org", "N" * 256),
    "reason": "r" * 256,
}


def make_mail(job: Job) -> bytes:
    """Return the octets of the mail, as the relay gets them but for the stuffing of dots."""
    mail = EncodedMail.encode(a_composer().compose(job))
    leaves = INTERVIEW.stamp if job.revision is None else job.revision.stamp
    return mail.dot_stuff(leaves).removesuffix(b".\r\n")


def make_other_job(kind: str, texts: Mapping[str, Any], *, name: str) -> Job:
    """Return the job of a mail with other *texts*, which an update changes all."""
    job = a_meeting_job(kind, job={"name": name}, **texts)
    if job.meeting is None or job.meeting.earlier is None:
        return job
    changed = {key: value for key, value in texts.items() if isinstance(value, str)}
    before = {key: f"{value[:-3]}…" for key, value in changed.items()}
    earlier = structs.replace(job.meeting.earlier, **{**before, "reason": ""})
    return structs.replace(job, meeting=structs.replace(job.meeting, earlier=earlier))


def list_checked() -> dict[str, EmailMessage]:
    """Return the mails to look at, by a name."""
    jobs = {
        **{kind: a_meeting_job(kind) for kind in KINDS},
        **{f"{kind} rtl": make_other_job(kind, HEBREW, name="דנה כהן") for kind in KINDS},
        **{f"{kind} longest": make_other_job(kind, LONGEST, name="W" * 200) for kind in KINDS},
    }
    return {name: parse_mail(make_mail(job)) for name, job in jobs.items()}


def check(folder: Path) -> None:
    faults = list[str]()
    for name, mail in list_checked().items():
        for view_name, view in CHECKED.items():
            if overflow := draw(mail, folder / f"{name} {view_name}.png", view):
                faults.append(f"{name}, {view_name}: {overflow} px too wide")
    print(f"drew {len(list(folder.glob('*.png')))} pictures to {folder}")
    if faults:
        sys.exit("\n".join(faults))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?", default=PICTURE.parent)
    parser.add_argument("examples", type=Path, nargs="?", default=EXAMPLES)
    parser.add_argument("--check", type=Path)
    options = parser.parse_args()
    if options.check:
        check(options.check)
        return
    options.examples.mkdir(parents=True, exist_ok=True)
    contents = {kind: make_mail(a_meeting_job(kind)) for kind in KINDS}
    for kind, content in contents.items():
        (options.examples / f"{kind}.eml").write_bytes(content)
        if kind in WITH_CALENDAR:
            file = FILES.get(kind, f"{kind}.ics")
            (options.examples / file).write_bytes(read_calendar(content))
    for name, (kind, view) in PICTURES.items():
        draw(parse_mail(contents[kind]), options.pictures / name, view)
        print(f"wrote {options.pictures / name}")


if __name__ == "__main__":
    main()

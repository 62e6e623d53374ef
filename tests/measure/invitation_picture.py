"""Draw an invitation as its reader sees it: light, dark, and on a phone; write its example files.

    python -m tests.measure.invitation_picture [PICTURES EXAMPLES]

The folders are ``docs/images`` and ``docs/examples`` unless others are named. The composer of the
service makes the mail, Chromium shows it; mail_picture.py says which packages that needs.
"""

import argparse
from pathlib import Path
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.adapters.smtp.envelope import EncodedMail
from tests.measure.mail_picture import PICTURE, View, draw
from tests.support.invitations import INTERVIEW, an_invitation_job, parse_mail, read_calendar

EXAMPLES = PICTURE.parents[1] / "examples"
PHONE = 375
VIEWS = {
    "invitation.png": View(),
    "invitation-dark.png": View(scheme="dark"),
    "invitation-phone.png": View(width=PHONE),
}


def make_mail() -> bytes:
    """Return the octets of the mail, as the relay gets them but for the stuffing of dots."""
    composer = Composer(
        templates=Templates.load(default_folder()),
        sender_email="people@example.org",
        sender_name="People Team",
        timezone=ZoneInfo("Europe/Berlin"),
    )
    mail = composer.compose(an_invitation_job())
    return EncodedMail.encode(mail).dot_stuff(INTERVIEW.stamp).removesuffix(b".\r\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="?", default=PICTURE.parent)
    parser.add_argument("examples", type=Path, nargs="?", default=EXAMPLES)
    options = parser.parse_args()
    content = make_mail()
    options.examples.mkdir(parents=True, exist_ok=True)
    (options.examples / "invitation.eml").write_bytes(content)
    (options.examples / "invite.ics").write_bytes(read_calendar(content))
    mail = parse_mail(content)
    for name, view in VIEWS.items():
        draw(mail, options.pictures / name, view)
        print(f"wrote {options.pictures / name}")


if __name__ == "__main__":
    main()

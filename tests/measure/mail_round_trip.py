"""Compose random mails, and compare what two independent parsers read from them.

    python -m tests.measure.mail_round_trip 10000 --seed 7 --json docs/measurements/composed.json

Subjects, names and ids are random texts of all Unicode that the service accepts, of any length.
"""

import argparse
import json
import random
import sys
import unicodedata
from datetime import UTC, datetime
from email import policy
from email.parser import Parser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fast_mail_parser import parse_email
from msgspec.structs import replace

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from gcsched.domain.job import Job
from tests.support.builders import a_job
from tests.support.relay.script import repeatable

RANGES = [(0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x5FF), (0x4E00, 0x9FFF), (0x1F300, 0x1F6FF)]
RANGES += [(0x20, 0x2FFFF)]
WORDS = [
    "=?utf-8?q?x?=",
    "?=",
    "a" * 120,
    "  ",
    ".",
    "From ",
    "{{ username }}",
    "<b>&amp;",
    "--",
    ":",
]


def random_text(chance: random.Random, longest: int) -> str:
    low, high = chance.choice(RANGES)
    length = chance.choice([1, 2, longest, chance.randrange(1, longest + 1)])
    text = "".join(chr(chance.randrange(low, high + 1)) for _ in range(length))
    if chance.random() < 0.3:
        where = chance.randrange(len(text))
        text = text[:where] + chance.choice(WORDS) + text[where:]
    allowed = "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cs", "Zl", "Zp"})
    return allowed.strip()[:longest].strip() or "x"


def random_job(chance: random.Random, number: int) -> Job:
    return replace(
        a_job(),
        id=f"{number:032x}",
        message=random_text(chance, 998),
        name=random_text(chance, 256),
        empid=random_text(chance, 128),
        message_id=f"{number:032x}@example.org",
    )


def find_faults(job: Job, content: bytes) -> list[str]:
    """Return where the mail differs from *job* for a parser, or exceeds a limit of RFC 5322."""
    found = []
    text = content.decode()
    if "\r" in text.replace("\r\n", "") or "\n" in text.replace("\r\n", ""):
        found.append("a bare CR or LF")
    if max(map(len, content.split(b"\r\n"))) > 998:
        found.append("a line over 998 octets")
    standard, other = Parser(policy=policy.default).parsestr(text), parse_email(content)
    if standard["subject"] != job.message:
        found.append("subject, standard library")
    if other.subject != job.message:
        found.append("subject, fast-mail-parser")
    plain = standard.get_body(("plain",))
    read = [plain.get_content() if plain else "", other.text_plain[0]]
    for parser, body in zip(("standard library", "fast-mail-parser"), read, strict=True):
        if job.name not in body or job.message not in body or job.empid not in body:
            found.append(f"text part, {parser}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chance = repeatable(options.seed)
    composer = Composer(
        templates=Templates.load(default_folder()),
        sender_email="no-reply@example.org",
        sender_name="Scheduler",
        timezone=ZoneInfo("UTC"),
    )
    unequal: list[Any] = []
    for number in range(options.count):
        job = random_job(chance, number)
        if found := find_faults(job, composer.compose(job).content):
            unequal.append({"number": number, "faults": found, "subject": job.message[:80]})
    figures = {
        "command": " ".join(["python -m tests.measure.mail_round_trip", *sys.argv[1:]]),
        "seed": options.seed,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "composed": options.count,
        "unequal": len(unequal),
        "first_unequal": unequal[:5],
    }
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Make the table of steps in docs/console.md from the file of tests/measure/console_tasks.py.

    python -m tests.measure.console_task_table

Prints it; tests/project/test_console_page.py compares the page with it. The steps of others are
counted in what their documentation or their source says of a mouse, from their first page on, and
were not measured.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.measure.performance_tables import MEASUREMENTS, make_table

FILE = MEASUREMENTS / "console_tasks.json"
HEAD = ["task", "keyboard", "mouse", "the nearest other", "its steps, by mouse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What comes nearest to a task elsewhere: its *steps* (None: it cannot), and what it lacks."""

    name: str
    source: str
    steps: int | None = None
    note: str = ""


CLOUD_TASKS = "https://cloud.google.com/tasks/docs/manage-queues-and-tasks"
LISTMONK = "https://github.com/knadh/listmonk/blob/master/frontend/src/views/Subscribers.vue"
MAILPIT = "https://github.com/axllent/mailpit"
RIVER = "https://github.com/riverqueue/riverui/blob/master/src/components/JobList.tsx"
OBAN = "https://hexdocs.pm/oban_web/overview.html"
CALENDLY = (
    "https://help.calendly.com/hc/en-us/articles/223145167-Making-changes-to-scheduled-events"
)
POSTAL = "https://github.com/postalserver/postal/tree/main/app/views/messages"

PEERS: Mapping[str, Peer] = {
    "why": Peer(name="Postal", source=POSTAL, steps=5),
    "stop": Peer(name="Cloud Tasks", source=CLOUD_TASKS, steps=3, note="one queue, no reason"),
    "resume": Peer(name="Cloud Tasks", source=CLOUD_TASKS, steps=3, note="one queue"),
    "again": Peer(name="Mailpit", source=MAILPIT, steps=8, note="mails that it has caught"),
    "resolve": Peer(name="Oban Web", source=OBAN),
    "move": Peer(name="Cloud Tasks", source=CLOUD_TASKS),
    "batch": Peer(name="River UI", source=RIVER, steps=6, note="the jobs that the page shows"),
    "retry": Peer(name="River UI", source=RIVER, steps=3, note="of any hour, on the page shown"),
    "block": Peer(name="listmonk", source=LISTMONK, steps=7, note="subscribers only, no reason"),
    "unblock": Peer(name="listmonk", source=LISTMONK, steps=8),
    "night": Peer(name="Oban Web", source=OBAN),
    "audit": Peer(name="Oban Web", source=OBAN),
    "move_meeting": Peer(name="Calendly", source=CALENDLY, steps=6),
    "cancel_meeting": Peer(name="Calendly", source=CALENDLY, steps=6),
    "phone": Peer(name="Mailpit", source=MAILPIT, steps=3, note="one of them sends the mail to it"),
    "erase": Peer(name="listmonk", source=LISTMONK, steps=6, note="without typing who it is"),
}


def table(report: Mapping[str, Any]) -> str:
    """Return the table of *report*, a row for each task."""
    return make_table(HEAD, [make_row(*each) for each in report["tasks"].items()])


def make_row(name: str, measured: Mapping[str, Any]) -> list[str]:
    peer = PEERS[name]
    steps = "-" if peer.steps is None else str(peer.steps)
    return [
        measured["task"],
        *(str(measured[hand].get("steps", "not done")) for hand in ("keyboard", "mouse")),
        f"[{peer.name}]({peer.source})",
        f"{steps} ({peer.note})" if peer.note else steps,
    ]


def main() -> None:
    print(table(json.loads(FILE.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()

"""The status report of a service, formatted for people."""

from typing import TYPE_CHECKING

from gcsched.cli import fields
from gcsched.cli.blocks import Block, Table
from gcsched.domain.caller_text import quote, replace_unprintable

if TYPE_CHECKING:
    from gcsched.pb import task_pb2


def format_report(status: "task_pb2.StatusReport") -> list[Block]:
    blocks: list[Block] = [Table(rows=format_summary(status))]
    if status.counts:
        blocks.append(fields.tabulate_messages(status.counts, ("state", "count")))
    if status.relays:
        blocks.append(
            Table(columns=RELAY_COLUMNS, rows=[format_relay(each) for each in status.relays])
        )
    return blocks


def format_summary(status: "task_pb2.StatusReport") -> list[tuple[str, str]]:
    return [
        ("version", format_versions(status)),
        ("started", fields.format_field(status, "start_time")),
        ("sending", format_sending(status)),
        *format_recipients(status.sending),
        *format_senders(status.sending),
        *[(each.name, format_store(each)) for each in status.stores],
        ("oldest due", format_oldest_due(status)),
        ("lateness", format_lateness(status.lateness)),
        ("counted", format_count_time(status)),
        *format_access(status),
        *format_problems(status),
    ]


def format_recipients(sending: "task_pb2.StatusReport.Sending") -> list[tuple[str, str]]:
    """Return a row for each setting by which mails do not go to all recipients."""
    rows = []
    if sending.redirect_to:
        to = replace_unprintable(sending.redirect_to)
        rows.append(("redirect", f"ALL MAILS GO TO {to} (GCSCHED_REDIRECT_TO)"))
    if sending.allowed_recipients:
        allowed = replace_unprintable(", ".join(sending.allowed_recipients))
        rows.append(("recipients", f"ONLY {allowed} (GCSCHED_ALLOWED_RECIPIENTS)"))
    return rows


def format_versions(status: "task_pb2.StatusReport") -> str:
    versions = f"{status.version}, Python {status.python}"
    if not status.zone_version:  # the service is older than the field
        return versions
    return f"{versions}, time zones {status.zone_version}"


def format_senders(sending: "task_pb2.StatusReport.Sending") -> list[tuple[str, str]]:
    """Return a row with the senders if requests can choose among several."""
    if len(sending.senders) <= 1:
        return []
    return [("senders", replace_unprintable(", ".join(sending.senders)))]


def format_access(status: "task_pb2.StatusReport") -> list[tuple[str, str]]:
    """Return a row that says who may call; none if the service is older than the field."""
    if not status.HasField("access"):
        return []
    access = status.access
    clients = "1 client" if access.clients == 1 else f"{access.clients} clients"
    who = clients if access.is_controlled else "anyone who reaches the port"
    wire = "encrypted" if access.is_encrypted else "not encrypted"
    risk = "; INSECURE: reachable from other machines" if access.is_insecure else ""
    rows = [("access", f"{who}, {wire}{risk}")]
    return [*rows, ("problem", access.problem)] if access.problem else rows


def format_problems(status: "task_pb2.StatusReport") -> list[tuple[str, str]]:
    """Return a row for each problem that an operator must fix."""
    rows = [("problem", problem) for problem in status.problems]
    rows += [
        ("problem", f"relay {each.name}: {each.last_error}")
        for each in status.relays
        if each.last_error
    ]
    if status.unreadable_jobs:
        jobs = f"{status.unreadable_jobs:,} jobs: the log names them (job unreadable)"
        rows.append(("unreadable", jobs))
    return rows


def format_store(seen: "task_pb2.StatusReport.Store") -> str:
    return f"{seen.problem or 'ok'}, since {fields.format_field(seen, 'state_time')}"


def format_count_time(status: "task_pb2.StatusReport") -> str:
    """Return when the jobs were counted, and how long ago that was."""
    if not status.counts:
        return "no counts: MongoDB is unreachable or too slow"
    moment = fields.format_field(status, "count_time")
    if not status.HasField("report_time"):  # the service is older than the field
        return moment
    age = status.report_time.ToDatetime() - status.count_time.ToDatetime()
    seconds = int(age.total_seconds())
    return f"{moment}, {seconds} s ago" if seconds > 0 else f"{moment}, now"


def format_sending(status: "task_pb2.StatusReport") -> str:
    if not status.HasField("pause"):
        return "yes"
    pause = status.pause
    since = fields.format_field(pause, "start_time")
    return f"PAUSED by {quote(pause.by)} since {since}: {quote(pause.reason)}"


def format_oldest_due(status: "task_pb2.StatusReport") -> str:
    if not status.counts:
        return "unknown"
    late = fields.format_field(status, "oldest_due_lateness")
    return f"{late} late" if late else "nothing is due"


def format_lateness(seen: "task_pb2.StatusReport.Lateness") -> str:
    if not seen.mails:
        return "no mails in the last 5 min"
    p50, p99 = fields.format_duration(seen.p50), fields.format_duration(seen.p99)
    return f"p50 {p50}, p99 {p99} ({seen.mails:,} mails, last 5 min)"


RELAY_COLUMNS = ("RELAY", "STATE", "OPEN", "BUSY", "LIMIT", "RATE", "EFFECTIVE", "SINCE")


def format_relay(seen: "task_pb2.StatusReport.Relay") -> tuple[str, ...]:
    return (
        seen.name,
        format_relay_state(seen),
        str(seen.sessions_open),
        str(seen.sessions_busy),
        str(seen.sessions_limit or ""),  # 0: the service is older than the field
        f"{seen.rate:g}/s" if seen.rate else "",
        f"{seen.effective_rate:g}/s" if seen.effective_rate else "",
        fields.format_field(seen, "state_time"),
    )


def format_relay_state(seen: "task_pb2.StatusReport.Relay") -> str:
    if not seen.HasField("state_time"):  # the service is older than the field
        return "down" if seen.is_down else "up"
    return fields.format_field(seen, "state").lower()

"""The meaning of settings: plain values for the use cases."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from gcsched.config.senders import read_sender_key
from gcsched.config.settings import Settings
from gcsched.domain.dedup import Dedup, DedupRule
from gcsched.domain.due import DailyPlan
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.retry import OnUncertain, RetryPolicy
from gcsched.domain.senders import DEFAULT, Sender, Senders

CLAIMED_PER_SESSION = 16
BATCH_PER_SESSION = 4


def batch_size(settings: Settings) -> int:
    return settings.smtp_sessions * BATCH_PER_SESSION


def max_claimed(settings: Settings) -> int:
    """Return how many jobs to claim at most, so that the sessions stay busy.

    Under a rate limit only as many as the sessions take at once: granted mails that waited here
    behind a slow relay would all leave together afterwards. Twice as many where slow domains may
    occupy almost all sessions, because claims go on while half of the room is free.
    """
    factor = 2 if slots_per_domain(settings) else 1
    return settings.smtp_sessions * (factor if settings.smtp_rate else CLAIMED_PER_SESSION)


def workers(settings: Settings) -> int:
    """Return how many mails are in delivery at once: one in each session, and one behind it."""
    return settings.smtp_sessions * 2


def max_extra_workers(settings: Settings) -> int:
    """Return how many stuck workers to replace: as many as sessions; none without another relay."""
    return settings.smtp_sessions if settings.fallback_smtp_host is not None else 0


def slots_per_domain(settings: Settings) -> int:
    """Return the slots of a domain; 0 where the number of sessions is the limit anyway."""
    slots = settings.smtp_sessions_per_domain
    return slots if slots < settings.smtp_sessions else 0


def daily_plan(settings: Settings) -> DailyPlan:
    return DailyPlan(at=settings.daily_at, zone=settings.timezone)


def retry_policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=settings.retry_attempts,
        waits=tuple(timedelta(seconds=seconds) for seconds in settings.retry_waits_seconds),
        on_uncertain=OnUncertain(settings.on_uncertain),
    )


def keep_trying(settings: Settings) -> timedelta:
    return timedelta(hours=settings.not_after_hours)


def retention(settings: Settings) -> timedelta:
    return timedelta(days=settings.retention_days)


def stop_grace(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.stop_grace_seconds)


def suppression_duration(settings: Settings) -> timedelta:
    return timedelta(days=settings.suppression_days)


def dedup_rule(settings: Settings) -> DedupRule:
    return DedupRule(by=Dedup(settings.dedup), window=settings.dedup_window)


def senders(settings: Settings) -> Senders:
    default = read_sender_key(settings.sender_email)
    return Senders(default=default, others=tuple(each.key for each in settings.senders))


def show_senders(settings: Settings) -> Sequence[str]:
    """Return the senders as mails show them, the default one first."""
    default = Sender(DEFAULT, settings.sender_email, settings.sender_name)
    return [str(each) for each in (default, *settings.senders)]


def message_id_domain(settings: Settings) -> str:
    return find_message_id_domain(settings.sender_email)


def sender_domains(settings: Settings) -> Mapping[str, str]:
    """Return the Message-ID domain of each sender beside the default one."""
    return {each.key: find_message_id_domain(each.address) for each in settings.senders}


def mail_rules(settings: Settings) -> MailRules:
    return MailRules(
        message_id_domain=message_id_domain(settings),
        sender_domains=sender_domains(settings),
        settle=timedelta(seconds=settings.meeting_settle),
    )


def find_message_id_domain(sender: str) -> str:
    """Return what follows the @ in a Message-ID; an address literal loses its brackets.

    RFC 5322 allows the brackets there, but the previous version of this service does not.
    """
    domain = sender.rpartition("@")[2]
    if domain.startswith("["):
        return domain[1:-1].replace(":", "-")
    return domain

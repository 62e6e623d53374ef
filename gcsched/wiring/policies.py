"""What settings mean for the rules: plain values for who needs them."""

from datetime import timedelta

from gcsched.config.settings import Settings
from gcsched.domain.dedup import Dedup, DedupRule
from gcsched.domain.due import DailyPlan
from gcsched.domain.retry import OnUncertain, RetryPolicy

CLAIMED_PER_SESSION = 16
BATCH_PER_SESSION = 4


def batch_size(settings: Settings) -> int:
    return settings.smtp_sessions * BATCH_PER_SESSION


def max_claimed(settings: Settings) -> int:
    """Claim enough for the sessions to stay busy.

    Under a limit no more than they carry at once: granted mails that wait here behind a slow relay
    would all leave together afterwards. Twice as many where slow domains may hold almost all
    sessions: claiming goes on while half of the room is free.
    """
    factor = 2 if slots_per_domain(settings) else 1
    return settings.smtp_sessions * (factor if settings.smtp_rate else CLAIMED_PER_SESSION)


def max_extra_workers(settings: Settings) -> int:
    """Relieve as many stuck workers as there are sessions; none where no other relay helps."""
    return settings.smtp_sessions if settings.fallback_smtp_host is not None else 0


def slots_per_domain(settings: Settings) -> int:
    """Give 0 where the sessions are the limit anyway."""
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


def message_id_domain(settings: Settings) -> str:
    """Return what follows the @ of a Message-ID: of an address literal, its address as one word.

    RFC 5322 has room for the brackets there, the version before this one has not.
    """
    domain = settings.sender_email.rpartition("@")[2]
    if domain.startswith("["):
        return domain[1:-1].replace(":", "-")
    return domain

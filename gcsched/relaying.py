"""Build the relays from settings: a pool of sessions with each, and what chooses between them."""

from collections.abc import Sequence
from functools import partial

from gcsched.adapters.smtp.pool import Pool
from gcsched.adapters.smtp.settings import Keep, RelaySettings, Security
from gcsched.setting import variable
from gcsched.settings import Settings
from gcsched.usecases.guard import GuardedRelay
from gcsched.usecases.ports import Mailer
from gcsched.usecases.relays import Relays


def pools(settings: Settings) -> list[Pool]:
    """Make the pools of sessions, the preferred relay's first; they are to be entered."""
    relays = [primary(settings), fallback(settings)]
    keep = Keep(sessions=settings.smtp_sessions)
    return [Pool(relay=relay, keep=keep) for relay in relays if relay is not None]


def primary(settings: Settings) -> RelaySettings:
    return RelaySettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=Security(settings.smtp_security),
        username=settings.smtp_username,
        password=partial(settings.secret, "smtp_password"),
        ca_file=settings.smtp_ca_file,
    )


def fallback(settings: Settings) -> RelaySettings | None:
    if settings.fallback_smtp_host is None:
        return None
    return RelaySettings(
        host=settings.fallback_smtp_host,
        port=settings.fallback_smtp_port,
        security=Security(settings.fallback_smtp_security),
        username=settings.fallback_smtp_username,
        password=partial(settings.secret, "fallback_smtp_password"),
        ca_file=settings.fallback_smtp_ca_file,
    )


def relays_over(mailers: Sequence[Mailer]) -> Relays:
    """Put a breaker before each of *mailers*, and the choice before them all."""
    first, *second = mailers
    meanwhile = "the fallback takes over" if second else "sending waits"
    return Relays(
        [
            GuardedRelay(mailer=first, login=variable("smtp_password"), meanwhile=meanwhile),
            *[
                GuardedRelay(
                    mailer=mailer,
                    login=variable("fallback_smtp_password"),
                    meanwhile="sending waits if the first is down, too",
                )
                for mailer in second
            ],
        ]
    )

"""Build the relays from settings: a pool of sessions with each, and what chooses between them."""

from collections.abc import Sequence
from functools import partial

from gcsched.adapters.smtp.pool import Pool
from gcsched.adapters.smtp.settings import Keep, RelaySettings, Security
from gcsched.setting import variable
from gcsched.settings import Settings
from gcsched.usecases.guard import GuardedRelay
from gcsched.usecases.relays import Relays


def pools(settings: Settings) -> tuple[Pool, ...]:
    """Make the pools of sessions, to be entered."""
    return (Pool(relay=primary(settings), keep=Keep(sessions=settings.smtp_sessions)),)


def primary(settings: Settings) -> RelaySettings:
    return RelaySettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=Security(settings.smtp_security),
        username=settings.smtp_username,
        password=partial(settings.secret, "smtp_password"),
        ca_file=settings.smtp_ca_file,
    )


def relays_over(mailers: Sequence[Pool]) -> Relays:
    """Put a breaker before each of *mailers*, and the choice before them all."""
    (only,) = mailers
    login = variable("smtp_password")
    return Relays([GuardedRelay(mailer=only, login=login, meanwhile="sending waits")])

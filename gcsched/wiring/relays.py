"""Build the relays from settings: a pool of sessions with each, and what chooses between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gcsched.adapters.mongo.pauses import MongoPauses
from gcsched.adapters.redis.clients import RedisClients
from gcsched.adapters.redis.rate_limit import RedisBucket
from gcsched.adapters.smtp.options import Keep, RelaySettings, Security
from gcsched.adapters.smtp.pool import Pool
from gcsched.config.fields import variable
from gcsched.config.helo import machine_name
from gcsched.config.settings import Settings
from gcsched.domain.silence_limit import Patience
from gcsched.usecases.ports import Mailer
from gcsched.usecases.relays.checks import RelayChecks
from gcsched.usecases.relays.failover import Relays
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.pause import Pausing
from gcsched.usecases.relays.protected_relay import GuardedRelay
from gcsched.usecases.relays.rate_allowance import OwnAllowance, SharedAllowance
from gcsched.usecases.relays.rate_limiter import Pacer
from gcsched.usecases.relays.refusals import Acceptance
from gcsched.wiring.resources import Resources

PATIENCE = Patience()


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
        local_hostname=settings.smtp_helo_name or machine_name(),
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
        local_hostname=settings.smtp_helo_name or machine_name(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayParts:
    """*relays* in the order of preference behind *pausing*; the rest is by a relay's name."""

    relays: Relays
    pausing: Pausing
    healths: Mapping[str, RelayHealth]
    checks: Mapping[str, RelayChecks]


def build_relays(settings: Settings, resources: Resources) -> RelayParts:
    mailers = resources.mailers
    healths = {each.name: RelayHealth(relay=each.name, now=resources.clock) for each in mailers}
    factory = RelayFactory(
        per_second=settings.smtp_rate,
        burst=settings.smtp_burst,
        redis=resources.redis,
        healths=healths,
    )
    relays = factory.relays_over(mailers)
    return RelayParts(
        relays=relays,
        pausing=Pausing(relays, MongoPauses(mongo=resources.mongo)),
        healths=healths,
        checks={
            mailer.name: RelayChecks(
                sessions=mailer, relay=relay, health=healths[mailer.name], wake=relays.wake
            )
            for relay, mailer in zip(relays.all, mailers, strict=True)
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayFactory:
    """Puts before each mailer what spares its relay, and the choice before them all."""

    per_second: float
    burst: int
    redis: RedisClients
    accepted: Acceptance = field(default_factory=Acceptance)
    healths: Mapping[str, RelayHealth]

    def relays_over(self, mailers: Sequence[Mailer]) -> Relays:
        first, *others = mailers
        after_first = "the fallback takes over" if others else "sending waits"
        return Relays(
            [
                self.guarded(first, "smtp_password", meanwhile=after_first),
                *[
                    self.guarded(
                        mailer,
                        "fallback_smtp_password",
                        meanwhile="sending waits if the first is down, too",
                    )
                    for mailer in others
                ],
            ]
        )

    def guarded(self, mailer: Mailer, password: str, *, meanwhile: str) -> GuardedRelay:
        allowance = self.allowance(mailer.name)
        pacer = Pacer(
            relay=mailer.name,
            per_second=self.per_second,
            burst=self.burst,
            allowance=allowance,
            share=allowance.share,
        )
        return GuardedRelay(
            mailer=mailer,
            pacer=pacer,
            login=variable(password),
            meanwhile=meanwhile,
            patience=PATIENCE,
            accepted=self.accepted,
            on_heard=self.healths[mailer.name].note,
        )

    def allowance(self, relay: str) -> OwnAllowance | SharedAllowance:
        """Share what the operator allows; what a relay asks of us is ours alone."""
        if not self.per_second:
            return OwnAllowance()
        return SharedAllowance(shared=RedisBucket(redis=self.redis.keys, relay=relay))

"""Builds the relays from settings: a pool of sessions for each, and the choice between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from gcsched.adapters.mongo.pauses import MongoPauses
from gcsched.adapters.redis.clients import RedisClients
from gcsched.adapters.redis.rate_limit import RedisBucket
from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import PoolLimits, RelaySettings, Security
from gcsched.config.fields import variable_name
from gcsched.config.helo import find_machine_name
from gcsched.config.settings import Settings
from gcsched.domain.silence_limit import SilenceLimit
from gcsched.usecases.ports import Mailer
from gcsched.usecases.relays.checks import RelayChecks
from gcsched.usecases.relays.failover import FailoverTransport
from gcsched.usecases.relays.health import RelayHealth
from gcsched.usecases.relays.protected_relay import ProtectedRelay
from gcsched.usecases.relays.rate_allowance import LocalRateAllowance, SharedRateAllowance
from gcsched.usecases.relays.rate_limiter import RateLimiter
from gcsched.usecases.relays.refusal_tracker import LastAcceptance
from gcsched.usecases.relays.sending_pause import PausableTransport
from gcsched.wiring.resources import Resources

SILENCE_LIMIT = SilenceLimit()


def build_pools(settings: Settings) -> list[SmtpSessionPool]:
    """Build the pools of sessions, the preferred relay first; they are context managers."""
    relays = [primary_settings(settings), fallback_settings(settings)]
    pool_limits = PoolLimits(sessions=settings.smtp_sessions)
    return [
        SmtpSessionPool(relay=relay, pool_limits=pool_limits)
        for relay in relays
        if relay is not None
    ]


def primary_settings(settings: Settings) -> RelaySettings:
    return RelaySettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=Security(settings.smtp_security),
        username=settings.smtp_username,
        password=partial(settings.read_secret, "smtp_password"),
        ca_file=settings.smtp_ca_file,
        local_hostname=settings.smtp_helo_name or find_machine_name(),
    )


def fallback_settings(settings: Settings) -> RelaySettings | None:
    if settings.fallback_smtp_host is None:
        return None
    return RelaySettings(
        host=settings.fallback_smtp_host,
        port=settings.fallback_smtp_port,
        security=Security(settings.fallback_smtp_security),
        username=settings.fallback_smtp_username,
        password=partial(settings.read_secret, "fallback_smtp_password"),
        ca_file=settings.fallback_smtp_ca_file,
        local_hostname=settings.smtp_helo_name or find_machine_name(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySubsystem:
    """The relays: *failover* chooses one behind *transport*; the mappings are by relay name."""

    failover: FailoverTransport
    transport: PausableTransport
    healths: Mapping[str, RelayHealth]
    checks: Mapping[str, RelayChecks]


def build_relays(settings: Settings, resources: Resources) -> RelaySubsystem:
    mailers = resources.mailers
    healths = {each.name: RelayHealth(relay=each.name, now=resources.clock) for each in mailers}
    factory = RelayFactory(
        per_second=settings.smtp_rate,
        burst=settings.smtp_burst,
        redis=resources.redis,
        healths=healths,
        has_several_senders=bool(settings.senders),
    )
    failover = factory.build_failover(mailers)
    return RelaySubsystem(
        failover=failover,
        transport=PausableTransport(failover, MongoPauses(mongo=resources.mongo)),
        healths=healths,
        checks={
            mailer.name: RelayChecks(
                sessions=mailer, relay=relay, health=healths[mailer.name], on_up=failover.notify_up
            )
            for relay, mailer in zip(failover.relays, mailers, strict=True)
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayFactory:
    """Puts a rate limiter and a breaker before each mailer, and the choice before all of them."""

    per_second: float
    burst: int
    redis: RedisClients
    last_acceptance: LastAcceptance = field(default_factory=LastAcceptance)
    healths: Mapping[str, RelayHealth]
    has_several_senders: bool = False

    def build_failover(self, mailers: Sequence[Mailer]) -> FailoverTransport:
        first, *others = mailers
        while_first_is_down = "the fallback takes over" if others else "sending waits"
        return FailoverTransport(
            [
                self.build_relay(first, "smtp_password", while_down=while_first_is_down),
                *[
                    self.build_relay(
                        mailer,
                        "fallback_smtp_password",
                        while_down="sending waits if the first relay is down too",
                    )
                    for mailer in others
                ],
            ]
        )

    def build_relay(self, mailer: Mailer, password: str, *, while_down: str) -> ProtectedRelay:
        allowance = self.build_allowance(mailer.name)
        rate_limiter = RateLimiter(
            relay=mailer.name,
            per_second=self.per_second,
            burst=self.burst,
            allowance=allowance,
            share=allowance.share,
        )
        return ProtectedRelay(
            mailer=mailer,
            rate_limiter=rate_limiter,
            password_variable=variable_name(password),
            while_down=while_down,
            silence_limit=SILENCE_LIMIT,
            last_acceptance=self.last_acceptance,
            on_observation=self.healths[mailer.name].record,
            has_several_senders=self.has_several_senders,
        )

    def build_allowance(self, relay: str) -> LocalRateAllowance | SharedRateAllowance:
        """Build the allowance that all processes share, or a local one if there is no limit."""
        if not self.per_second:
            return LocalRateAllowance()
        return SharedRateAllowance(shared=RedisBucket(redis=self.redis.keys, relay=relay))

"""Builds the limits of clients: of calls, and of jobs."""

from dataclasses import dataclass

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.usage import MongoUsage
from gcsched.adapters.redis.call_limits import RedisCalls
from gcsched.adapters.redis.heartbeats import hash_mongo_location
from gcsched.config.settings import Settings
from gcsched.usecases.access.call_limits import CallLimits
from gcsched.usecases.access.limit_reports import LimitReports
from gcsched.usecases.admission.quotas import Quotas
from gcsched.usecases.admission.waiting_jobs import WaitingJobs
from gcsched.web.client_limit_metrics import ClientLimitMetrics
from gcsched.wiring.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of calls, with their loop, and those of jobs, and what is known of their use."""

    calls: CallLimits
    quotas: Quotas
    reports: LimitReports
    usage: MongoUsage


def build_limits(settings: Settings, resources: Resources) -> Limits:
    """Build the limits, and register their metrics."""
    reports = LimitReports(now=resources.clock)
    resources.metrics.registry.register(ClientLimitMetrics(reports=reports))
    location = hash_mongo_location(settings.mongo_uri.get_secret_value())
    shared = RedisCalls(redis=resources.redis.keys, mongo_location=location)
    usage = MongoUsage(mongo=resources.mongo)
    quotas = Quotas(
        usage=usage,
        admissions=MongoAdmissions(mongo=resources.mongo),
        now=resources.clock,
        waiting=WaitingJobs(usage=usage, observer=reports),
        observer=reports,
    )
    return Limits(
        calls=CallLimits(shared=shared, observer=reports),
        quotas=quotas,
        reports=reports,
        usage=usage,
    )

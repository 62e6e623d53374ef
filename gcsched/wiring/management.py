"""Build what answers questions, and what is kept of addresses and employees."""

import platform
from collections.abc import Sequence

from gcsched import __version__
from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.jobs import MongoJobs
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.rpc.methods.reading_jobs import ReadingJobs
from gcsched.rpc.methods.recipients import KnowingRecipients
from gcsched.rpc.methods.suppressions import Suppressing
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.management.recipients import KnowRecipients
from gcsched.usecases.management.suppressions import Blocklist
from gcsched.usecases.monitoring.job_counts import Census
from gcsched.usecases.monitoring.status import About, Status
from gcsched.usecases.monitoring.store_health import StoreHealth
from gcsched.usecases.recovery.indexes import IndexCare
from gcsched.wiring import policies
from gcsched.wiring.delivery import Delivery
from gcsched.wiring.resources import Resources


def build_status(
    resources: Resources,
    delivery: Delivery,
    census: Census,
    indexes: IndexCare,
    stores: Sequence[StoreHealth],
) -> Status:
    """Give what tells how things are, from what is known here already."""

    def problems() -> list[str]:
        refused = resources.mongo.refusals.trouble
        return [*indexes.problems, *([f"MongoDB {refused}"] if refused else ())]

    about = About(version=__version__, python=platform.python_version(), started=resources.clock())
    return Status(
        census=census,
        lateness=delivery.lateness,
        relays=delivery.relays,
        sessions=resources.mailers,
        about=about,
        pause=lambda: delivery.pausing.pause,
        problems=problems,
        health=lambda relay: delivery.healths[relay].report(),
        stores=stores,
        now=resources.clock,
    )


def build_readers(settings: Settings, resources: Resources) -> tuple[object, ...]:
    """Give the handlers: one for each kind of thing."""
    jobs = ReadJobs(reader=MongoJobs(), list=MongoJobList(mongo=resources.mongo))
    blocklist = Blocklist(
        store=MongoSuppressions(mongo=resources.mongo),
        jobs=MongoSteering(mongo=resources.mongo, retention=policies.retention(settings)),
        lasting=policies.suppression(settings),
        now=resources.clock,
    )
    recipients = KnowRecipients(data=MongoPersonalData(mongo=resources.mongo), now=resources.clock)
    return (
        ReadingJobs(read=jobs),
        Suppressing(blocklist=blocklist, addresses=settings.internal_domains, now=resources.clock),
        KnowingRecipients(recipients=recipients),
    )

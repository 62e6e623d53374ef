"""Build what answers questions, and what is kept of addresses and employees."""

from gcsched import policies
from gcsched.adapters.mongo.jobs import MongoJobs
from gcsched.adapters.mongo.listing import MongoJobList
from gcsched.adapters.mongo.personal import MongoPersonalData
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.resources import Resources
from gcsched.rpc.knowing_recipients import KnowingRecipients
from gcsched.rpc.reading_jobs import ReadingJobs
from gcsched.rpc.suppressing import Suppressing
from gcsched.settings import Settings
from gcsched.usecases.block import Blocklist
from gcsched.usecases.forget import KnowRecipients
from gcsched.usecases.read_jobs import ReadJobs


def build_readers(settings: Settings, resources: Resources) -> tuple[object, ...]:
    """Give the handlers: one for each kind of thing."""
    jobs = ReadJobs(reader=MongoJobs(), list=MongoJobList(mongo=resources.mongo))
    blocklist = Blocklist(
        store=MongoSuppressions(mongo=resources.mongo),
        lasting=policies.suppression(settings),
        now=resources.clock,
    )
    recipients = KnowRecipients(data=MongoPersonalData(mongo=resources.mongo), now=resources.clock)
    return (
        ReadingJobs(read=jobs),
        Suppressing(blocklist=blocklist),
        KnowingRecipients(recipients=recipients),
    )

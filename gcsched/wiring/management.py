"""Build what answers about jobs, employees, addresses and the sending, and what changes them."""

from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.job_reader import MongoJobList, MongoJobs
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.rpc.methods.jobs import ChangeJobMethods, ReadJobMethods
from gcsched.rpc.methods.recipients import RecipientMethods
from gcsched.rpc.methods.suppressions import SuppressionMethods
from gcsched.usecases.management.change_job import Steer
from gcsched.usecases.management.change_jobs import ChangeJobs
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.management.recipients import KnowRecipients
from gcsched.usecases.management.suppressions import Blocklist
from gcsched.usecases.ports import MayAdmit
from gcsched.usecases.wakeups import Ringer
from gcsched.wiring import policies
from gcsched.wiring.resources import Resources


def read_job_methods(resources: Resources) -> ReadJobMethods:
    reader, jobs = MongoJobs(), MongoJobList(mongo=resources.mongo)
    return ReadJobMethods(read=ReadJobs(reader=reader, list=jobs))


def change_job_methods(
    settings: Settings, resources: Resources, ringer: Ringer, may_admit: MayAdmit
) -> ChangeJobMethods:
    mongo, now = resources.mongo, resources.clock
    store = MongoSteering(mongo=mongo, retention=policies.retention(settings))
    suppressions = MongoSuppressions(mongo=mongo)
    return ChangeJobMethods(
        steer=Steer(
            store=store, suppressions=suppressions, ringer=ringer, now=now, may_admit=may_admit
        ),
        change=ChangeJobs(
            list=MongoJobList(mongo=mongo),
            certain=MongoJobList(mongo=mongo, is_certain=True),
            store=store,
            suppressions=suppressions,
            ringer=ringer,
            now=now,
            may_admit=may_admit,
        ),
        plan=policies.daily_plan(settings),
        keep_trying=policies.keep_trying(settings),
        window=policies.dedup(settings).window,
        now=now,
    )


def suppression_methods(settings: Settings, resources: Resources) -> SuppressionMethods:
    blocklist = Blocklist(
        store=MongoSuppressions(mongo=resources.mongo),
        jobs=MongoSteering(mongo=resources.mongo, retention=policies.retention(settings)),
        lasting=policies.suppression(settings),
        now=resources.clock,
    )
    return SuppressionMethods(
        blocklist=blocklist, now=resources.clock, addresses=settings.internal_domains
    )


def recipient_methods(resources: Resources) -> RecipientMethods:
    data = MongoPersonalData(mongo=resources.mongo)
    return RecipientMethods(recipients=KnowRecipients(data=data, now=resources.clock))

"""Build what lets callers steer jobs: single ones, and many at once."""

from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.rpc.methods.jobs import SteeringJobs
from gcsched.usecases.management.change_job import Steer
from gcsched.usecases.management.change_jobs import ChangeJobs
from gcsched.usecases.recovery.indexes import MayAdmit
from gcsched.usecases.wakeups import Ringer
from gcsched.wiring import policies
from gcsched.wiring.resources import Resources


def build_steering(
    settings: Settings, resources: Resources, ringer: Ringer, may_admit: MayAdmit
) -> SteeringJobs:
    mongo, now = resources.mongo, resources.clock
    store = MongoSteering(mongo=mongo, retention=policies.retention(settings))
    suppressions = MongoSuppressions(mongo=mongo)
    return SteeringJobs(
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

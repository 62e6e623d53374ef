"""Build what lets callers steer: single jobs, many at once, and the sending as a whole."""

from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.config.settings import Settings
from gcsched.rpc.methods.jobs import ChangeJobMethods
from gcsched.rpc.methods.sending import SendingMethods
from gcsched.usecases.management.change_job import Steer
from gcsched.usecases.management.change_jobs import ChangeJobs
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.recovery.indexes import MayAdmit
from gcsched.wiring import policies
from gcsched.wiring.delivery import Delivery
from gcsched.wiring.resources import Resources


def build_steering(
    settings: Settings,
    resources: Resources,
    delivery: Delivery,
    daily_run: DailyRun,
    may_admit: MayAdmit,
) -> tuple[ChangeJobMethods, SendingMethods]:
    """Give the handlers of all methods that change what is there."""
    mongo, now, ringer = resources.mongo, resources.clock, daily_run.ringer
    store = MongoSteering(mongo=mongo, retention=policies.retention(settings))
    suppressions = MongoSuppressions(mongo=mongo)
    jobs = ChangeJobMethods(
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
    return jobs, SendingMethods(daily_run=daily_run, pausing=delivery.pausing, now=now)

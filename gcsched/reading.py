"""Build what answers questions: one handler for each kind of thing that can be read."""

from gcsched.adapters.mongo.jobs import MongoJobs
from gcsched.adapters.mongo.listing import MongoJobList
from gcsched.resources import Resources
from gcsched.rpc.reading_jobs import ReadingJobs
from gcsched.usecases.read_jobs import ReadJobs


def build_readers(resources: Resources) -> tuple[object, ...]:
    """Give the handlers of all methods that read."""
    jobs = ReadJobs(reader=MongoJobs(), list=MongoJobList(mongo=resources.mongo))
    return (ReadingJobs(read=jobs),)

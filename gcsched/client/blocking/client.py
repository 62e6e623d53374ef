"""The client for blocking code."""

from gcsched.client.blocking.jobs import JobMethods
from gcsched.client.blocking.records import RecordMethods
from gcsched.client.blocking.scheduling import SchedulingMethods
from gcsched.client.blocking.service import ServiceMethods


class Client(SchedulingMethods, JobMethods, RecordMethods, ServiceMethods):
    """A connection to the service at *target* (``host:port``), for blocking code and any thread."""

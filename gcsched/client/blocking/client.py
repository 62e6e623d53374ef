"""The client for blocking code."""

from gcsched.client.blocking.jobs import JobMethods
from gcsched.client.blocking.meetings import MeetingMethods
from gcsched.client.blocking.records import RecordMethods
from gcsched.client.blocking.scheduling import SchedulingMethods
from gcsched.client.blocking.service import ServiceMethods


class Client(SchedulingMethods, JobMethods, MeetingMethods, RecordMethods, ServiceMethods):
    """A connection to the service at *target* (``host:port``), for blocking code and any thread.

    With *token* or *token_file* each call carries a token. With *credentials*, a Tls or those of
    gRPC, calls are encrypted. *timeout* is how many seconds a call may take (5); each method takes
    its own as well. What is not given is read from *environment* (os.environ): GCSCHED_TARGET,
    GCSCHED_TLS, GCSCHED_TLS_CA_FILE, GCSCHED_TLS_CERT_FILE, GCSCHED_TLS_KEY_FILE and
    GCSCHED_TOKEN_FILE. Raises ValueError if that cannot be used.

    In the examples of the methods, `gcsched` is an open client:

    >>> with Client() as gcsched:
    ...     gcsched.count_jobs().has_more
    False
    """

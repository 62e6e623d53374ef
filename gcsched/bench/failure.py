"""The error of a load test that cannot run or go on."""

from gcsched.errors import GcschedError


class BenchFailed(GcschedError):
    """A load test cannot run or go on; the sentence says why and what to do."""

"""Say why MongoDB is away or refuses: the first clause of the driver's text, and what to look at.

The driver's whole texts fill a screen, and those of statements repeat values, such as addresses.
"""

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from gcsched.adapters.store_advice import CONNECTION_ADVICE, Advice, add_advice
from gcsched.adapters.store_url import first_clause

AUTHENTICATION_FAILED = 18
NO_PRIMARY = "its set has no primary: look at rs.status(), and at the hosts in {setting}"
MONGO_ADVICE: Advice = (
    ("replica set members available for", "check hosts and replicaSet in {setting}"),
    (r"not ?primary|notwritableprimary|no primary|primary\(\)|available for writes", NO_PRIMARY),
    ("WriteConcern", "a majority of its set is away or behind: look at rs.status()"),
    ("authentication failed", "check user, password and authSource in {setting}"),
    *CONNECTION_ADVICE,
)


def describe_mongo_error(error: Exception) -> str:
    """Say why MongoDB did not confirm or refused, without a value of any document."""
    text = summarize_mongo_error(error)
    return add_advice(text, MONGO_ADVICE, setting="GCSCHED_MONGO_URI", ca="tlsCAFile=…")


def summarize_mongo_error(error: Exception) -> str:
    """Return what the driver or the server says; of statements only the name of their error."""
    if isinstance(error, OperationFailure) and error.code == AUTHENTICATION_FAILED:
        return "Authentication failed"
    if isinstance(error, OperationFailure | BulkWriteError | WriteConcernError):
        details = error.details or {}
        first = [*(details.get("writeConcernErrors") or ()), *(details.get("writeErrors") or ())]
        named = {**details, **(first[0] if first else {})}
        return str(named.get("codeName") or f"error {named.get('code', error.code)}")
    if isinstance(error, ConnectionFailure | ConfigurationError):
        return first_clause(str(error)) or type(error).__name__
    return type(error).__name__ if isinstance(error, PyMongoError) else "an answer of another kind"

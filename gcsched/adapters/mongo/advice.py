"""Error texts for MongoDB: the first clause of the driver's text, and what the operator can check.

The driver's whole texts fill a screen, and those of statements repeat values such as addresses.
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
NO_PRIMARY = "its replica set has no primary: check rs.status() and the hosts in {setting}"
# The first match counts. `{setting}` is filled in by `add_advice`.
MONGO_ADVICE: Advice = (
    ("replica set members available for", "check hosts and replicaSet in {setting}"),
    (r"not ?primary|notwritableprimary|no primary|primary\(\)|available for writes", NO_PRIMARY),
    ("WriteConcern", "a majority of its replica set is away or behind: check rs.status()"),
    ("authentication failed", "check user, password and authSource in {setting}"),
    *CONNECTION_ADVICE,
)


def describe_mongo_error(error: Exception) -> str:
    """Describe why MongoDB did not confirm or refused, without a value of any document."""
    text = summarize_mongo_error(error)
    return add_advice(text, MONGO_ADVICE, setting="GCSCHED_MONGO_URI", ca="tlsCAFile=…")


def summarize_mongo_error(error: Exception) -> str:
    """Return the text of the driver or the server; for a statement only the name of its error."""
    if isinstance(error, OperationFailure) and error.code == AUTHENTICATION_FAILED:
        return "Authentication failed"
    if isinstance(error, OperationFailure | BulkWriteError | WriteConcernError):
        details = error.details or {}
        # A bulk error has the codes of its writes; the first one counts.
        first = [*(details.get("writeConcernErrors") or ()), *(details.get("writeErrors") or ())]
        named = {**details, **(first[0] if first else {})}
        return str(named.get("codeName") or f"error {named.get('code', error.code)}")
    if isinstance(error, ConnectionFailure | ConfigurationError):
        return first_clause(str(error)) or type(error).__name__
    return type(error).__name__ if isinstance(error, PyMongoError) else "an unexpected error"

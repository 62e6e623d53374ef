"""Say why a store is away or refuses: the first clause of its driver's text, and what to look at.

The drivers' whole texts fill a screen, and those of statements repeat values, such as addresses.
"""

import re
from collections.abc import Sequence

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    WriteConcernError,
)
from pymongo.errors import PyMongoError as MongoError
from redis.exceptions import (
    AuthenticationError,
    ExecAbortError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import TimeoutError as RedisSilent

from gcsched.adapters.redis.replies import Nonsense
from gcsched.adapters.store_url import first_clause

Advice = Sequence[tuple[str, str]]

NO_SUCH_HOST = (
    "name or service not known|nodename nor|no address associated|name resolution"
    "|DNS|nameserver|resolution lifetime"
)
NO_TLS = "does that port speak TLS? Check scheme, port and TLS options of {setting}"
SILENT = (
    "is it running, does the network let it through, and do both speak TLS or neither? Check"
    " {setting}"
)
ENDED = "it ended the connection; where that stays, does its port ask for TLS? Check {setting}"
NO_PRIMARY = "its set has no primary: look at rs.status(), and at the hosts in {setting}"
OF_CONNECTIONS: Advice = (
    ("unable to get (local )?issuer|self.signed", "name its authority: {ca} in {setting}"),
    ("hostname mismatch|IP address mismatch", "name it in {setting} as its certificate does"),
    ("certificate has expired", "renew the server's certificate"),
    ("certificate verify failed", "check its certificate, and {ca} in {setting}"),
    ("certificate required|handshake failure", "it asks for a certificate: give one in {setting}"),
    ("unsupported protocol|protocol version", "it speaks other versions of TLS"),
    (r"wrong version number|record layer failure|\bSSL", NO_TLS),
    (NO_SUCH_HOST, "check the host in {setting}, and DNS"),
    ("refused|connect call failed", "is it running? Check host and port in {setting}"),
    ("no such file", "is it running? Check the path in {setting}"),
    ("permission denied", "this user may not use it: mend the rights, or {setting}"),
    ("unreachable|no route", "check host and network of {setting}"),
    ("timed? ?out|no answer", SILENT),
    ("closed|reset by peer|EOF|broken pipe|incomplete", ENDED),
)
OF_MONGODB: Advice = (
    ("replica set members available for", "check hosts and replicaSet in {setting}"),
    (r"not ?primary|notwritableprimary|no primary|primary\(\)|available for writes", NO_PRIMARY),
    ("WriteConcern", "a majority of its set is away or behind: look at rs.status()"),
    ("authentication failed", "check user, password and authSource in {setting}"),
    *OF_CONNECTIONS,
)
OF_REDIS: Advice = (
    ("protected mode", "give it a password, and name that in {setting}"),
    ("DB index|SELECT", "give the number of a database that it has in {setting}, e.g. /0"),
    ("cluster|MOVED|CROSSSLOT", "name one Redis in {setting}, not a cluster"),
    ("without any password|no password is set", "it has no password: leave it out of {setting}"),
    ("Authentication required|NOAUTH", "give its password in {setting}"),
    ("invalid (user|password)", "check user and password in {setting}"),
    ("max number of clients", "raise its maxclients"),
    ("too many connections", "leave max_connections out of {setting}, or raise it"),
    ("NOREPLICAS", "start its replicas, or lower its min-replicas-to-write"),
    ("unknown command", "it is too old, or that command was renamed or switched off there"),
    ("MISCONF", "its disk takes no writes: mend that"),
    *OF_CONNECTIONS,
)
RIGHTS = "~gcsched:* ~arq:*:gcsched:* ~arq:abort +@all -@admin -@dangerous"  # as in README.md
BY_KIND: Sequence[tuple[type[Exception], str]] = (
    (NoPermissionError, f"give its user the keys and commands {RIGHTS}, see {{setting}}"),
    (ReadOnlyError, "it is a replica: name the Redis that takes writes in {setting}"),
    (ExecAbortError, "it refused a part of a transaction: look at its rights, memory and version"),
    (OutOfMemoryError, "its memory is full: free some, or raise its maxmemory"),
)
AUTHENTICATION_FAILED = 18
QUOTED = re.compile(r"""(?<!\w)b?'.*'|"(.*)"|\S*@\S*|\{.*\}|\[.*\]""")
LONGEST_FOREIGN = 80


def mongo_words(error: Exception) -> str:
    """Say why MongoDB did not confirm or refused, without a value of any document."""
    text = mongo_clause(error)
    return with_advice(text, OF_MONGODB, setting="GCSCHED_MONGO_URI", ca="tlsCAFile=…")


def mongo_clause(error: Exception) -> str:
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
    return type(error).__name__ if isinstance(error, MongoError) else "an answer of another kind"


def redis_words(error: BaseException) -> str:
    """Say why Redis did not answer, or how it refused; *error* may be of any library."""
    text = first_clause(str(error))
    if not isinstance(error, RedisAway | RedisSilent | ResponseError | AuthenticationError):
        text = text if isinstance(error, OSError | Nonsense) else masked(text)
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    name, where = "GCSCHED_REDIS_URL", "ssl_ca_certs=…"
    for kind, advice in BY_KIND:
        if isinstance(error, kind):
            return f"{text}: {advice.format(setting=name)}"
    return with_advice(text or type(error).__name__, OF_REDIS, setting=name, ca=where)


def masked(text: str) -> str:
    """Return what a library says without what it quotes, which may be anybody's data."""
    line = QUOTED.sub("…", text)
    return line if len(line) <= LONGEST_FOREIGN else f"{line[:LONGEST_FOREIGN]}…"


def is_refusal(error: BaseException) -> bool:
    """Tell whether Redis answers and does not do it, in contrast to no answer."""
    return isinstance(error, ResponseError | AuthenticationError) and isinstance(error, RedisError)


def with_advice(text: str, advice: Advice, *, setting: str, ca: str) -> str:
    for pattern, what in advice:
        if re.search(pattern, text, re.IGNORECASE):
            return f"{text}: {what.format(setting=setting, ca=ca)}"
    return text

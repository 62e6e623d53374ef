"""Describe why Redis is away or refuses: the first clause of the error, and what to check."""

import re
from collections.abc import Sequence

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

from gcsched.adapters.redis.replies import InvalidReply
from gcsched.adapters.store_advice import CONNECTION_ADVICE, Advice, add_advice
from gcsched.adapters.store_url import first_clause

REDIS_ADVICE: Advice = (
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
    ("MISCONF", "it cannot write to its disk: repair that"),
    *CONNECTION_ADVICE,
)
# As in docs/operations.md.
ACL_RULES = "~gcsched:* ~arq:*:gcsched:* ~arq:abort +@all -@admin -@dangerous"
ADVICE_BY_ERROR: Sequence[tuple[type[Exception], str]] = (
    (NoPermissionError, f"give its user the keys and commands {ACL_RULES}, see {{setting}}"),
    (ReadOnlyError, "it is a replica: name the Redis that takes writes in {setting}"),
    (ExecAbortError, "it refused a part of a transaction: check its rights, memory and version"),
    (OutOfMemoryError, "its memory is full: free some, or raise its maxmemory"),
)
# Quotations, addresses and structures in an error text: a library may repeat data of a job there.
QUOTED = re.compile(r"""(?<!\w)b?'.*'|"(.*)"|\S*@\S*|\{.*\}|\[.*\]""")
MAX_LIBRARY_TEXT = 80


def describe_redis_error(error: BaseException) -> str:
    """Describe why Redis did not answer, or how it refused; *error* may be of any library."""
    text = first_clause(str(error))
    if not isinstance(error, RedisAway | RedisSilent | ResponseError | AuthenticationError):
        text = text if isinstance(error, OSError | InvalidReply) else redact_quoted(text)
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    setting = "GCSCHED_REDIS_URL"
    for kind, advice in ADVICE_BY_ERROR:
        if isinstance(error, kind):
            return f"{text}: {advice.format(setting=setting)}"
    return add_advice(
        text or type(error).__name__, REDIS_ADVICE, setting=setting, ca="ssl_ca_certs=…"
    )


def redact_quoted(text: str) -> str:
    """Return the text of a library's error without its quotations, which may be data of a job."""
    line = QUOTED.sub("…", text)
    return line if len(line) <= MAX_LIBRARY_TEXT else f"{line[:MAX_LIBRARY_TEXT]}…"


def is_refusal(error: BaseException) -> bool:
    """Return whether Redis answered with a refusal; False when it did not answer at all."""
    return isinstance(error, ResponseError | AuthenticationError) and isinstance(error, RedisError)

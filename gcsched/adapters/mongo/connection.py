"""The connection to MongoDB: opened once, with a limit for every wait."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote

import structlog
from beanie import init_beanie
from bson.codec_options import DatetimeConversion
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReadPreference
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
)
from pymongo.write_concern import WriteConcern

from gcsched.adapters.mongo.advice import AUTHENTICATION_FAILED, describe_mongo_error
from gcsched.adapters.mongo.driver_errors import (
    ENCODING_ERRORS,
    LOGIN_REFUSED,
    SENTENCES,
    Problem,
    Refusals,
    classify_error,
)
from gcsched.adapters.mongo.field_checks import INVALID_UTF8_HANDLER
from gcsched.adapters.mongo.index_names import RETIRED_INDEXES
from gcsched.adapters.mongo.job_document import JobDocument
from gcsched.adapters.mongo.meeting_documents import MeetingDocument, MeetingRevisionDocument
from gcsched.adapters.mongo.other_documents import (
    DOCUMENTS,
    AuditDocument,
    HistoryDocument,
    RecipientDocument,
    RunDocument,
    SuppressionDocument,
    UsageDocument,
    list_indexes,
)
from gcsched.adapters.mongo.topology import (
    STANDALONE,
    STANDALONE_RISK,
    WITHOUT_REPLICA_SET,
    DeploymentCheck,
    DeploymentKind,
    classify_hosts,
)
from gcsched.adapters.mongo.uri import SCHEMES, build_seed_uris, parse_options
from gcsched.adapters.mongo.write_failures import WRITE_FAILURES, WriteFailures
from gcsched.adapters.store_url import call_driver, parse_url
from gcsched.errors import SettingsProblems, StoreRefused, StoreUnavailable

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]

DEFAULT_DATABASE = "gcsched"
MALFORMED_URI = (
    "GCSCHED_MONGO_URI is not a connection string that MongoDB's driver accepts: check host,"
    " database and options, and write special characters of user and password as %XX"
)
CHECKING_DEPLOYMENT = "checking the kind of MongoDB deployment"
NOT_PRIMARY = (
    "it accepts no writes, because it is not the primary of its replica set: check rs.status(), and"
    " name all members and replicaSet in GCSCHED_MONGO_URI, without directConnection"
)
WTIMEOUT_MS = 5_000
# The driver's own limits are 20 s and more, or none. A value in the connection string wins.
DEFAULT_OPTIONS = {
    "appname": "gcsched",
    "serverselectiontimeoutms": 3_000,
    "connecttimeoutms": 2_000,
    "sockettimeoutms": 10_000,
    "waitqueuetimeoutms": 5_000,
}


REFUSALS: ContextVar[Refusals | None] = ContextVar("refusals of MongoDB", default=None)
"""Where `store_errors` records refusals; set for every task that starts after `open_mongo`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mongo:
    """The open database and its collections; every write is acknowledged by a majority."""

    database: AsyncIOMotorDatabase[Document]
    jobs: Collection
    recipients: Collection
    suppressions: Collection
    runs: Collection
    usage: Collection
    audit: Collection
    history: Collection
    meetings: Collection
    meeting_revisions: Collection
    uri: str = field(repr=False)
    allow_standalone: bool = False
    has_clients: bool = True  # access is controlled, so that jobs have clients
    refusals: Refusals = field(default_factory=Refusals)
    write_failures: WriteFailures = field(default_factory=WriteFailures)
    deployment_check: DeploymentCheck = field(default_factory=DeploymentCheck)

    @property
    def jobs_without_time_zones(self) -> Collection:
        """The jobs, for reads of many: `decode` attaches UTC in a third of the driver's time."""
        return without_time_zones(self.jobs)

    @property
    def meetings_without_time_zones(self) -> Collection:
        """The meetings, likewise."""
        return without_time_zones(self.meetings)

    async def check_deployment(self) -> None:
        """Refuse a MongoDB that can lose what it confirmed (ADR 0021).

        Raises SettingsProblems for a standalone server that is not allowed, and StoreUnavailable
        for a replica set without a configuration.
        """
        self.deployment_check.start()
        with store_errors(CHECKING_DEPLOYMENT):
            try:
                hello = await self.database.client.admin.command("hello")
                kind, is_seen = classify_hosts([hello]), True
            except ConnectionFailure:
                # The driver ignores a host that is not a member of the named replica set, and waits
                # for a primary. Ask each host alone, to find out what it is.
                kind, is_seen = classify_hosts(await self._hello_each_seed()), False
                if kind is None or kind is DeploymentKind.REPLICATED:
                    raise
        if why := self.deployment_check.describe(kind):
            raise StoreUnavailable(CHECKING_DEPLOYMENT, why=why)
        if kind is DeploymentKind.STANDALONE:
            self._check_standalone(is_seen=is_seen)

    def _check_standalone(self, *, is_seen: bool) -> None:
        if not self.allow_standalone:
            raise SettingsProblems([f"GCSCHED_MONGO_URI cannot be used: {STANDALONE}"])
        if not is_seen:
            raise StoreUnavailable(CHECKING_DEPLOYMENT, why=WITHOUT_REPLICA_SET)
        structlog.get_logger().warning("standalone MongoDB allowed", risk=STANDALONE_RISK)

    async def _hello_each_seed(self) -> list[Document | BaseException]:
        async def hello(uri: str) -> Document:
            client = create_client(uri)
            try:
                reply: Document = await client.admin.command("hello")
                return reply
            finally:
                client.close()

        return await asyncio.gather(*map(hello, build_seed_uris(self.uri)), return_exceptions=True)

    async def prepare(self) -> None:
        """Prepare the models, and create the indexes that MongoDB accepts at once.

        An index that cannot be created does not stop the process from starting: `IndexKeeper`
        creates it later. Safe to run again.
        """
        with store_errors("preparing the database"):
            await init_beanie(
                database=self.database, document_models=list(DOCUMENTS), skip_indexes=True
            )
            await self.runs.find_one({"_id": ""})  # fails here if the user may not read
            for name, models in list_indexes(has_clients=self.has_clients).items():
                with suppress(OperationFailure, NetworkTimeout):  # it conflicts, or takes long
                    await self.database[name].create_indexes(list(models))
            for name in RETIRED_INDEXES:
                with suppress(OperationFailure):  # it is gone, or only costs time
                    await self.jobs.drop_index(name)

    async def ping(self) -> None:
        """Check that MongoDB replies, accepts writes, and is of the kind it was at the start."""
        doing = "checking MongoDB"
        self.deployment_check.start()
        with store_errors(doing):
            hello = await self.database.command("hello")
        kind = classify_hosts([hello])
        if why := self.deployment_check.describe(kind):
            raise StoreUnavailable(doing, why=why)
        if kind is DeploymentKind.STANDALONE and not self.allow_standalone:
            raise StoreRefused(doing, Problem.WRONG_KIND, STANDALONE)
        if not hello.get("isWritablePrimary"):  # true for a mongos as well
            raise StoreUnavailable(doing, why=NOT_PRIMARY)


def without_time_zones(collection: Collection) -> Collection:
    plain = collection.codec_options.with_options(tz_aware=False)
    return collection.with_options(codec_options=plain)


def durable_write_concern() -> WriteConcern:
    """Return the write concern of every write: a majority has it in its journals, or an error."""
    return WriteConcern(w="majority", j=True, wtimeout=WTIMEOUT_MS)


@asynccontextmanager
async def open_mongo(
    uri: str, *, allow_standalone: bool = False, has_clients: bool = True
) -> AsyncIterator[Mongo]:
    """Open the client for *uri*; it connects at the first use.

    *has_clients* says whether access is controlled: the indexes of clients' jobs are needed then.
    """
    client = create_client(uri)
    try:
        database = client.get_default_database(DEFAULT_DATABASE).with_options(
            # A claim must see what was just written, whatever the URI says about secondaries.
            read_preference=ReadPreference.PRIMARY,
            write_concern=durable_write_concern(),
            codec_options=client.codec_options.with_options(
                unicode_decode_error_handler=INVALID_UTF8_HANDLER
            ),
        )
        mongo = Mongo(
            database=database,
            jobs=database[JobDocument.Settings.name],
            recipients=database[RecipientDocument.Settings.name],
            suppressions=database[SuppressionDocument.Settings.name],
            runs=database[RunDocument.Settings.name],
            usage=database[UsageDocument.Settings.name],
            audit=database[AuditDocument.Settings.name],
            history=database[HistoryDocument.Settings.name],
            meetings=database[MeetingDocument.Settings.name],
            meeting_revisions=database[MeetingRevisionDocument.Settings.name],
            uri=uri,
            allow_standalone=allow_standalone,
            has_clients=has_clients,
        )
        REFUSALS.set(mongo.refusals)
        WRITE_FAILURES.set(mongo.write_failures)
        yield mongo
    finally:
        client.close()


def create_client(uri: str) -> AsyncIOMotorClient[Document]:
    """Create the client; raises SettingsProblems if the driver does not accept *uri*."""
    return call_driver(partial(build_client, uri), make_uri_error, driver_error=PyMongoError)


def make_uri_error(error: Exception) -> SettingsProblems:
    """Return an error with only the type of *error*: its text may quote the password."""
    return SettingsProblems([f"{MALFORMED_URI} ({type(error).__name__})"])


def choose_limits(uri: str) -> dict[str, Any]:
    """Return our own limits, except those that *uri* sets. Raises InvalidSetting."""
    options = parse_options(parse_url(uri, SCHEMES))
    # A 0 counts as not set: to the driver it means no limit, or no time at all.
    given = {name.lower() for name, value in options if unquote(value).strip("0")}
    return {name: value for name, value in DEFAULT_OPTIONS.items() if name not in given}


def build_client(uri: str) -> AsyncIOMotorClient[Document]:
    # A date outside Python's range must not fail a read of many documents: it is clamped here, and
    # the codec refuses that document alone.
    clamped = DatetimeConversion.DATETIME_CLAMP
    return AsyncIOMotorClient(
        uri,
        tz_aware=True,
        datetime_conversion=clamped,
        # The same for octets that are not UTF-8, which another program may store. `open_mongo` sets
        # our own handler for documents; the client itself does not accept one.
        unicode_decode_error_handler="replace",
        **choose_limits(uri),
    )


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Translate the driver's errors; *doing* names the attempt in the error text.

    They become StoreUnavailable if MongoDB did not confirm in time, and StoreRefused if it refused.
    """
    try:
        yield
    except (PyMongoError, *ENCODING_ERRORS) as error:
        if (problem := classify_error(error)) is None:
            raise StoreUnavailable(doing, why=describe_mongo_error(error)) from error
        raise record_refusal(doing, problem, error) from error


def record_refusal(doing: str, problem: Problem, cause: Exception) -> StoreRefused:
    """Return the error for a refusal, and record it for /readyz and the log."""
    is_login = getattr(cause, "code", None) == AUTHENTICATION_FAILED
    sentence = LOGIN_REFUSED if is_login else SENTENCES[problem]
    if isinstance(cause, ConfigurationError) and problem is Problem.OTHER:
        sentence = describe_mongo_error(cause)
    error = StoreRefused(doing, problem, sentence)
    if (refusals := REFUSALS.get()) is not None:
        refusals.record(error, doing, cause)
    return error

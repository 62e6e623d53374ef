"""The connection to MongoDB: opened once, patient at the start, every wait limited."""

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
from gcsched.adapters.mongo.documents import (
    DOCUMENTS,
    INDEXES,
    RETIRED_INDEXES,
    JobDocument,
    RecipientDocument,
    RunDocument,
    SuppressionDocument,
)
from gcsched.adapters.mongo.driver_errors import (
    ENCODING_ERRORS,
    LOGIN_REFUSED,
    SENTENCES,
    Problem,
    Refusals,
    classify_error,
)
from gcsched.adapters.mongo.field_checks import INVALID_UTF8_HANDLER
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
    "GCSCHED_MONGO_URI is no connection string that MongoDB's driver takes: check host, database"
    " and options, and write special characters of user and password as %XX"
)
CHECKING_DEPLOYMENT = "asking what MongoDB is"
NOT_PRIMARY = (
    "it takes no writes, because it is not the primary of its set: look at rs.status(), and name"
    " all members and replicaSet in GCSCHED_MONGO_URI, without directConnection"
)
WTIMEOUT_MS = 5_000
DEFAULT_OPTIONS = {  # a value in the connection string wins
    "appname": "gcsched",
    "serverselectiontimeoutms": 3_000,
    "connecttimeoutms": 2_000,
    "sockettimeoutms": 10_000,
    "waitqueuetimeoutms": 5_000,
}


REFUSALS: ContextVar[Refusals | None] = ContextVar("refusals of MongoDB", default=None)
"""Where `store_errors` notes what MongoDB refuses: set for all that is begun after `open_mongo`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mongo:
    """The open database and its collections; every write is acknowledged by a majority."""

    database: AsyncIOMotorDatabase[Document]
    jobs: Collection
    recipients: Collection
    suppressions: Collection
    runs: Collection
    uri: str = field(repr=False)
    allow_standalone: bool = False
    refusals: Refusals = field(default_factory=Refusals)
    write_failures: WriteFailures = field(default_factory=WriteFailures)
    deployment_check: DeploymentCheck = field(default_factory=DeploymentCheck)

    async def check_deployment(self) -> None:
        """Refuse a MongoDB that cannot keep what it confirmed.

        Raises SettingsProblems at a standalone one that is not allowed, StoreUnavailable at one
        without a configuration.
        """
        self.deployment_check.start()
        with store_errors(CHECKING_DEPLOYMENT):
            try:
                answer = await self.database.client.admin.command("hello")
                kind, is_seen = classify_hosts([answer]), True
            except ConnectionFailure:
                # The driver leaves out a host that is no member of a set, or waits for its primary.
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
                answer: Document = await client.admin.command("hello")
                return answer
            finally:
                client.close()

        return await asyncio.gather(*map(hello, build_seed_uris(self.uri)), return_exceptions=True)

    async def prepare(self) -> None:
        """Prepare the models, and the indexes as far as MongoDB takes them at once.

        What stands in the way of an index keeps no process from starting: `MongoIndexes` looks
        after it from then on. Running it again is harmless.
        """
        with store_errors("preparing the database"):
            await init_beanie(
                database=self.database, document_models=list(DOCUMENTS), skip_indexes=True
            )
            await self.runs.find_one({"_id": ""})  # a user without rights must not begin to serve
            for name, models in INDEXES.items():
                with suppress(OperationFailure, NetworkTimeout):  # in the way, or long to build
                    await self.database[name].create_indexes(list(models))
            for name in RETIRED_INDEXES:
                with suppress(OperationFailure):  # it is gone, or does no harm but costs time
                    await self.jobs.drop_index(name)

    async def ping(self) -> None:
        """Look whether it answers, takes writes, and still is what it was at the start."""
        doing = "looking for MongoDB"
        self.deployment_check.start()
        with store_errors(doing):
            hello = await self.database.command("hello")
        kind = classify_hosts([hello])
        if why := self.deployment_check.describe(kind):
            raise StoreUnavailable(doing, why=why)
        if kind is DeploymentKind.STANDALONE and not self.allow_standalone:
            raise StoreRefused(doing, Problem.WRONG_KIND, STANDALONE)
        if not hello.get("isWritablePrimary"):  # a mongos says that it is one
            raise StoreUnavailable(doing, why=NOT_PRIMARY)


def durable_write_concern() -> WriteConcern:
    """Acknowledged by a majority and in their journals, or an error after a while."""
    return WriteConcern(w="majority", j=True, wtimeout=WTIMEOUT_MS)


@asynccontextmanager
async def open_mongo(uri: str, *, allow_standalone: bool = False) -> AsyncIterator[Mongo]:
    """Open the client for *uri*; nothing is sent until the first use."""
    client = create_client(uri)
    try:
        database = client.get_default_database(DEFAULT_DATABASE).with_options(
            # A claim must see what was just written, whatever the string says of secondaries.
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
            uri=uri,
            allow_standalone=allow_standalone,
        )
        REFUSALS.set(mongo.refusals)
        WRITE_FAILURES.set(mongo.write_failures)
        yield mongo
    finally:
        client.close()


def create_client(uri: str) -> AsyncIOMotorClient[Document]:
    """Make the client; raises SettingsProblems when *uri* is none that the driver takes."""
    return call_driver(partial(build_client, uri), make_uri_error, driver_error=PyMongoError)


def make_uri_error(error: Exception) -> SettingsProblems:
    """Name no more than the kind of *error*: the driver's words may quote the password."""
    return SettingsProblems([f"{MALFORMED_URI} ({type(error).__name__})"])


def choose_limits(uri: str) -> dict[str, Any]:
    """Return our own limits, but for those that *uri* sets. Raises Contradiction."""
    options = parse_options(parse_url(uri, SCHEMES))
    # To the driver 0 means no limit at all, or no time at all.
    said = {name.lower() for name, value in options if unquote(value).strip("0")}
    return {name: value for name, value in DEFAULT_OPTIONS.items() if name not in said}


def build_client(uri: str) -> AsyncIOMotorClient[Document]:
    # A date that Python does not know must not stop those who read it together with others.
    clamped = DatetimeConversion.DATETIME_CLAMP
    return AsyncIOMotorClient(
        uri,
        tz_aware=True,
        datetime_conversion=clamped,
        # Nor must octets that are no text, which another program may store. `open_mongo`
        # sets a handler of ours for documents, which the client itself does not take.
        unicode_decode_error_handler="replace",
        **choose_limits(uri),
    )


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Translate the driver's errors.

    They become StoreUnavailable where MongoDB did not confirm in time, and StoreRefused where it
    answers that it does not do it.
    """
    try:
        yield
    except (PyMongoError, *ENCODING_ERRORS) as error:
        if (problem := classify_error(error)) is None:
            raise StoreUnavailable(doing, why=describe_mongo_error(error)) from error
        raise record_refusal(doing, problem, error) from error


def record_refusal(doing: str, problem: Problem, cause: Exception) -> StoreRefused:
    """Make the error that tells a refusal, and note it where operators see it."""
    is_login = getattr(cause, "code", None) == AUTHENTICATION_FAILED
    sentence = LOGIN_REFUSED if is_login else SENTENCES[problem]
    if isinstance(cause, ConfigurationError) and problem is Problem.OTHER:
        sentence = describe_mongo_error(cause)
    error = StoreRefused(doing, problem, sentence)
    if (refusals := REFUSALS.get()) is not None:
        refusals.record(error, doing, cause)
    return error

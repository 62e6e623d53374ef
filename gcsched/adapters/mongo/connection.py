"""The connection to MongoDB: opened once, patient at the start, every wait limited."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from beanie import init_beanie
from bson.codec_options import DatetimeConversion
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ReadPreference
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError
from pymongo.write_concern import WriteConcern

from gcsched.adapters.mongo.documents import (
    DOCUMENTS,
    RETIRED,
    JobDocument,
    RecipientDocument,
    RunDocument,
    SuppressionDocument,
)
from gcsched.errors import SettingsProblems, StoreUnavailable

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]

DEFAULT_DATABASE = "gcsched"
MALFORMED = (
    "GCSCHED_MONGO_URI is no connection string that MongoDB's driver takes: check host, database"
    " and options, and write special characters of user and password as %XX"
)
WTIMEOUT_MS = 5_000
INDEX_NOT_FOUND = 27
OPTIONS = {  # a value in the connection string wins
    "appname": "gcsched",
    "serverselectiontimeoutms": 3_000,
    "connecttimeoutms": 2_000,
    "sockettimeoutms": 10_000,
    "waitqueuetimeoutms": 5_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mongo:
    """The open database and its collections; every write is acknowledged by a majority."""

    database: AsyncIOMotorDatabase[Document]
    jobs: Collection
    recipients: Collection
    suppressions: Collection
    runs: Collection

    async def prepare(self) -> None:
        """Create collections and indexes where they are missing; running it again is harmless."""
        with store_errors("preparing the database"):
            await init_beanie(database=self.database, document_models=list(DOCUMENTS))
            for name in RETIRED:
                await self._drop_index(name)

    async def _drop_index(self, name: str) -> None:
        try:
            await self.jobs.drop_index(name)
        except OperationFailure as error:
            if error.code != INDEX_NOT_FOUND:
                raise

    async def ping(self) -> None:
        with store_errors("looking for MongoDB"):
            await self.database.command("ping")


def durable() -> WriteConcern:
    """Acknowledged by a majority and in their journals, or an error after a while."""
    return WriteConcern(w="majority", j=True, wtimeout=WTIMEOUT_MS)


@asynccontextmanager
async def open_mongo(uri: str) -> AsyncIterator[Mongo]:
    """Open the client for *uri*; nothing is sent until the first use."""
    client = client_for(uri)
    try:
        database = client.get_default_database(DEFAULT_DATABASE).with_options(
            # A claim must see what was just written, whatever the string says of secondaries.
            read_preference=ReadPreference.PRIMARY,
            write_concern=durable(),
        )
        yield Mongo(
            database=database,
            jobs=database[JobDocument.Settings.name],
            recipients=database[RecipientDocument.Settings.name],
            suppressions=database[SuppressionDocument.Settings.name],
            runs=database[RunDocument.Settings.name],
        )
    finally:
        client.close()


def client_for(uri: str) -> AsyncIOMotorClient[Document]:
    """Make the client; raises SettingsProblems when *uri* is none that the driver takes."""
    said = {name.lower() for name, _ in parse_qsl(urlsplit(uri).query)}
    ours: dict[str, Any] = {name: value for name, value in OPTIONS.items() if name not in said}
    try:
        # A date that Python does not know must not stop those who read it together with others.
        clamped = DatetimeConversion.DATETIME_CLAMP
        return AsyncIOMotorClient(uri, tz_aware=True, datetime_conversion=clamped, **ours)
    except (ConfigurationError, OSError, ValueError) as error:
        # The driver's own words may quote the password.
        raise SettingsProblems([f"{MALFORMED} ({type(error).__name__})"]) from error


@contextmanager
def store_errors(doing: str) -> Iterator[None]:
    """Translate the driver's errors: to a caller they all mean that nothing was confirmed."""
    try:
        yield
    except PyMongoError as error:
        raise StoreUnavailable(doing) from error

"""What `Mongo.prepare` does for a process, without what it does for the database."""

from beanie import init_beanie
from motor.motor_asyncio import AsyncIOMotorDatabase

from gcsched.adapters.mongo.connection import Document
from gcsched.adapters.mongo.job_document import JobDocument


async def bind_models(database: AsyncIOMotorDatabase[Document]) -> None:
    """Bind to *database*, which has its indexes, the one model that the adapters use."""
    await init_beanie(database=database, document_models=[JobDocument], skip_indexes=True)

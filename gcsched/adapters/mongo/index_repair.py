"""Checks and repairs the indexes that MongoDB has now: all of `INDEXES` must exist (ADR 0019)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson.son import SON
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.driver_errors import Problem, classify_error
from gcsched.adapters.mongo.other_documents import INDEXES, list_indexes
from gcsched.usecases.ports import IndexFault, IndexProblem

NO_COLLECTION = 26
UNKNOWN_OPTION = frozenset({9, 72, 40415})
QUERY_TIMEOUT_MS = 8_000  # below the socket timeout of 10 s
MAX_NAMED, MAX_COUNTED = 10, 1_000

Specification = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoIndexes:
    """The port `Indexes` on MongoDB."""

    mongo: Mongo

    async def check(self) -> list[IndexProblem]:
        """Return the indexes that are missing, hidden, being built, or other than ours."""
        problems: list[IndexProblem] = []
        with store_errors("looking at the indexes"):
            indexes = list_indexes(has_clients=self.mongo.has_clients)
            for collection, models in indexes.items():
                existing = await self._read_indexes(collection)
                problems += (
                    problem
                    for model in models
                    if (problem := find_index_problem(collection, model.document, existing))
                    is not None
                )
        return problems

    async def _read_indexes(self, collection: str) -> dict[str, Specification]:
        """Return name → specification; one that is being built has the key "building"."""
        # The driver's own `list_indexes` cannot ask for builds: an index that is being built would
        # look complete, and uniqueness is not enforced yet.
        try:
            reply = await self._list_indexes(collection, includeBuildUUIDs=True)
        except OperationFailure as error:
            if error.code == NO_COLLECTION:
                return {}
            if error.code not in UNKNOWN_OPTION:
                raise
            reply = await self._list_indexes(collection)
        found = reply["cursor"]["firstBatch"]  # holds 101; a collection has 64 indexes at most
        specifications = [
            {**each["spec"], "building": True} if "spec" in each else each for each in found
        ]
        if any("collation" in each for each in specifications):
            default = await self._find_default_collation(collection)
            specifications = [drop_default_collation(default, each) for each in specifications]
        return {each["name"]: each for each in specifications}

    async def _find_default_collation(self, collection: str) -> Specification | None:
        """Return the collation of every index that was created in *collection* without its own."""
        command = SON([("listCollections", 1), ("filter", {"name": collection})])
        reply = await self.mongo.database.command(command)
        options = [each.get("options", {}) for each in reply["cursor"]["firstBatch"]]
        return next((each.get("collation") for each in options), None)

    async def _list_indexes(self, collection: str, **options: Any) -> Document:
        command = SON([("listIndexes", collection), ("cursor", {}), *options.items()])
        return dict(await self.mongo.database.command(command))

    async def create(self, problem: IndexProblem) -> IndexProblem | None:
        """Create the index of *problem*, or unhide it; return the problem if that is not possible.

        Raises StoreUnavailable. The server may go on building the index then: check again.
        """
        model = find_model(problem)
        with store_errors("creating an index"):
            try:
                await self._create(problem, model)
            except DuplicateKeyError:
                why = await self._describe_duplicates(problem.collection, model)
                return problem.with_fault(IndexFault.DUPLICATES, why)
            except OperationFailure as error:
                if classify_error(error) not in {Problem.INDEX, Problem.PERMISSION}:
                    raise
                return problem.with_fault(
                    problem.fault, f"{error.code}: {describe_conflict(error)}"
                )
        return None

    async def _create(self, problem: IndexProblem, model: IndexModel) -> None:
        if problem.fault is IndexFault.HIDDEN:
            visible = {"name": problem.name, "hidden": False}
            await self.mongo.database.command("collMod", problem.collection, index=visible)
        else:
            await self.mongo.database[problem.collection].create_indexes([model])

    async def _describe_duplicates(self, collection: str, model: IndexModel) -> str:
        """Describe what shares a key of a unique index: ten pairs of ids, never a key."""
        specification = model.document
        fields = list(specification["key"])
        key = {each: f"${each}" for each in fields}
        found = self.mongo.database[collection].aggregate(
            [
                # Only the documents that the index would hold can conflict.
                {"$match": specification.get("partialFilterExpression", {})},
                {"$group": {"_id": key, "n": {"$sum": 1}, "first": {"$min": "$_id"}, "last": LAST}},
                {"$match": {"n": {"$gt": 1}}},
                {"$limit": MAX_COUNTED},
            ],
            allowDiskUse=True,  # without the index, the groups of all jobs may not fit in memory
            maxTimeMS=QUERY_TIMEOUT_MS,
        )
        try:
            pairs = [(each["first"], each["last"]) async for each in found]
        except PyMongoError as error:
            how = "took too long" if error.timeout else "failed"
            named = " and ".join(fields)
            return f"several {collection} have the same {named}, but the search for them {how}"
        count = f"{len(pairs)}{' or more' if len(pairs) == MAX_COUNTED else ''}"
        named = ", ".join(f"{first} and {last}" for first, last in pairs[:MAX_NAMED])
        advice = f"remove the {fields[0]} of one"
        if collection == self.mongo.jobs.name:
            advice = f"cancel one that waits, or {advice} that has ended"
        values = f"{count} values of {' and '.join(fields)}"
        return f"{values} belong to several {collection}: {named}; of each pair, {advice}"


LAST = {"$max": "$_id"}


def find_model(problem: IndexProblem) -> IndexModel:
    models: Iterator[IndexModel] = iter(INDEXES[problem.collection])
    return next(model for model in models if model.document["name"] == problem.name)


def describe_conflict(error: OperationFailure) -> str:
    """Describe why MongoDB does not create an index."""
    if classify_error(error) is Problem.PERMISSION:
        return (
            "the user of GCSCHED_MONGO_URI may not create it: create it by hand, or give it dbAdmin"
        )
    return "another index has its name or its keys: drop that one; this one is created then"


def find_index_problem(
    collection: str, expected: Specification, existing: Mapping[str, Specification]
) -> IndexProblem | None:
    """Return the problem of one index; None if it is as *expected*."""
    found = existing.get(expected["name"])
    if found is None:
        fault, why = IndexFault.MISSING, ""
    elif found.get("building"):
        fault, why = IndexFault.BUILDING, ""
    elif index_shape(found) != index_shape(expected):
        why = "another program has changed it: drop it; it is created again then"
        fault = IndexFault.DIFFERENT
    elif found.get("hidden"):
        fault, why = IndexFault.HIDDEN, ""
    else:
        return None
    return IndexProblem(
        collection=collection,
        name=expected["name"],
        is_unique=bool(expected.get("unique")),
        fault=fault,
        reason=why,
    )


def drop_default_collation(collation: Specification | None, index: Specification) -> Specification:
    """Return *index* without its collation if that is the default of the collection."""
    if index.get("collation") != collation:
        return index
    return {name: value for name, value in index.items() if name != "collation"}


def index_shape(index: Specification) -> tuple[object, ...]:
    """Return what makes two indexes equal: the keys in order, and which documents they hold."""
    return (
        [
            # mongosh stores 1 as the double 1.0.
            (name, float(direction) if is_number(direction) else direction)
            for name, direction in index["key"].items()
        ],
        bool(index.get("unique")),
        bool(index.get("sparse")),
        index.get("partialFilterExpression"),
        index.get("expireAfterSeconds"),
        index.get("collation"),
    )


def is_number(value: object) -> bool:
    return isinstance(value, int | float)

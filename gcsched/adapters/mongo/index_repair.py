"""The indexes as MongoDB has them: which differ from ours, make them, and what prevents it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson.son import SON
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import INDEXES
from gcsched.adapters.mongo.driver_errors import Problem, classify_error
from gcsched.usecases.ports import IndexFault, IndexProblem

NO_COLLECTION = 26
UNKNOWN_OPTION = frozenset({9, 72, 40415})
QUERY_TIMEOUT_MS = 8_000
MAX_NAMED, MAX_COUNTED = 10, 1_000

Specification = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoIndexes:
    mongo: Mongo

    async def check(self) -> list[IndexProblem]:
        """Return what is wrong with the indexes now: missing, hidden, other than ours, unready."""
        troubles: list[IndexProblem] = []
        with store_errors("looking at the indexes"):
            for collection, models in INDEXES.items():
                there = await self._read_indexes(collection)
                troubles += (
                    trouble
                    for model in models
                    if (trouble := find_index_problem(collection, model.document, there))
                    is not None
                )
        return troubles

    async def _read_indexes(self, collection: str) -> dict[str, Specification]:
        """Return name → specification; those that are being built have a "building"."""
        try:
            answer = await self._list_indexes(collection, includeBuildUUIDs=True)
        except OperationFailure as error:
            if error.code == NO_COLLECTION:
                return {}
            if error.code not in UNKNOWN_OPTION:
                raise
            answer = await self._list_indexes(collection)
        found = answer["cursor"]["firstBatch"]  # 101 fit, and a collection has 64 at most
        specifications = [
            {**each["spec"], "building": True} if "spec" in each else each for each in found
        ]
        if any("collation" in each for each in specifications):
            default = await self._find_default_collation(collection)
            specifications = [drop_default_collation(default, each) for each in specifications]
        return {each["name"]: each for each in specifications}

    async def _find_default_collation(self, collection: str) -> Specification | None:
        """Return what every index of *collection* has that was made without a collation."""
        command = SON([("listCollections", 1), ("filter", {"name": collection})])
        answer = await self.mongo.database.command(command)
        options = [each.get("options", {}) for each in answer["cursor"]["firstBatch"]]
        return next((each.get("collation") for each in options), None)

    async def _list_indexes(self, collection: str, **options: Any) -> Document:
        command = SON([("listIndexes", collection), ("cursor", {}), *options.items()])
        return dict(await self.mongo.database.command(command))

    async def create(self, problem: IndexProblem) -> IndexProblem | None:
        """Make the index of *problem*, or show it again; return what stands in the way.

        Raises StoreUnavailable: it may be built on the server meanwhile, which a look tells.
        """
        model = find_model(problem)
        with store_errors("making an index"):
            try:
                await self._create(problem, model)
            except DuplicateKeyError:
                return problem.with_fault(
                    IndexFault.DUPLICATES, await self._describe_duplicates(model)
                )
            except OperationFailure as error:
                if classify_error(error) not in {Problem.INDEX, Problem.PERMISSION}:
                    raise
                return problem.with_fault(
                    problem.fault, f"{error.code}: {describe_conflict(error)}"
                )
        return None

    async def _create(self, trouble: IndexProblem, model: IndexModel) -> None:
        if trouble.fault is IndexFault.HIDDEN:
            shown = {"name": trouble.name, "hidden": False}
            await self.mongo.database.command("collMod", trouble.collection, index=shown)
        else:
            await self.mongo.database[trouble.collection].create_indexes([model])

    async def _describe_duplicates(self, model: IndexModel) -> str:
        """Name ten jobs that share a key of a unique index; no key is told, no address."""
        wanted = model.document
        (field, *_) = wanted["key"]
        key = f"${field}"
        found = self.mongo.jobs.aggregate(
            [
                {"$match": wanted.get("partialFilterExpression", {})},
                {"$group": {"_id": key, "n": {"$sum": 1}, "first": {"$min": "$_id"}, "last": LAST}},
                {"$match": {"n": {"$gt": 1}}},
                {"$limit": MAX_COUNTED},
            ],
            allowDiskUse=True,
            maxTimeMS=QUERY_TIMEOUT_MS,
        )
        try:
            pairs = [(each["first"], each["last"]) async for each in found]
        except PyMongoError as error:
            return f"several jobs have the same {field}; which, was not found ({error.timeout=})"
        count = f"{len(pairs)}{' or more' if len(pairs) == MAX_COUNTED else ''}"
        named = ", ".join(f"{first} and {last}" for first, last in pairs[:MAX_NAMED])
        return (
            f"{count} values of {field} belong to several jobs: {named}; cancel all but one of each"
            f" that wait, or take the {field} from those that have ended"
        )


LAST = {"$max": "$_id"}


def find_model(trouble: IndexProblem) -> IndexModel:
    models: Iterator[IndexModel] = iter(INDEXES[trouble.collection])
    return next(model for model in models if model.document["name"] == trouble.name)


def describe_conflict(error: OperationFailure) -> str:
    """Say in our words why MongoDB does not make an index."""
    if classify_error(error) is Problem.PERMISSION:
        return "the user of GCSCHED_MONGO_URI may not make it: make it by hand, or give it dbAdmin"
    return "another index has its name or its keys: drop that one, and this one is made by itself"


def find_index_problem(
    collection: str, wanted: Specification, there: Mapping[str, Specification]
) -> IndexProblem | None:
    """Return what is wrong with one index; None when it is as *wanted*."""
    found = there.get(wanted["name"])
    if found is None:
        fault, why = IndexFault.MISSING, ""
    elif found.get("building"):
        fault, why = IndexFault.BUILDING, ""
    elif index_shape(found) != index_shape(wanted):
        why = "another program has changed it: drop it, and it is made anew by itself"
        fault = IndexFault.DIFFERENT
    elif found.get("hidden"):
        fault, why = IndexFault.HIDDEN, ""
    else:
        return None
    return IndexProblem(
        collection=collection,
        name=wanted["name"],
        is_unique=bool(wanted.get("unique")),
        fault=fault,
        reason=why,
    )


def drop_default_collation(collation: Specification | None, index: Specification) -> Specification:
    """Return *index* without its collation where that is the collection's own."""
    if index.get("collation") != collation:
        return index
    return {name: value for name, value in index.items() if name != "collation"}


def index_shape(index: Specification) -> tuple[object, ...]:
    """Return what makes an index this one: keys in order, and what they hold."""
    return (
        [
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

"""docs/architecture.md draws what the code does: states, collections, indexes, subsystems."""

import re

from gcsched.adapters.mongo.job_document import JobDocument
from gcsched.adapters.mongo.other_documents import INDEXES
from gcsched.domain.job import NEXT, State
from tests.support.prose import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def transitions() -> set[tuple[str, str]]:
    diagram = PAGE.partition("stateDiagram-v2")[2].partition("```")[0]
    return set(re.findall(r"^ *(\S+) --> (\S+?)(?::.*)?$", diagram, re.MULTILINE))


def test_the_diagram_draws_each_transition_that_a_job_may_make_and_no_other() -> None:
    allowed = {(str(state), str(after)) for state, reached in NEXT.items() for after in reached}

    drawn = {pair for pair in transitions() if "[*]" not in pair}

    assert drawn == allowed


def test_the_diagram_begins_where_jobs_begin_and_ends_where_nothing_follows() -> None:
    first = {after for before, after in transitions() if before == "[*]"}
    last = {before for before, after in transitions() if after == "[*]"}

    assert first == {State.QUEUED, State.SCHEDULED}
    assert last == {state for state, reached in NEXT.items() if not reached}


def test_each_state_has_its_meaning() -> None:
    table = PAGE.partition("| state | means |")[2].partition("\n\n")[0]

    assert set(re.findall(r"^\| ([A-Z]+) \| \S", table, re.MULTILINE)) == set(State)


def test_each_index_of_the_jobs_is_explained_with_its_keys() -> None:
    table = PAGE.partition("| index of `jobs` |")[2].partition("\n\n")[0]
    explained = dict(re.findall(r"^\| `(\w+)` \| ([\w., ]+)[,;|]", table, re.MULTILINE))

    declared = {
        index.document["name"]: list(index.document["key"])
        for index in INDEXES[JobDocument.Settings.name]
    }

    assert explained.keys() == declared.keys()
    for name, keys in declared.items():
        assert [key.strip() for key in explained[name].split(",")][: len(keys)] == keys, name


def test_each_collection_is_named() -> None:
    table = PAGE.partition("| collection |")[2].partition("\n\n")[0]

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {*INDEXES, "runs"}


def test_each_key_of_redis_is_named() -> None:
    table = PAGE.partition("| key | holds |")[2].partition("\n\n")[0]
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "gcsched" / "adapters" / "redis").glob("*.py"))
    )
    prefixes = set(re.findall(r'"(gcsched:(?!wake|sweep|daily|probe)\w+)"', code))

    assert prefixes, "the code names no key any more"
    assert {prefix for prefix in prefixes if prefix not in table} == set()

"""Whether calls should come here, decided from the problems of dependencies."""

import pytest

from gcsched.web.readiness import Dependency, Readiness


def a_readiness(*, mongodb: str | None = None, redis: str | None = None) -> Readiness:
    readiness = Readiness()
    readiness.set_dependencies(
        Dependency(name="mongodb", problem=lambda: mongodb, is_needed=True),
        Dependency(name="redis", problem=lambda: redis),
    )
    return readiness


@pytest.mark.parametrize(
    ("mongodb", "redis", "status", "is_ready"),
    [
        (None, None, "ready", True),
        (None, "away", "degraded", True),
        ("away", None, "unavailable", False),
        ("away", "away", "unavailable", False),
    ],
)
def test_only_a_needed_dependency_keeps_calls_away(
    mongodb: str | None, redis: str | None, status: str, *, is_ready: bool
) -> None:
    report = a_readiness(mongodb=mongodb, redis=redis).report()

    assert (report.status, report.is_ready) == (status, is_ready)
    assert report.dependencies == {"mongodb": mongodb or "ok", "redis": redis or "ok"}


def test_the_reason_names_all_that_is_wrong() -> None:
    assert a_readiness().report().reason is None
    assert a_readiness(mongodb="m", redis="r").report().reason == "mongodb m; redis r"


def test_before_the_start_readiness_waits() -> None:
    report = Readiness().report()

    assert (report.status, report.is_ready) == ("starting", False)
    assert report.dependencies == {"mongodb": "waiting for MongoDB"}


def test_calls_are_accepted_from_serving_until_stopping_whatever_is_away() -> None:
    readiness = a_readiness(mongodb="away", redis="away")
    assert readiness.why_not_serving() == "the service does not serve yet"

    readiness.mark_serving()
    assert readiness.why_not_serving() is None
    assert not readiness.report().is_ready

    readiness.mark_stopping()
    assert readiness.why_not_serving() == "the service is stopping"


def test_an_isolated_process_accepts_no_calls() -> None:
    why: list[str | None] = ["another reaches it"]
    readiness = a_readiness(mongodb="away")
    readiness.set_isolation_check(lambda: why[0])
    assert readiness.why_not_serving() == "the service does not serve yet"

    readiness.mark_serving()
    assert readiness.why_not_serving() == "another reaches it"

    why[0] = None
    assert readiness.why_not_serving() is None


def test_a_process_whose_task_has_ended_accepts_no_calls() -> None:
    readiness = a_readiness()
    readiness.mark_serving()
    readiness.mark_failed("part sweep ended: it returned")

    assert readiness.why_not_serving() == "part sweep ended: it returned"


def test_stopping_outweighs_everything() -> None:
    readiness = a_readiness(redis="away")
    readiness.mark_stopping()

    assert (readiness.report().status, readiness.report().is_ready) == ("stopping", False)

import pytest

from gcsched.domain.checks import Checks
from gcsched.errors import InvalidRequest, Violation

BAD = Violation("empid", "is empty")


def test_what_is_good_is_taken_as_it_is() -> None:
    checks = Checks()

    assert checks.taken(5, otherwise=0) == 5
    checks.finish()


def test_all_that_is_wrong_is_told_at_once_in_order() -> None:
    checks = Checks()
    another = Violation("emailID", "is no address")

    assert checks.taken(BAD, otherwise="") == ""
    checks.add([another])

    with pytest.raises(InvalidRequest) as caught:
        checks.finish()
    assert caught.value.violations == [BAD, another]

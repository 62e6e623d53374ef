import pytest

from gcsched.domain.checks import Checked, checked, sound
from gcsched.errors import InvalidRequest, Violation

BAD = Violation("empid", "is empty")
ANOTHER = Violation("emailID", "is no address")


def empty() -> Checked[str]:
    yield BAD
    return ""


def no_address() -> Checked[None]:
    yield ANOTHER


def several() -> Checked[tuple[str, int]]:
    empid = yield from empty()
    yield from no_address()
    number = yield from sound(5)
    return empid, number


def test_what_is_good_is_taken_as_it_is() -> None:
    assert checked(sound(5)) == 5


def test_all_that_is_wrong_is_told_at_once_in_order() -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked(several())

    assert caught.value.violations == [BAD, ANOTHER]


def test_a_check_goes_on_with_what_stands_for_a_bad_value() -> None:
    reading = several()

    assert list(reading) == [BAD, ANOTHER]
    with pytest.raises(StopIteration):
        next(reading)

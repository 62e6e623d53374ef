import pytest

from tests.support.collection_order import LONGEST_FILES, ROOT


@pytest.mark.parametrize("name", LONGEST_FILES)
def test_the_files_that_come_first_are_there(name: str) -> None:
    assert (ROOT / name).is_file()

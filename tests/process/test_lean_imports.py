import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gcsched.process.lean_imports import hide_package, postpone_import

NAME = "package_of_this_test"


@pytest.fixture
def loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Offer a package to import; the list gets an item each time that it is loaded."""
    (tmp_path / NAME).mkdir()
    code = f"from {NAME}_loads import LOADS\nLOADS.append(__name__)\nVALUE = 7\n"
    (tmp_path / NAME / "__init__.py").write_text(code, encoding="utf-8")
    (tmp_path / f"{NAME}_loads.py").write_text("LOADS = []\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(f"{NAME}_loads").LOADS
    for name in (NAME, f"{NAME}_loads"):
        sys.modules.pop(name, None)


def test_a_hidden_package_cannot_be_imported_until_the_block_ends(loads: list[str]) -> None:
    with hide_package(NAME), pytest.raises(ModuleNotFoundError) as error:
        importlib.import_module(NAME)

    assert error.value.name == NAME
    assert importlib.import_module(NAME).VALUE == 7
    assert loads == [NAME]


def test_other_packages_can_be_imported_while_one_is_hidden(loads: list[str]) -> None:
    with hide_package("another_package"):
        importlib.import_module(NAME)

    assert loads == [NAME]


def test_a_postponed_module_is_loaded_at_its_first_use_and_once(loads: list[str]) -> None:
    with postpone_import(NAME):
        module = importlib.import_module(NAME)
    before = list(loads)

    assert (module.VALUE, module.VALUE) == (7, 7)

    assert (before, loads) == ([], [NAME])
    assert importlib.import_module(NAME).VALUE == 7
    assert loads == [NAME]


def test_a_postponed_module_may_be_used_in_the_block(loads: list[str]) -> None:
    with postpone_import(NAME):
        assert importlib.import_module(NAME).VALUE == 7

    assert importlib.import_module(NAME) is sys.modules[NAME]
    assert loads == [NAME]


def test_after_the_block_an_import_finds_the_real_module(loads: list[str]) -> None:
    with postpone_import(NAME):
        importlib.import_module(NAME)

    assert "VALUE" in vars(importlib.import_module(NAME))
    assert loads == [NAME]


def test_a_module_that_is_imported_already_stays(loads: list[str]) -> None:
    real = importlib.import_module(NAME)

    with hide_package(NAME), postpone_import(NAME):
        assert importlib.import_module(NAME) is real

    assert sys.modules[NAME] is real
    assert loads == [NAME]


def test_a_use_of_what_a_postponed_module_lacks_is_its_own_error(loads: list[str]) -> None:
    with postpone_import(NAME):
        module = importlib.import_module(NAME)

    with pytest.raises(AttributeError, match=NAME):
        _ = module.MISSING
    assert loads == [NAME]

import ast
from collections.abc import Iterator
from pathlib import Path

import gcsched

PACKAGE = Path(gcsched.__file__).parent


def class_names(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in folder.rglob("*.py"):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                yield node.name, file


def test_a_class_of_the_load_test_has_a_name_of_its_own() -> None:
    own = {name for name, _ in class_names(PACKAGE / "bench")}
    others = {name for name, file in class_names(PACKAGE) if file.parent.name != "bench"}

    assert {"Scenario", "Load"} <= own
    assert own & others == set()

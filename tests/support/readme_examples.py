"""The examples of the README, of the page for Celery users, and of that for Python callers."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MIGRATING = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
EXAMPLE_TARGET = "localhost:50051"


def blocks(language: str) -> list[str]:
    """Return the examples in *language* of both pages."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [block for page in (README, MIGRATING) for block in pattern.findall(page)]


def blocks_of_section(title: str) -> list[str]:
    """Return the Python examples in a section of docs/clients.md."""
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


PYTHON = [block for block in blocks("python") if "gcsched" in block]
CLIENTS_PAGE = blocks_of_section("Python")
CLIENT_EXAMPLES = [*PYTHON, *CLIENTS_PAGE]

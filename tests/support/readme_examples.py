"""The examples of the README, and of the page for users of the Celery version."""

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


PYTHON = [block for block in blocks("python") if "gcsched" in block]
CLIENT_EXAMPLES = PYTHON

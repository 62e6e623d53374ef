"""The examples of the README."""

import re
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
EXAMPLE_TARGET = "localhost:50051"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


PYTHON = [block for block in blocks("python") if "gcsched" in block]
CLIENT_EXAMPLES = PYTHON

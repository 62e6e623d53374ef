"""The files of the pages: style, scripts, icon. Named by their content, so they never change."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, as it is sent."""

    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFiles:
    """All files by the names under which they are served; *names* has those for the templates."""

    names: Mapping[str, str]
    by_name: Mapping[str, StaticFile]

    @classmethod
    def load(cls, folder: Path = FOLDER) -> "StaticFiles":
        names, by_name = dict[str, str](), dict[str, StaticFile]()
        for path in sorted(folder.iterdir()):
            if path.suffix not in TYPES:
                continue
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:DIGEST_LENGTH]
            names[path.name] = name = f"{path.stem}.{digest}{path.suffix}"
            by_name[name] = StaticFile(content, TYPES[path.suffix])
        return cls(names=names, by_name=by_name)

    def name_of(self, file: str) -> str:
        """Return the address of *file*, from the first page on."""
        return f"static/{self.names[file]}"

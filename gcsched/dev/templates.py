"""Templates that are read again when their files change, so that an author sees each edit."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

from gcsched.adapters.mail.template_check import Names
from gcsched.adapters.mail.template_variables import NOTHING, Variables
from gcsched.adapters.mail.templates import Rendered, Templates
from gcsched.dev.console import Say
from gcsched.domain.caller_text import printable
from gcsched.domain.mail import TemplateFacts
from gcsched.errors import TemplateProblem
from gcsched.usecases.loops import note_failure

BETWEEN_LOOKS_SECONDS = 0.2
MOST_FILES = 1_000

Snapshot = Mapping[Path, tuple[int, int, int]]


class ReloadedTemplates:
    """The last good templates of *folder*; raises TemplateProblem if there are none yet."""

    def __init__(self, folder: Path, say: Say) -> None:
        self.folder, self._say = folder, say
        self._seen = self._pending = snapshot(folder)
        self._current = Templates.load(folder)
        self._warn(self._current, known=())

    def render(
        self, name: str, variables: Variables, data: Mapping[str, str] = NOTHING
    ) -> Rendered:
        return self._current.render(name, variables, data)

    def facts(self) -> list[TemplateFacts]:
        return self._current.facts()

    @property
    def needs(self) -> Mapping[str, Names]:
        """Return what each needs, as it is whenever this mapping is asked."""
        return CurrentNeeds(self)

    @property
    def current(self) -> Templates:
        return self._current

    def look(self) -> None:
        """Load the folder again once its files have changed and then stayed the same for a look.

        An editor writes a file in several steps; what lies there between them is not meant.
        """
        found = snapshot(self.folder)
        if found == self._seen or found != self._pending:
            self._pending = found
            return
        self._seen = found
        try:
            loaded = Templates.load(self.folder)
        except TemplateProblem as problem:
            self._say("templates not loaded, the last good ones stay in use:")
            self._say(*(f"  {printable(line)}" for line in str(problem).splitlines()))
            return
        known, self._current = self._current.warnings, loaded
        self._say(f"templates loaded again: {printable(', '.join(sorted(loaded.by_name)))}")
        self._warn(loaded, known=known)

    def _warn(self, loaded: Templates, *, known: tuple[object, ...]) -> None:
        for warning in loaded.warnings:
            if warning not in known:
                self._say(printable(f"  {warning.file}: {warning.problem}"))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
            self.look()


class CurrentNeeds(Mapping[str, Names]):
    """What each of *templates* needs at the moment of asking."""

    def __init__(self, templates: ReloadedTemplates) -> None:
        self._templates = templates

    def __getitem__(self, name: str) -> Names:
        return self._templates.current.by_name[name].needs

    def __iter__(self) -> Iterator[str]:
        return iter(self._templates.current.by_name)

    def __len__(self) -> int:
        return len(self._templates.current.by_name)


@asynccontextmanager
async def reloading(templates: ReloadedTemplates) -> AsyncIterator[None]:
    """Keep *templates* as their files are, for a block."""
    task = asyncio.create_task(templates.run(), name="templates")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        note_failure(task)


def snapshot(folder: Path) -> Snapshot:
    """Return what shows that a file has changed: its time, its size, and which file it is."""
    seen = {}
    for path in islice(files_in(folder), MOST_FILES):
        with suppress(OSError):  # it may be gone by now, or be a link to nothing
            status = path.stat()
            seen[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return seen


def files_in(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where) / name for name in sorted(files))

"""Templates that are reloaded when their files change, so that an author sees each edit."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

from gcsched.adapters.mail.prerendering import Prerenderer
from gcsched.adapters.mail.template_analysis import Names
from gcsched.adapters.mail.template_variables import NO_VARIABLES, Variables
from gcsched.adapters.mail.templates import RenderedParts, Templates
from gcsched.dev.line_printer import PrintLines
from gcsched.domain.caller_text import replace_unprintable
from gcsched.domain.mail import TemplateInfo
from gcsched.errors import TemplateProblem
from gcsched.usecases.loops import log_unexpected_failure

POLL_INTERVAL_SECONDS = 0.2
MAX_FILES = 1_000  # a wrong folder, such as a home, must not be walked completely

Snapshot = Mapping[Path, tuple[int, int, int]]


class ReloadingTemplates:
    """The last valid templates of *folder*; raises TemplateProblem if the first load fails."""

    def __init__(self, folder: Path, print_lines: PrintLines) -> None:
        self.folder, self._print_lines = folder, print_lines
        # Before the load: an edit during it is then seen as a change.
        self._seen = self._pending = take_snapshot(folder)
        self._current = Templates.load(folder)
        self._warn(self._current, known=())

    def render(
        self, name: str, variables: Variables, data: Mapping[str, str] = NO_VARIABLES
    ) -> RenderedParts:
        return self._current.render(name, variables, data)

    def find_prerenderer(self, name: str) -> Prerenderer | None:
        return self._current.find_prerenderer(name)

    def list_info(self) -> list[TemplateInfo]:
        return self._current.list_info()

    def find_digest(self, name: str) -> str:
        return self._current.find_digest(name)

    @property
    def variables_by_template(self) -> Mapping[str, Names]:
        """Return a view of the variables that each template requires now."""
        return CurrentRequirements(self)

    @property
    def current(self) -> Templates:
        return self._current

    def poll(self) -> None:
        """Reload the folder once its files have changed and then stayed the same for one interval.

        An editor writes a file in several steps; the states between them are not templates.
        """
        found = take_snapshot(self.folder)
        if found == self._seen or found != self._pending:
            self._pending = found
            return
        self._seen = found
        try:
            loaded = Templates.load(self.folder)
        except TemplateProblem as problem:
            self._print_lines("templates not reloaded, the last valid ones stay in use:")
            self._print_lines(
                *(f"  {replace_unprintable(line)}" for line in str(problem).splitlines())
            )
            return
        known, self._current = self._current.warnings, loaded
        self._print_lines(
            f"templates reloaded: {replace_unprintable(', '.join(sorted(loaded.by_name)))}"
        )
        self._warn(loaded, known=known)

    def _warn(self, loaded: Templates, *, known: tuple[object, ...]) -> None:
        for warning in loaded.warnings:
            if warning not in known:
                self._print_lines(replace_unprintable(f"  {warning.file}: {warning.problem}"))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
            self.poll()


class CurrentRequirements(Mapping[str, Names]):
    """The required variables of each of *templates*, as of each access."""

    def __init__(self, templates: ReloadingTemplates) -> None:
        self._templates = templates

    def __getitem__(self, name: str) -> Names:
        return self._templates.current.by_name[name].required_variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._templates.current.by_name)

    def __len__(self) -> int:
        return len(self._templates.current.by_name)


@asynccontextmanager
async def reload_on_change(templates: ReloadingTemplates) -> AsyncIterator[None]:
    """Reload *templates* when their files change, until the block ends."""
    task = asyncio.create_task(templates.run(), name="templates")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        log_unexpected_failure(task)


def take_snapshot(folder: Path) -> Snapshot:
    """Return the modification time, size and inode of each file: one of them changes with it."""
    seen = {}
    for path in islice(find_files(folder), MAX_FILES):
        with suppress(OSError):  # it may be gone by now, or be a broken link
            status = path.stat()
            seen[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return seen


def find_files(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        # In place, so that os.walk skips hidden folders such as .git.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where) / name for name in sorted(files))

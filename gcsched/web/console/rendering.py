"""Renders the templates of the console. Every value in them is escaped."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from gcsched import __version__
from gcsched.web.console.directions import isolate
from gcsched.web.console.field_types import fit_type
from gcsched.web.console.states import STATE_MARKS
from gcsched.web.console.static_files import StaticFiles
from gcsched.web.console.times import show_duration
from gcsched.web.console.view import STORE_NAMES, View

TEMPLATES = Path(__file__).parent / "templates"
LIVE_BLOCK, BANDS = "live", "bands.html"
ETAG_OCTETS = 12


class LivePart(NamedTuple):
    """The part of a page that refreshes, and its ETag."""

    text: str
    etag: str


class Renderer:
    """Renders pages and their parts, which may use the files of *static*."""

    def __init__(self, static: StaticFiles) -> None:
        self._environment = make_environment(static)

    def compile_all(self) -> None:
        """Compile all templates, so that no page does: that takes a tenth of a second for each."""
        for name in self._environment.list_templates(extensions=["html"]):
            self._environment.get_template(name)

    def render(self, template: str, view: View, values: Mapping[str, object]) -> str:
        return self._environment.get_template(template).render(view=view, **values)

    def render_live(
        self, template: str, view: View, values: Mapping[str, object]
    ) -> LivePart | None:
        """Render the block `live` of *template*, and the bands, which belong to each refresh.

        Return None for a template without that block.
        """
        found = self._environment.get_template(template)
        if LIVE_BLOCK not in found.blocks:
            return None
        context: Any = found.new_context({"view": view, **values})
        live = "".join(found.blocks[LIVE_BLOCK](context))
        bands = self.render(BANDS, view, {"is_refresh": True})
        text = live + bands
        digest = hashlib.sha256(text.encode()).hexdigest()[: 2 * ETAG_OCTETS]
        return LivePart(text, f'"{digest}"')


@cache
def make_environment(static: StaticFiles) -> jinja2.Environment:
    """Return the environment of the pages, the same for all consoles of a process."""
    # An own environment: that of the mails has filters and rules of its own.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        {
            "static": static.name_of,
            "version": __version__,
            "marks": STATE_MARKS,
            "store_names": STORE_NAMES,
        }
    )
    environment.filters.update(duration=show_duration, isolated=isolate, fit=fit_type)
    # Global, because a block that is rendered alone sees no imports of its template.
    environment.globals["ui"] = environment.get_template("macros.html").module
    return environment

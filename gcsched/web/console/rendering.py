"""Renders the templates of the console. Every value in them is escaped."""

import hashlib
from collections.abc import Mapping
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
        # An own environment: that of the mails has filters and rules of its own.
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(
            {
                "static": static.name_of,
                "version": __version__,
                "marks": STATE_MARKS,
                "store_names": STORE_NAMES,
            }
        )
        self._environment.filters["duration"] = show_duration
        self._environment.filters["isolated"] = isolate
        self._environment.filters["fit"] = fit_type
        # Global, because a block that is rendered alone sees no imports of its template.
        self._environment.globals["ui"] = self._environment.get_template("macros.html").module

    def render(self, template: str, view: View, values: Mapping[str, object]) -> str:
        return self._environment.get_template(template).render(view=view, **values)

    def render_live(self, template: str, view: View, values: Mapping[str, object]) -> LivePart:
        """Render the block `live` of *template*, and the bands, which belong to each refresh."""
        found = self._environment.get_template(template)
        context: Any = found.new_context({"view": view, **values})
        live = "".join(found.blocks[LIVE_BLOCK](context))
        bands = self.render(BANDS, view, {"is_refresh": True})
        text = live + bands
        digest = hashlib.sha256(text.encode()).hexdigest()[: 2 * ETAG_OCTETS]
        return LivePart(text, f'"{digest}"')

"""One folder of template files; nothing outside it can be read through here."""

from pathlib import Path

from jinja2 import FunctionLoader, StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gcsched.errors import TemplateProblem

REQUIRED = "doc.html"


def default_folder() -> Path:
    """Find the templates we come with: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "templates"
    return packaged if packaged.is_dir() else package.parent / "templates"


def names_in(folder: Path, suffix: str) -> list[str]:
    """List the template files directly in *folder*; raise TemplateProblem if it is not usable."""
    if not folder.is_dir():
        raise TemplateProblem(
            str(folder), None, f"there is no such folder; it must hold {REQUIRED}"
        )
    if not (folder / REQUIRED).is_file():
        raise TemplateProblem(str(folder / REQUIRED), None, "this file is missing")
    return sorted(path.name for path in folder.glob(f"[!.]*{suffix}") if path.is_file())


def environment(folder: Path, *, autoescape: bool) -> ImmutableSandboxedEnvironment:
    """Make an environment that escapes everything it renders, or nothing.

    Each kind of mail part has its own: a text file included by an HTML file is escaped as well.
    """
    made = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(lambda name: read(folder, name)),
        autoescape=autoescape,
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,
    )
    # A resend must be byte-identical, so nothing random.
    del made.globals["lipsum"], made.filters["random"]
    return made


def read(folder: Path, name: str) -> tuple[str, str, None] | None:
    """Give source and path as jinja2's FunctionLoader wants them; None: there is no such file."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    try:
        return path.read_text("utf-8-sig"), str(folder / name), None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TemplateSyntaxError("this line is not UTF-8", line, name) from error
    except OSError as error:
        raise TemplateSyntaxError(f"cannot be read: {error.strerror}", 1, name) from error

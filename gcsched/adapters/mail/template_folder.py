"""Read the files of one template folder, and nothing outside it."""

from pathlib import Path

from jinja2 import FunctionLoader, StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gcsched.adapters.mail.template_analysis import UnusableFile
from gcsched.process.package_files import find_package_folder

MAX_FILE_OCTETS = 10 * 1024 * 1024
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def default_folder() -> Path:
    """Return the folder of the templates that come with the package."""
    return find_package_folder("templates")


def make_environment(folder: Path, *, autoescape: bool) -> ImmutableSandboxedEnvironment:
    """Make an environment that escapes everything it renders, or nothing.

    HTML and text parts each have one: a text file that an HTML file includes is escaped too.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(lambda name: read_source(folder, name)),
        autoescape=autoescape,
        undefined=StrictUndefined,
        auto_reload=False,  # templates are loaded and checked once, at start-up
        cache_size=-1,
    )
    # A resend must be byte-identical, so templates have nothing random.
    del environment.globals["lipsum"], environment.filters["random"]
    return environment


def read_source(folder: Path, name: str) -> tuple[str, str, None] | None:
    """Return source and path as jinja2's FunctionLoader expects them; None if there is no file.

    Raises UnusableFile, and TemplateSyntaxError for a line that is not UTF-8.
    """
    try:
        # Resolved, because a name with .. and a symbolic link may both lead out of the folder.
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return None
        if (size := path.stat().st_size) > MAX_FILE_OCTETS:
            limit = f"a template has at most {MAX_FILE_OCTETS // 1024**2} MiB"
            raise UnusableFile(name, f"is too large with {size:,} bytes: {limit}")
        content = path.read_bytes()
    except (RuntimeError, ValueError):  # a circle of links; a name with a NUL
        return None
    except OSError as error:
        raise UnusableFile(name, f"cannot be read: {error.strerror}") from error
    return decode_source(name, content), str(folder / name), None


def decode_source(name: str, content: bytes) -> str:
    if content.startswith(UTF_16) or b"\0" in content:
        raise UnusableFile(name, "is UTF-16 or not a text: save it as UTF-8")
    try:
        # As Path.read_text does, CRLF and CR become LF.
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TemplateSyntaxError("this line is not UTF-8", line, name) from error

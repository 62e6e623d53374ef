"""The format of the logs: one line per event, no addresses, no texts of a mail."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gcsched.domain.address_forms import mask_addresses
from gcsched.domain.caller_text import escape_character

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

# Characters that could forge a line or move a cursor: controls, line separators, bidi controls.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

NOT_UTF8 = "Invalid encoding on"

PRIVATE = frozenset(
    {
        *("email", "emailID", "empName", "folded", "message", "name", "subject", "username"),
        *("description", "location", "organizer", "summary"),
    }
)

# Operators name themselves or their own address in these fields; it is not a recipient's.
OPERATORS = frozenset({"caller_by", "caller_resumed_by", "redirect_to"})

# Made once: json.dumps makes one for each line. All values are plain by then (`_mask_value`).
ENCODER = json.JSONEncoder(ensure_ascii=False)


class Stream(Protocol):
    """The destination of log lines."""

    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool: ...


def configure(log_format: LogFormat, level: LogLevel, stream: Stream) -> Callable[[int], str]:
    """Write our events from *level* on, and warnings of libraries, to *stream*.

    Returns the function that formats the line about dropped log lines.
    """
    threshold = logging.getLevelNamesMapping()[level]
    finish = make_fail_safe([drop_private_fields, _make_renderer(log_format, stream)])
    structlog.configure(
        processors=[make_fail_safe([*_common_processors(), finish])],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
    )
    handler = logging.StreamHandler(stream)
    handler.addFilter(is_allowed)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_common_processors()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, finish],
        )
    )
    # Not below WARNING: there arq logs the arguments of its jobs.
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, threshold), force=True)
    render = make_fail_safe([*_common_processors(), finish])

    def format_dropped(count: int) -> str:
        line: Any = render(None, "warning", {"event": "log lines dropped", "count": count})
        return f"{line}\n"

    return format_dropped


def is_allowed(record: logging.LogRecord) -> bool:
    """Return False for gRPC's lines about metadata that is not UTF-8.

    It logs the octets, which may be a token, with a traceback, at each call of any stranger.
    """
    return not (record.name.startswith("grpc.") and str(record.msg).startswith(NOT_UTF8))


def log_foreign_output(text: str) -> None:
    """Log *text* that other code wrote to standard error, such as gRPC's core or a traceback."""
    log = structlog.get_logger()
    if "\n" in text:
        log.error("written to standard error", exception=text)
    else:
        log.warning("written to standard error", text=text)


def make_fail_safe(processors: list[Processor]) -> Processor:
    """Chain *processors*; if one of them fails, log the values that cannot fail."""

    def process(logger: WrappedLogger, method: str, event: EventDict) -> Any:
        result: Any = event
        # A value whose str() raises, or that nests too deeply, must not stop a delivery.
        with suppress(Exception):
            for each in processors:
                result = each(logger, method, result)
            return result
        return format_minimal(method, event)

    return process


def format_minimal(method: str, event: EventDict) -> str:
    """Format a line of the values that cannot fail, and name the fields that are left out."""
    name = event.get("event")
    kept = {key: _render_value(key, each) for key, each in event.items() if is_plain(key, each)}
    shown = {
        **kept,
        "event": kept["event"] if type(name) is str else "unreadable event",
        "level": method,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    left_out = [key for key in event if type(key) is str and key not in shown]
    return json.dumps({**shown, "not_logged": sorted(left_out)})


def is_plain(key: object, value: object) -> bool:
    return type(key) is str and key not in PRIVATE and type(value) in {str, int, float, bool}


def drop_private_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop fields with personal texts: the second line of defence, after the masks."""
    return {key: _render_value(key, value) for key, value in event.items() if key not in PRIVATE}


def _render_value(key: str, value: Any) -> Any:
    if key in OPERATORS and type(value) is str:
        return _escape_controls(value)
    return _mask_value(value)


def _mask_value(value: Any) -> Any:
    match value:
        case str():
            return _clean_text(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {key: _mask_value(item) for key, item in value.items() if key not in PRIVATE}
        case list() | tuple() | set() | frozenset():
            return [_mask_value(item) for item in value]
        case datetime():
            return value.isoformat()
        case _:
            return _clean_text(str(value))


def _clean_text(text: str) -> str:
    return mask_addresses(_escape_controls(text), "<address>")


def _escape_controls(text: str) -> str:
    return (
        text if text.isprintable() else CONTROLS.sub(lambda found: escape_character(found[0]), text)
    )


def _common_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _render_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return ENCODER.encode(event)


def _make_renderer(log_format: LogFormat, stream: Stream) -> Processor:
    is_terminal = stream.isatty()
    if log_format == "json" or (log_format == "auto" and not is_terminal):
        return _render_json
    return structlog.dev.ConsoleRenderer(
        colors=is_terminal, exception_formatter=structlog.dev.plain_traceback
    )

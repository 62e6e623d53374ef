"""Say once how logs look: one line per event, no addresses, no words of a mail."""

import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gcsched.domain.address_forms import without_addresses
from gcsched.domain.callers import escaped

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

# What could forge a line or move a cursor: controls, separators of lines, changes of direction.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

PRIVATE = frozenset({"email", "emailID", "empName", "message", "name", "subject", "username"})


def configure(log_format: LogFormat, level: LogLevel, stream: TextIO) -> None:
    """Send our events from *level* on, and what libraries warn of, to *stream*."""
    threshold = logging.getLevelNamesMapping()[level]
    finish: list[Processor] = [without_private_things, _renderer(log_format, stream)]
    structlog.configure(
        processors=[*_facts(), *finish],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_facts()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    # Not lower than WARNING: arq's lines below it print the arguments of its jobs.
    logging.basicConfig(handlers=[handler], level=max(logging.WARNING, threshold), force=True)


def without_private_things(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Drop what tells who gets a mail and what it says: the second line of defence."""
    return {key: _masked(value) for key, value in event.items() if key not in PRIVATE}


def _masked(value: Any) -> Any:
    match value:
        case str():
            return _clean(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {key: _masked(item) for key, item in value.items() if key not in PRIVATE}
        case list() | tuple() | set() | frozenset():
            return [_masked(item) for item in value]
        case datetime():
            return value.isoformat()
        case _:
            return _clean(str(value))


def _clean(text: str) -> str:
    if not text.isprintable():
        text = CONTROLS.sub(lambda found: escaped(found[0]), text)
    return without_addresses(text, "<address>")


def _facts() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _renderer(log_format: LogFormat, stream: TextIO) -> Processor:
    is_terminal = stream.isatty()
    if log_format == "json" or (log_format == "auto" and not is_terminal):
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=is_terminal, exception_formatter=structlog.dev.plain_traceback
    )

"""Say once how logs look: one line per event, no addresses, no words of a mail."""

import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

PRIVATE = frozenset({"email", "emailID", "empName", "message", "name", "subject", "username"})
# Bounded, so that a long reply of a relay costs linear time.
ADDRESS = re.compile(r"""[^\s<>"'(),;:=/@]{1,64}@[^\s<>"'(),;:=/@]{1,255}""")


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
            return ADDRESS.sub("<address>", value) if "@" in value else value
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {key: _masked(item) for key, item in value.items() if key not in PRIVATE}
        case list() | tuple() | set() | frozenset():
            return [_masked(item) for item in value]
        case datetime():
            return value.isoformat()
        case _:
            return ADDRESS.sub("<address>", str(value))


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

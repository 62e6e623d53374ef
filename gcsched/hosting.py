"""The process that hosts a service: descriptors, a log that never blocks, and a watchdog."""

import faulthandler
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import structlog

from gcsched import logs
from gcsched.app import ProcessHooks
from gcsched.config.fields import variable_name
from gcsched.config.settings import Settings, find_ignored_links, find_unknown_names
from gcsched.errors import GcschedError
from gcsched.process.descriptors import raise_limit
from gcsched.process.log_sink import LogSink
from gcsched.process.standard_error import (
    STANDARD_ERROR,
    open_nonblocking,
    open_null,
    redirect_standard_error,
)
from gcsched.process.watchdog import EXIT_FAILURE, Watchdog

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@contextmanager
def host_service(settings: Settings, environ: Mapping[str, str]) -> Iterator[ProcessHooks]:
    """Prepare this process for a service; the process ends after the block.

    The watchdog stays armed after the block: the interpreter's exit may wait for threads as well.
    """
    raise_limit()
    output = os.dup(STANDARD_ERROR)
    with LogSink(output) as sink:
        sink.format_dropped = logs.configure(settings.log_format, settings.log_level, sink)
        if traces := open_nonblocking(output):
            faulthandler.enable(traces)  # in a crash no thread reads the pipe at descriptor 2
        # A socket, as under systemd, cannot be opened again: then there is no traceback at the end.
        watchdog = Watchdog(before_exit=sink.drain, trace_file=traces or open_null())
        watchdog.start()
        with redirect_standard_error(logs.log_foreign_output), log_errors():
            log_ignored_settings(settings, environ)
            yield ProcessHooks(
                watchdog=watchdog,
                log_lines_dropped=lambda: sink.dropped,
                before_exit=sink.drain,
            )


def log_ignored_settings(settings: Settings, environ: Mapping[str, str]) -> None:
    """Log the variables with our prefix that are not settings, and why."""
    if unknown := find_unknown_names(environ):
        log.warning("unknown settings ignored", settings=unknown)
    if links := find_ignored_links(environ):
        log.warning(
            "service links ignored",
            settings=links,
            used=effective_values(settings, links),
            why="Kubernetes sets these variables for a Service whose name begins with gcsched;"
            " a setting with a value of that form counts as not set",
            advice="set enableServiceLinks: false in the pod's spec",
        )


def effective_values(settings: Settings, links: Collection[str]) -> dict[str, object]:
    """Return the values, from a file or the default, of settings that a link has the name of."""
    fields = {variable_name(field): field for field in Settings.model_fields}
    return {name: getattr(settings, fields[name]) for name in links if name in fields}


@contextmanager
def log_errors() -> Iterator[None]:
    """Log an unexpected error and exit with code 1; a traceback may go unread."""
    try:
        yield
    except GcschedError:
        raise
    except Exception as error:
        log.critical("service failed", exc_info=error)
        raise SystemExit(EXIT_FAILURE) from error

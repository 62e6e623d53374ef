"""The process around a service: descriptors, a log that holds nothing up, and a watchdog."""

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
    open_null,
    redirect_standard_error,
    reopen_nonblocking,
)
from gcsched.process.watchdog import EXIT_FAILURE, Watchdog

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@contextmanager
def host_service(settings: Settings, environ: Mapping[str, str]) -> Iterator[ProcessHooks]:
    """Prepare this process for a service; the block is the rest of its life.

    The watchdog stays armed after it: the interpreter's own end may wait for threads as well.
    """
    raise_limit()
    output = os.dup(STANDARD_ERROR)
    with LogSink(output) as sink:
        sink.format_dropped = logs.configure(settings.log_format, settings.log_level, sink)
        if traces := reopen_nonblocking(output):
            faulthandler.enable(traces)  # what dies at once leaves nobody to read descriptor 2
        # A socket, as systemd gives, cannot be opened once more: then it ends without a word.
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
    """Log which variables under our prefix mean nothing, and why."""
    if unknown := find_unknown_names(environ):
        log.warning("unknown settings ignored", settings=unknown)
    if links := find_ignored_links(environ):
        log.warning(
            "service links ignored",
            settings=links,
            used=effective_values(settings, links),
            why="Kubernetes makes these variables for a Service whose name begins with gcsched;"
            " what was set by hand in that form counts as not set",
            remedy="say enableServiceLinks: false in the pod's spec",
        )


def effective_values(settings: Settings, links: Collection[str]) -> dict[str, object]:
    """Return what holds for those settings that a link has the name of: a default, or a file's."""
    fields = {variable_name(field): field for field in Settings.model_fields}
    return {name: getattr(settings, fields[name]) for name in links if name in fields}


@contextmanager
def log_errors() -> Iterator[None]:
    """Log what is no error of ours, and end with exit code 1: a traceback may have no reader."""
    try:
        yield
    except GcschedError:
        raise
    except Exception as error:
        log.critical("service failed", exc_info=error)
        raise SystemExit(EXIT_FAILURE) from error

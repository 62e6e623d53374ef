import json
import logging
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog

from gcsched.logs import LogFormat, LogLevel, configure, log_foreign_output


class FakeTerminal(StringIO):
    def isatty(self) -> bool:
        return True


def configure_logs(log_format: LogFormat = "json", level: LogLevel = "INFO") -> StringIO:
    stream = StringIO()
    configure(log_format, level, stream)
    return stream


def read_events(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object_with_its_time_in_utc() -> None:
    stream = configure_logs()

    structlog.get_logger().info("job sent", job_id="7", took_ms=1.5)

    (event,) = read_events(stream)
    moment = datetime.fromisoformat(event.pop("timestamp"))
    assert moment.tzinfo == UTC
    assert event == {"event": "job sent", "level": "info", "job_id": "7", "took_ms": 1.5}


def test_values_are_logged_readably() -> None:
    stream = configure_logs()

    structlog.get_logger().info("seen", at=datetime(2026, 1, 2, tzinfo=UTC), names=("ä", None))

    (event,) = read_events(stream)
    assert event["at"] == "2026-01-02T00:00:00+00:00"
    assert event["names"] == ["ä", None]


@pytest.mark.parametrize("by", ["ada@desk", "Ada <ada@example.org>", "ops at example.org"])
def test_an_operators_name_is_shown_whole_and_an_address_in_the_reason_is_not(by: str) -> None:
    stream = configure_logs()

    log = structlog.get_logger()
    log.warning("sending paused", caller_by=by, caller_reason="ask bob@example.org")
    log.warning("sending resumed", caller_by=by, caller_resumed_by=f"{by}\u202e", bad=Unprintable())
    log.warning("all mails are redirected", redirect_to=by)

    paused, resumed, redirected = read_events(stream)
    assert redirected["redirect_to"] == by
    assert paused["caller_by"] == resumed["caller_by"] == by
    assert resumed["caller_resumed_by"] == f"{by}\\u202e"
    assert "bob" not in paused["caller_reason"]


def test_no_address_and_no_text_of_a_mail_is_ever_logged() -> None:
    stream = configure_logs()
    private = {
        "email": "anna@example.org",
        "emailID": "anna@example.org",
        "empName": "Anna",
        "message": "Lunch with Anna",
        "name": "Anna",
        "subject": "Lunch with Anna",
        "username": "Anna",
        "summary": "Lunch with Anna",
        "location": "Anna's flat",
        "description": "Lunch with Anna",
        "organizer": "Anna",
    }

    log = structlog.get_logger().bind(**private)
    log.info("job sent", request=private, several=[private], error="550 <anna@example.org> unknown")
    log.info("anna@example.org was here", cause=ValueError("anna@example.org"))
    log.warning("job failed", exc_info=ValueError("anna@exämple.org"))
    logging.getLogger("library").warning("cannot reach %s", "anna@example.org")

    assert len(read_events(stream)) == 4
    assert "anna" not in stream.getvalue().lower()
    assert read_events(stream)[0]["error"] == "550 <<address>> unknown"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_foreign_text_cannot_forge_a_line_or_move_a_cursor(log_format: LogFormat) -> None:
    stream = configure_logs(log_format)

    structlog.get_logger().info("seen", error="a\x1b[2Jb\x9bc\u2028d\u202ee\rf\ng")

    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    for escape in (r"\x1b[2J", r"\x9bc", r"\u2028d", r"\u202ee"):
        assert escape in line.replace("\\\\", "\\")


def test_an_exception_is_logged_in_its_event() -> None:
    stream = configure_logs()

    try:
        Path("/does/not/exist").read_text()
    except FileNotFoundError:
        structlog.get_logger().exception("job failed")

    (event,) = read_events(stream)
    assert event["event"] == "job failed"
    assert "FileNotFoundError" in event["exception"].splitlines()[-1]


@pytest.mark.parametrize("library", ["arq.worker", "grpc", "motor", "aiosmtplib"])
def test_libraries_are_logged_from_warnings_on_even_when_debugging(library: str) -> None:
    stream = configure_logs(level="DEBUG")

    logging.getLogger(library).info("0.00s → send(anna)")
    logging.getLogger(library).warning("connection lost")

    (event,) = read_events(stream)
    assert (event["event"], event["level"], event["logger"]) == (
        "connection lost",
        "warning",
        library,
    )


def test_events_below_the_level_are_not_logged() -> None:
    stream = configure_logs(level="ERROR")

    structlog.get_logger().warning("job postponed")
    logging.getLogger("grpc").warning("connection lost")

    assert stream.getvalue() == ""


def test_a_terminal_gets_lines_for_people_and_a_pipe_gets_json() -> None:
    terminal, pipe = FakeTerminal(), StringIO()

    configure("auto", "INFO", terminal)
    structlog.get_logger().info("job sent", job_id="7")
    configure("auto", "INFO", pipe)
    structlog.get_logger().info("job sent", job_id="7")

    assert "\x1b[" in terminal.getvalue()
    assert read_events(pipe)[0]["job_id"] == "7"


def test_console_in_a_file_has_no_colours() -> None:
    stream = configure_logs("console")

    structlog.get_logger().info("job sent", job_id="7")

    assert "job_id=7" in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def a_nested_list(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize(
    "value", [Unprintable(), [Unprintable()], {"a": Unprintable()}, a_nested_list(5000)], ids=type
)
def test_a_value_that_cannot_be_formatted_does_not_lose_its_line(
    log_format: LogFormat, value: object
) -> None:
    stream = configure_logs(log_format)

    structlog.get_logger().warning("a@example.org left", value=value, job_id="7")
    structlog.get_logger().info("job sent")

    first, second = stream.getvalue().splitlines()
    event = json.loads(first)
    assert (event["event"], event["level"]) == ("<address> left", "warning")
    assert (event["job_id"], event["not_logged"]) == ("7", ["value"])
    assert "job sent" in second


def test_an_event_that_is_not_text_is_logged_as_unreadable() -> None:
    stream = configure_logs()

    structlog.get_logger().info(Unprintable())

    (event,) = read_events(stream)
    assert event["event"] == "unreadable event"


def test_a_librarys_log_call_with_such_a_value_raises_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = configure_logs()

    logging.getLogger("library").warning("seen %s", Unprintable())
    logging.getLogger("library").warning("seen %d", "no number")
    logging.getLogger("library").warning("seen", extra={"value": Unprintable()})

    assert [event["event"] for event in read_events(stream)] == ["seen"]
    assert "Logging error" in capsys.readouterr().err, "standard error is a part of the log"


def test_foreign_output_is_logged_with_addresses_masked() -> None:
    stream = configure_logs()

    log_foreign_output("E0000 cannot reach anna@example.org")
    log_foreign_output("Traceback (most recent call last):\nValueError: anna@example.org")

    line, trace = read_events(stream)
    assert (line["level"], line["text"]) == ("warning", "E0000 cannot reach <address>")
    assert trace["level"] == "error"
    assert trace["exception"].endswith("ValueError: <address>")


def test_dropped_lines_are_logged_as_an_event() -> None:
    format_dropped = configure("json", "ERROR", StringIO())

    event = json.loads(format_dropped(7))

    assert format_dropped(7).endswith("}\n")
    assert (event["event"], event["level"], event["count"]) == ("log lines dropped", "warning", 7)

"""Suppressions as CSV: no spreadsheet runs a cell, and all is read again the same. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.suppression import NewSuppression, Suppression, parse_new_suppression
from gcsched.domain.validation import MAX_REASON_LENGTH
from gcsched.errors import InvalidRequest, Violation
from gcsched.usecases.management.suppression_import import ImportLine, RefusedLine
from gcsched.web.console.job_filters import parse_time

COLUMNS = ("address", "reason", "until", "since", "job")
READ_COLUMNS = COLUMNS[:3]
OTHER_NAMES = {"email": "address", "e-mail": "address", "expires": "until"}
MAX_LINES = 2_000
MAX_OCTETS = 512 * 1024
FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet would run, or one that was quoted for that."""
Row = Mapping[str, str]
"""The cells of a line, by their columns."""
SHORTENED = "\u2026"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRules:
    """What the lines of a file are read by: *zone* is that of times without an offset."""

    addresses: AddressRules
    default_reason: str
    zone: ZoneInfo
    now: datetime


def write_header() -> str:
    return write_row(COLUMNS)


def write_rows(suppressions: Iterable[Suppression]) -> str:
    """Return a line for each of *suppressions*."""
    return "".join(
        write_row(
            (
                each.address,
                each.reason,
                write_time(each.expire_time),
                write_time(each.create_time),
                each.job_id,
            )
        )
        for each in suppressions
    )


def write_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def write_row(cells: Iterable[str]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerow([protect(each) for each in cells])
    return written.getvalue()


def protect(cell: str) -> str:
    """Return *cell* with a quote before what a spreadsheet would run as a formula."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def unprotect(cell: str) -> str:
    """Return *cell* without the quote of `protect`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def parse_row(number: int, cells: Row, rules: ImportRules) -> ImportLine | RefusedLine:
    """Return the suppression in line *number*, or why there is none."""
    try:
        return ImportLine(number=number, suppression=require_valid(parse_line(cells, rules)))
    except InvalidRequest as error:
        return RefusedLine(number=number, problem=explain(error))


def explain(error: InvalidRequest) -> str:
    names = {"email": "address", "expire_time": "until"}
    return "; ".join(f"{names.get(v.field, v.field)} {v.problem}" for v in error.violations)


def read_rows(content: bytes) -> Checked[Sequence[tuple[int, Row]]]:
    """Return the lines that are not empty, each with its number and its cells by their columns."""
    try:
        text = content.decode("utf-8-sig")
        rows = list(number_rows(text))
    except UnicodeDecodeError:
        yield Violation("file", "is not UTF-8: save it as CSV in UTF-8")
        return ()
    except csv.Error as error:
        yield Violation("file", f"is not CSV: {error}")
        return ()
    columns = find_columns(rows[0][1]) if rows else ()
    if columns:
        rows = rows[1:]
    if not rows:
        yield Violation("file", "has no line with an address")
    if len(rows) > MAX_LINES:
        yield Violation("file", f"has {len(rows):,} lines, at most {MAX_LINES:,} are imported")
    names = columns or READ_COLUMNS
    return [(number, dict(zip(names, cells, strict=False))) for number, cells in rows]


def number_rows(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the rows with a cell that is not empty, each with the number of its last line."""
    first = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=";" if first.count(";") > first.count(",") else ",",
        strict=True,
    )
    for row in reader:
        cells = [unprotect(each.strip()) for each in row]
        if any(cells):
            yield reader.line_num, cells


def find_columns(cells: Sequence[str]) -> Sequence[str]:
    """Return the columns that a first line names; () if it is not a line of names."""
    names = [OTHER_NAMES.get(each.lower(), each.lower()) for each in cells]
    return names if "address" in names else ()


def parse_line(cells: Row, rules: ImportRules) -> Checked[NewSuppression]:
    """Parse one line; a relay's words may be longer than a reason, and are shortened then."""
    reason = cells.get("reason", "") or rules.default_reason
    if len(reason) > MAX_REASON_LENGTH:
        reason = reason[: MAX_REASON_LENGTH - 1] + SHORTENED
    expire_time = yield from parse_time(cells.get("until", ""), "until", rules.zone)
    parsing = parse_new_suppression(
        cells.get("address", ""), reason, expire_time, rules=rules.addresses, now=rules.now
    )
    return (yield from parsing)

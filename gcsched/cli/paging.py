"""Lists that are read page by page, up to a limit."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gcsched.cli import arguments, output

if TYPE_CHECKING:
    from gcsched.client import Client

MAX_PAGE = 200
DEFAULT_LIMIT = 50


def add_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--limit",
        type=arguments.parse_count,
        default=DEFAULT_LIMIT,
        metavar="N",
        help="the maximum number to show (%(default)s); 0: all",
    )


def iterate_items(
    service: "Client", method: str, request: Any, *, field: str, limit: int
) -> Iterator[Any]:
    """Yield the items in *field* of each page; print a note if there are more than *limit*."""
    left = limit or sys.maxsize
    while True:
        request.page_size = min(left, MAX_PAGE)
        page = service.call(method, request)
        found = getattr(page, field)[:left]
        yield from found
        left -= len(found)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return
        if left == 0:  # checked after the token: the last page may end exactly at the limit
            output.print_note(
                f"there are more than {limit}: use --limit N to show more, --limit 0 to show all"
            )
            return


def print_json_lines(items: Iterator[Any]) -> None:
    """Print each item as one line, as soon as it arrives."""
    for item in items:
        output.print_lines(output.as_json(item))

"""Read a list page by page, as far as it is wanted."""

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
        help="how many at most (%(default)s); 0: all",
    )


def iterate_items(
    service: "Client", method: str, request: Any, *, field: str, limit: int
) -> Iterator[Any]:
    """Yield what the *field* of each page has; a note says when there is more than *limit*."""
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
        if left == 0:
            output.print_note(f"there are more than {limit}; --limit N shows more, 0 all")
            return


def print_json_lines(items: Iterator[Any]) -> None:
    """Print a line for each, as it comes."""
    for item in items:
        output.print_lines(output.as_json(item))

"""The options of `gcsched meeting` that several of its commands share."""

from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from gcsched.cli import arguments, event_arguments, job_ids
from gcsched.cli.times import TIME_FORMS_WITHOUT_DAILY

PURPOSES = ("invitation", "update", "cancellation", "reminder")
"""The kinds of mails, as MeetingTexts has them."""
ROLES: Mapping[str, str] = MappingProxyType(
    {"to": "REQUIRED", "optional": "OPTIONAL", "informed": "INFORMED"}
)
"""Option → the role of the attendees that it names."""
CLEARABLE = ("location", "url", "description", "reminders", "invite-at", "texts", "labels")

AddArgument = Callable[..., object]


def add_id_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "id", type=parse_meeting_id, metavar="ID", help="the id of the meeting, from `meeting list`"
    )


def parse_meeting_id(given: str) -> str:
    """Return the id, which may be written as a UUID."""
    is_uuid = job_ids.UUID_PREFIX.fullmatch(given) is not None
    return given.replace("-", "").lower() if is_uuid else arguments.parse_text(given)


def add_change_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--etag",
        default="",
        type=arguments.parse_text,
        help="from `meeting show`: refuse if the meeting has changed since",
    )
    add_validate_argument(parser.add_argument)


def add_validate_argument(add: AddArgument) -> None:
    add("--validate-only", action="store_true", help="change nothing, show what would be mailed")


def add_reason_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--reason", default="", type=arguments.parse_text, help="why; the mails about it show it"
    )


def add_attendee_arguments(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the attendees", "each of these options may be repeated")
    add = partial(group.add_argument, action="append", default=[])
    add_person = partial(add, type=arguments.parse_text, metavar="PERSON")
    add_person("--to", help="who is expected, as ada@example.org or 'Ada <ada@example.org>'")
    add_person("--optional", help="who may come")
    add_person("--informed", help="who is only informed")
    add(
        "--empid",
        type=arguments.parse_pair,
        metavar="ADDRESS=ID",
        help="the employee id of the attendee with this address",
    )


def add_mail_arguments(parser: ArgumentParser) -> None:
    """Add the options for reminders, invitations, templates and subjects."""
    add = parser.add_argument_group("the mails").add_argument
    add_all = partial(add, action="append", default=[])
    add_all(
        "--remind",
        type=event_arguments.parse_duration,
        metavar="TIME",
        help="a reminder this long before the start, as 1d or 10m; may be repeated",
    )
    add(
        "--invite-at",
        type=arguments.parse_second,
        metavar="TIME",
        help=f"when the invitations go (now): {TIME_FORMS_WITHOUT_DAILY}",
    )
    add_flag(add, "--guests-see-each-other", help="name all attendees in the calendar of each")
    add_purpose = partial(add_all, type=parse_purpose_pair)
    kinds = f"for one kind of mail ({', '.join(PURPOSES)}); may be repeated"
    add_purpose("--template", metavar="KIND=NAME", help=f"a name from `template list` {kinds}")
    add_purpose("--subject", metavar="KIND=TEXT", help=f"the subject {kinds}")
    add_pair = partial(add_all, type=arguments.parse_pair)
    add_pair("--var", metavar="NAME=VALUE", help="a variable of the templates; may be repeated")
    add_pair(
        "--label",
        metavar="KEY=VALUE",
        help="a label of your own, kept with the meeting and its jobs; may be repeated",
    )


def add_flag(add: AddArgument, option: str, **more: str) -> None:
    """Add *option* and its negation; None: neither was given."""
    add(option, action=BooleanOptionalAction, default=None, **more)


def add_strict_argument(add: AddArgument) -> None:
    add_flag(add, "--strict-time", help=event_arguments.STRICT_MEANING)


def parse_purpose_pair(given: str) -> tuple[str, str]:
    purpose, value = arguments.parse_pair(given)
    if purpose not in PURPOSES:
        raise ArgumentTypeError(
            f"invalid kind of mail {purpose!r}: expected one of {', '.join(PURPOSES)}"
        )
    return purpose, value

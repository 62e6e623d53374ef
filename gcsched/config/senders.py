"""Parse the senders beside the default one: mailboxes separated by commas."""

import re

from pydantic import ValidationInfo

from gcsched.config.fields import parse_mail_address, variable_name
from gcsched.config.sender_checks import encode_sender_address, validate_sender_name
from gcsched.domain.checks import require_valid
from gcsched.domain.invalid_setting import ContradictorySettings, InvalidSetting
from gcsched.domain.senders import Sender, parse_sender_key

MAX_NAME_LENGTH = 256
EXAMPLE_SENDERS = "Payroll <payroll@example.org>, news@example.net"
# RFC 5322 section 3.4, with names of any characters.
QUOTED = r'"(?:[^"\\]|\\.)*"'
MAILBOX = re.compile(
    rf"""
    \s* (?: (?P<name> {QUOTED} | [^"<>,@]*? ) \s* < (?P<address> [^<>]+ ) >
          | (?P<bare> (?: {QUOTED} | [^"<>,\s] )+ ) )
    \s* (?: ,(?=.) | $ )
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_senders(text: str, info: ValidationInfo) -> tuple[Sender, ...]:
    """Return the senders in *text*, none twice. Raises InvalidSetting, which names the problem."""
    default = info.data.get("sender_email")
    default_key = read_sender_key(default) if default else None
    found, at = list[Sender](), 0
    while text and at < len(text):
        mailbox = MAILBOX.match(text, at)
        if mailbox is None:
            raise InvalidSetting(
                f"cannot be used: {text[at:].strip()!r} does not start with a mailbox and a comma:"
                f" give them as in {EXAMPLE_SENDERS}"
            )
        sender = build_sender(mailbox["name"] or "", mailbox["address"] or mailbox["bare"], info)
        if sender.key == default_key:
            problem = f"which is {variable_name('sender_email')} already: leave it out"
            raise InvalidSetting(f"names {sender.address}, {problem}")
        if sender.key in {each.key for each in found}:
            raise InvalidSetting(f"names {sender.address} twice (in any case): leave one out")
        found.append(sender)
        at = mailbox.end()
    return tuple(found)


def refuse_redirection_to_sender(senders: tuple[Sender, ...], info: ValidationInfo) -> object:
    """Return *senders*. Raises ContradictorySettings if all mails are redirected to a sender."""
    redirect_to, default = info.data.get("redirect_to"), info.data.get("sender_email")
    if not redirect_to:
        return senders
    variables = {each.key: "senders" for each in senders}
    if default:
        variables[read_sender_key(default)] = "sender_email"
    if variable := variables.get(read_sender_key(redirect_to)):
        raise ContradictorySettings(
            f"{variable_name('redirect_to')} is {redirect_to}, which is in"
            f" {variable_name(variable)} too, and calendars show no buttons for an invitation of"
            " one's own: redirect to another mailbox, e.g. staging@example.org"
        )
    return senders


def build_sender(name: str, written: str, info: ValidationInfo) -> Sender:
    """Return the sender of a mailbox, by the rules for the default sender."""
    normalised = parse_sender_address(written.strip(), info)
    try:
        address = encode_sender_address(normalised)
    except InvalidSetting as error:
        raise InvalidSetting(f"names one that {error}") from error
    if name.startswith('"'):
        name = ESCAPED.sub(r"\1", name[1:-1])
    return Sender(read_sender_key(normalised), address, check_name(name.strip(), address))


def parse_sender_address(written: str, info: ValidationInfo) -> str:
    try:
        return parse_mail_address(written, info)
    except InvalidSetting as error:
        raise InvalidSetting(f"names {written}, which {error}") from error
    except ValueError as error:
        raise InvalidSetting(f"names {written!r}, which is not an address") from error


def check_name(name: str, address: str) -> str:
    if len(name) > MAX_NAME_LENGTH:
        problem = f"has {len(name)} characters: give at most {MAX_NAME_LENGTH}"
        raise InvalidSetting(f"names {address}, whose name {problem}")
    try:
        validate_sender_name(name)
    except InvalidSetting as error:
        raise InvalidSetting(f"names {address}, whose name {error}") from error
    return name


def read_sender_key(address: str) -> str:
    """Return the key of the sender with *address*, which is valid."""
    return require_valid(parse_sender_key(address, field=variable_name("senders")))

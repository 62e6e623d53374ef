"""Which addresses may get mails or invite: the settings for staging, tests and organizers."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic_settings import NoDecode

from gcsched.config import fields as formats
from gcsched.config.console import ConsoleSettings
from gcsched.config.fields import setting
from gcsched.config.sender_checks import encode_sender_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.invalid_setting import InvalidSetting
from gcsched.domain.organizer import OrganizerRule
from gcsched.domain.recipient_list import RecipientList

EXAMPLE_RECIPIENTS = "ada@example.org,example.com"
EXAMPLE_ORGANIZERS = "example.org,example.com"


def parse_redirect_address(address: str, info: ValidationInfo) -> str:
    """Return *address* with its domain as A-labels; every mail goes there, so it must be ASCII."""
    return address and encode_sender_address(formats.parse_mail_address(address, info))


def parse_recipients(text: str) -> RecipientList | None:
    """Return the list, or None for an empty text."""
    try:
        return RecipientList.parse(text) if text else None
    except ValueError as error:
        advice = f"give addresses and domains separated by commas, e.g. {EXAMPLE_RECIPIENTS}"
        raise InvalidSetting(f"cannot be used: {error}; {advice}") from error


def parse_organizer_domains(text: str) -> frozenset[str]:
    try:
        return OrganizerRule.parse_domains(text)
    except ValueError as error:
        advice = f"give domains separated by commas, e.g. {EXAMPLE_ORGANIZERS}"
        raise InvalidSetting(f"cannot be used: {error}; {advice}") from error


class RecipientSettings(ConsoleSettings):
    """The addresses that the service accepts, may mail, and mails instead of others."""

    internal_domains: Annotated[
        AddressRules, NoDecode, BeforeValidator(formats.parse_internal_domains)
    ] = setting(
        "Domains that the public internet cannot have and that may get mails nevertheless, "
        "separated by commas: `corp.local`, `localhost` or `mailhost` with its subdomains, `.lan` "
        "for its subdomains only, the address literals `[192.0.2.1]`, `[10.0.0.0/8]` or "
        "`[IPv6:fd00::/8]`, or `*` for all. Unset: none.",
        f"give domains separated by commas, e.g. {formats.EXAMPLE_DOMAINS}",
        default="",
    )
    redirect_to: Annotated[str, AfterValidator(parse_redirect_address)] = setting(
        "For staging: the address that every mail goes to instead of its recipient, whom "
        "`X-Original-To` and a band above the mail name; not that of a sender. Unset: mails go to "
        "their recipients.",
        "give one address, e.g. staging@example.org",
        default="",
    )
    allowed_recipients: Annotated[
        RecipientList | None, NoDecode, BeforeValidator(parse_recipients)
    ] = setting(
        "For staging: the only recipients that mails may have, addresses and domains (with their "
        "subdomains) separated by commas. Requests for others are `INVALID_ARGUMENT`, and jobs for "
        "others that wait already fail. Unset: all.",
        f"give addresses and domains separated by commas, e.g. {EXAMPLE_RECIPIENTS}",
        default="",
    )
    organizer_domains: Annotated[
        frozenset[str], NoDecode, BeforeValidator(parse_organizer_domains)
    ] = setting(
        "The domains, with their subdomains, separated by commas, whose addresses may be the "
        "organizer of a meeting in place of the sender: calendars then send their answers to them. "
        "Unset: none.",
        f"give domains separated by commas, e.g. {EXAMPLE_ORGANIZERS}",
        default="",
    )
    test_recipients: Annotated[
        RecipientList | None, NoDecode, BeforeValidator(parse_recipients)
    ] = setting(
        "The addresses and domains, separated by commas, that `SendTestMail` may mail, as `gcsched "
        "template send-test NAME --to ADDRESS` does. Unset: none.",
        f"give addresses and domains separated by commas, e.g. {EXAMPLE_RECIPIENTS}",
        default="",
    )

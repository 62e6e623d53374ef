"""Refusals of a relay, and mails to recipients in many domains."""

from gcsched.domain.smtp_reply import Answered, Kind, Reply, Stage
from gcsched.usecases.ports import SendResult
from gcsched.usecases.relays.failover import FailoverTransport
from tests.support.mails import GrantPermit, a_mail

MINUTE = 60.0


def parse_refusal(stage: Stage, line: str) -> Answered:
    return Answered(Reply.parse(stage, int(line[:3]), line[4:]))


UNKNOWN = parse_refusal(Stage.RCPT, "550 5.1.1 no such user")


WORDLESS = parse_refusal(Stage.RCPT, "554 5.7.1 no")


OUR_SENDER = parse_refusal(Stage.RCPT, "553 5.7.1 sender is not yours")


async def send_to(relays: FailoverTransport, *recipients: str) -> list[SendResult]:
    return [await relays.send(a_mail(recipient=each), GrantPermit()) for each in recipients]


def addresses_in_domains(count: int, start: int = 0) -> list[str]:
    return [f"ada@d{number}.org" for number in range(start, start + count)]


def kinds_of(results: list[SendResult]) -> list[Kind | None]:
    found = [each.transmission for each in results]
    return [each.kind if isinstance(each, Answered) else None for each in found]

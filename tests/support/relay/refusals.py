"""Words of a relay that refuses, and mails to recipients of many domains."""

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


def addresses_in_domains(count: int, begin: int = 0) -> list[str]:
    return [f"ada@d{number}.org" for number in range(begin, begin + count)]


def kinds_of(carried: list[SendResult]) -> list[Kind | None]:
    found = [each.transmission for each in carried]
    return [each.kind if isinstance(each, Answered) else None for each in found]

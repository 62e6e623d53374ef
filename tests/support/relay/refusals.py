"""Words of a relay that refuses, and mails to recipients of many domains."""

from gcsched.domain.smtp_reply import Answered, Kind, Reply, Stage
from gcsched.usecases.ports import Carried
from gcsched.usecases.relays.failover import Relays
from tests.support.mails import Permit, a_mail

MINUTE = 60.0


def says(stage: Stage, line: str) -> Answered:
    return Answered(Reply.parse(stage, int(line[:3]), line[4:]))


UNKNOWN = says(Stage.RCPT, "550 5.1.1 no such user")


WORDLESS = says(Stage.RCPT, "554 5.7.1 no")


OUR_SENDER = says(Stage.RCPT, "553 5.7.1 sender is not yours")


async def carry(relays: Relays, *recipients: str) -> list[Carried]:
    return [await relays.carry(a_mail(recipient=each), Permit()) for each in recipients]


def of_domains(count: int, begin: int = 0) -> list[str]:
    return [f"ada@d{number}.org" for number in range(begin, begin + count)]


def kinds(carried: list[Carried]) -> list[Kind | None]:
    found = [each.transmission for each in carried]
    return [each.kind if isinstance(each, Answered) else None for each in found]

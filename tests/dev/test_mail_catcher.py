"""The mail catcher, as a relay of the pool that production uses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gcsched.adapters.smtp.pool import SmtpSessionPool
from gcsched.adapters.smtp.relay_settings import RelaySettings, Security
from gcsched.dev.mail_catcher import MAX_MAIL, CaughtMail, run_mail_catcher
from gcsched.domain.smtp_reply import Answered, Kind, kind_of
from tests.support.builders import NOW, FixedClock
from tests.support.mails import CONTENT, a_mail
from tests.support.relay.client import deliver, deliver_many
from tests.support.wait import until

BOTH_PARTS = (
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: multipart/alternative; boundary=cut\r\n\r\n"
    b"--cut\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
    b"--cut\r\nContent-Type: text/html; charset=iso-8859-1\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>Gr=FC=DFe</p>\r\n"
    b"--cut--\r\n"
)


@dataclass(frozen=True)
class MailCatcherSetup:
    """A pool that sends to the catcher, and the mails caught so far."""

    folder: Path
    mailer: SmtpSessionPool
    clock: FixedClock = field(default_factory=FixedClock)
    caught: list[CaughtMail] = field(default_factory=list)

    def files(self, ending: str) -> list[str]:
        return sorted(path.name for path in self.folder.glob(f"*.{ending}"))


@asynccontextmanager
async def a_mail_catcher(folder: Path) -> AsyncIterator[MailCatcherSetup]:
    clock, caught = FixedClock(), list[CaughtMail]()
    async with run_mail_catcher(folder, caught.append, now=clock) as port:
        relay = RelaySettings(host="127.0.0.1", port=port, security=Security.NONE)
        async with SmtpSessionPool(relay=relay) as mailer:
            yield MailCatcherSetup(folder=folder, mailer=mailer, clock=clock, caught=caught)


@pytest.fixture
async def catch(tmp_path: Path) -> AsyncIterator[MailCatcherSetup]:
    async with a_mail_catcher(tmp_path / "mails") as catch:
        yield catch


async def test_a_mail_is_stored_unchanged_with_its_html_beside_it(catch: MailCatcherSetup) -> None:
    answer = await deliver(catch.mailer, a_mail(content=BOTH_PARTS))

    assert isinstance(answer, Answered)
    assert kind_of(answer.reply) is Kind.ACCEPTED
    [caught] = catch.caught
    assert caught.eml.read_bytes() == BOTH_PARTS
    assert caught.html is not None
    assert caught.html.read_text("utf-8-sig") == "<p>Grüße</p>"
    assert caught.html.read_bytes().startswith(b"\xef\xbb\xbf"), "a browser knows the encoding"
    assert (caught.recipient, caught.subject) == ("ada@example.org", "Grüße")
    assert caught.text.strip() == "Grüße"
    assert caught.html.stem == caught.eml.stem == "20260701T120000.000000Z-ada@example.org"


async def test_a_mail_without_html_is_one_file(catch: MailCatcherSetup) -> None:
    await deliver(catch.mailer)

    [caught] = catch.caught
    assert caught.html is None
    assert caught.text.strip() == "Ten o'clock, as always."
    assert [path.name for path in catch.folder.iterdir()] == [caught.eml.name]


async def test_it_takes_addresses_and_contents_that_are_not_ascii(catch: MailCatcherSetup) -> None:
    content = "Subject: Grüße\r\n\r\nÜber\r\n".encode()

    answer = await deliver(
        catch.mailer, a_mail(recipient="jörg@example.org", smtputf8=True, content=content)
    )

    assert isinstance(answer, Answered)
    assert answer.reply.code == 250
    [caught] = catch.caught
    assert caught.recipient == "jörg@example.org"
    assert caught.eml.read_bytes() == content


async def test_a_mail_of_nearly_32_mib_is_accepted_and_a_larger_one_refused(
    catch: MailCatcherSetup,
) -> None:
    line = b"x" * 70 + b".\r\n"
    lines, too_many = (MAX_MAIL - 1000) // len(line), MAX_MAIL // len(line) + 1

    large = await deliver(catch.mailer, a_mail(content=CONTENT + line * lines))
    larger = await deliver(catch.mailer, a_mail(content=CONTENT + line * too_many))

    assert isinstance(large, Answered)
    assert isinstance(larger, Answered)
    assert (large.reply.code, larger.reply.code) == (250, 552)
    [caught] = catch.caught
    assert caught.eml.read_bytes() == CONTENT + line * lines
    assert len(caught.text) <= 10_000


async def test_names_sort_by_arrival_even_when_the_clock_stands_or_goes_back(
    catch: MailCatcherSetup,
) -> None:
    for number in range(3):
        await deliver(catch.mailer, a_mail(recipient=f"{9 - number}@example.org"))
    catch.clock.now = NOW - timedelta(hours=1)
    await deliver(catch.mailer, a_mail(recipient="0@example.org"))

    assert catch.files("eml") == [caught.eml.name for caught in catch.caught]
    assert len(catch.caught) == 4


async def test_many_mails_at_once_are_all_stored(catch: MailCatcherSetup) -> None:
    await deliver_many(catch.mailer, 100)

    assert len(catch.files("eml")) == len(catch.caught) == 100
    assert list(catch.folder.glob(".*")) == [], "nothing unfinished is left"


@pytest.mark.parametrize("recipient", ["a/../../b@example.org", f"{'long' * 16}@example.org"])
async def test_no_recipient_makes_a_path_outside_the_folder(
    catch: MailCatcherSetup, recipient: str
) -> None:
    await deliver(catch.mailer, a_mail(recipient=recipient))

    [caught] = catch.caught
    assert caught.eml.parent == catch.folder
    assert caught.recipient == recipient


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n.\r\n..\r\n",
        b"Subject: =?nonsense?q?=FF?=\r\nContent-Type: text/html; charset=nonsense\r\n\r\n<p>\r\n",
        b"Content-Type: multipart/mixed; boundary=\r\n\r\n--\r\n",
        b'Subject: x\r\nContent-Type: text/plain; charset="\r\n\r\n\xff\r\n',
    ],
)
async def test_a_mail_that_cannot_be_parsed_is_stored_all_the_same(
    catch: MailCatcherSetup, content: bytes
) -> None:
    answer = await deliver(catch.mailer, a_mail(content=content))

    assert isinstance(answer, Answered)
    assert answer.reply.code == 250
    assert [caught.eml.read_bytes().rstrip() for caught in catch.caught] == [content.rstrip()]


async def test_a_mail_that_cannot_be_stored_is_deferred_and_logged(
    catch: MailCatcherSetup,
) -> None:
    catch.folder.write_text("in the way")

    with capture_logs() as events:
        answer = await deliver(catch.mailer)

    assert isinstance(answer, Answered)
    assert kind_of(answer.reply) is Kind.RELAY
    assert "the mail cannot be stored: File exists" in answer.reply.text
    assert [event["event"] for event in events] == ["mail not stored"]
    assert catch.caught == []


async def test_a_folder_that_was_removed_is_created_again(catch: MailCatcherSetup) -> None:
    await deliver(catch.mailer)
    catch.caught[0].eml.unlink()
    catch.folder.rmdir()

    await deliver(catch.mailer)

    assert catch.files("eml") == [catch.caught[1].eml.name]


async def test_it_closes_its_connections_at_its_end(tmp_path: Path) -> None:
    caught: list[CaughtMail] = []
    async with run_mail_catcher(tmp_path, caught.append, now=FixedClock()) as port:
        relay = RelaySettings(host="127.0.0.1", port=port, security=Security.NONE)
        mailer = SmtpSessionPool(relay=relay)
        await deliver(mailer)
        assert mailer.connections == 1

    await until(lambda: mailer.connections == 0)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
        ("ada@[IPv6:2001:db8::1]", "ada@[IPv6:2001:db8::1]"),
        ("root@localhost", "root@localhost"),
        ('"a b"@corp.local', '"a b"@corp.local'),
        ('"<x>/../y"@example.org', '"<x>/../y"@example.org'),
    ],
)
async def test_it_takes_internal_and_quoted_addresses(
    catch: MailCatcherSetup, address: str, shown: str
) -> None:
    answer = await deliver(catch.mailer, a_mail(recipient=address))

    assert isinstance(answer, Answered)
    assert answer.reply.code == 250
    [caught] = catch.caught
    assert caught.recipient == shown
    assert caught.eml.parent == catch.folder

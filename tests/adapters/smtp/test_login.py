"""Logins: mechanisms, passwords, and reports of refusals."""

from pathlib import Path
from typing import Any

import pytest

from gcsched.domain.smtp_reply import Answered, Broken, Reply, Stage
from tests.support.relay.connects import PASSWORD, can_send_mail, open_session
from tests.support.relay.server import Answer, At, Relay
from tests.support.wait import until


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "X-OTHER LOGIN PLAIN"])
async def test_it_logs_in_once(mechanisms: str) -> None:
    async with Relay(users={"ada": PASSWORD}, mechanisms=mechanisms) as relay:
        session = await open_session(relay, username="ada", password=lambda: PASSWORD)

        assert await can_send_mail(session)
        assert relay.count_commands("AUTH") == 1
        assert relay.violations == []


async def test_a_wrong_password_is_tried_once_and_reported() -> None:
    async with Relay(security="starttls", users={"ada": PASSWORD}) as relay:
        outcome = await open_session(relay, username="ada", password=lambda: "guess")

        assert outcome == Answered(
            Reply(stage=Stage.AUTH, code=535, enhanced_code="5.7.8", text="wrong user or password")
        )
        assert relay.count_commands("AUTH") == 1
        await until(lambda: not relay.open)


async def test_another_mechanism_is_tried_when_the_relay_does_not_mean_the_first() -> None:
    async with Relay(users={"ada": PASSWORD}) as relay:
        relay.script(At.AUTH, Answer(504, "5.5.4 not this one"), nth=1)

        assert await can_send_mail(
            await open_session(relay, username="ada", password=lambda: PASSWORD)
        )


async def test_the_password_is_read_at_each_login(tmp_path: Path) -> None:
    file = tmp_path / "password"
    async with Relay(users={"ada": PASSWORD}) as relay:
        file.write_text("old")
        first = await open_session(relay, username="ada", password=file.read_text)
        file.write_text(PASSWORD)

        second = await open_session(relay, username="ada", password=file.read_text)

        assert isinstance(first, Answered)
        assert await can_send_mail(second)


@pytest.mark.parametrize("password", [None, lambda: None, lambda: "", Path("/nowhere").read_text])
async def test_a_missing_password_is_reported_and_nothing_is_tried(password: Any) -> None:
    async with Relay(users={"ada": PASSWORD}) as relay:
        outcome = await open_session(relay, username="ada", password=password)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.AUTH
        assert "password" in outcome.reason
        assert relay.count_commands("AUTH") == 0


async def test_a_relay_that_repeats_the_login_is_not_quoted() -> None:
    async with Relay(users={"ada": PASSWORD}) as relay:
        relay.script(At.AUTH, Answer(535, "5.7.8 cannot read AGFkYQBjb3JyZWN0IGhvcnNl"))

        outcome = await open_session(relay, username="ada", password=lambda: PASSWORD)

        assert isinstance(outcome, Answered)
        assert "AGFk" not in str(outcome)


async def test_a_missing_common_mechanism_is_reported() -> None:
    async with Relay(users={"ada": PASSWORD}, mechanisms="GSSAPI") as relay:
        outcome = await open_session(relay, username="ada", password=lambda: PASSWORD)

        assert isinstance(outcome, Broken)
        assert outcome.stage is Stage.AUTH

"""Who calls: by token, by certificate, and by both."""

from datetime import timedelta

import pytest

from gcsched.domain.access import Client
from gcsched.domain.refusal import Refusal, RefusalReason
from gcsched.usecases.access.access_control import AccessControl
from tests.support.builders import NOW, FixedClock
from tests.support.clients import TestToken, client_toml
from tests.support.registry import registry_of

PAYROLL = TestToken(id="payroll0", lines=("expires = 2999-01-01T00:00:00Z",))
NEXT = TestToken(id="payroll1")
OPS = TestToken(id="ops00000")
CLIENTS = (
    client_toml("payroll", ["schedule"], PAYROLL, NEXT, lines=['identities = ["dns:payroll"]']),
    client_toml("ops", ["admin"], OPS, lines=['identities = ["dns:ops", "cn:ops"]']),
    client_toml("tokens-only", ["read"], TestToken(id="tokens00")),
)


class Clocks:
    """The clock of the service, and the monotonic one, which go together."""

    def __init__(self) -> None:
        self.wall = FixedClock(NOW)
        self.seconds = 0.0

    def forward(self, seconds: float) -> None:
        self.wall.advance(timedelta(seconds=seconds))
        self.seconds += seconds


def control(*clients: str, clocks: Clocks | None = None) -> AccessControl:
    clocks = clocks or Clocks()
    return AccessControl(
        registry=registry_of(*(clients or CLIENTS)),
        now=clocks.wall,
        monotonic=lambda: clocks.seconds,
    )


def who(found: Client | Refusal) -> str:
    return found.name if isinstance(found, Client) else found.reason.value


def bearer(token: TestToken, scheme: str = "Bearer") -> list[str]:
    return [f"{scheme} {token.text}"]


@pytest.mark.parametrize("token", [PAYROLL, NEXT])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_each_token_of_a_client_authenticates_it(token: TestToken, scheme: str) -> None:
    access = control()

    assert [who(access.authenticate(bearer(token, scheme))) for _ in range(3)] == ["payroll"] * 3


def test_a_token_that_was_verified_is_compared_as_a_whole_again() -> None:
    access = control()
    access.authenticate(bearer(PAYROLL))
    forged = TestToken(id=PAYROLL.id)

    assert who(access.authenticate(bearer(forged))) == "unknown"
    assert who(access.authenticate([f"Bearer {PAYROLL.text[:-1]}"])) == "malformed"
    assert who(access.authenticate([f"Bearer {PAYROLL.text}ä"])) == "malformed"
    assert who(access.authenticate([f"Bearer {PAYROLL.text[:30]}ä{PAYROLL.text[31:]}"])) == (
        "malformed"
    )
    assert who(access.authenticate(bearer(PAYROLL))) == "payroll"


def test_a_token_ends_at_its_time_also_if_it_was_verified_before() -> None:
    clocks = Clocks()
    ending = TestToken(id="ending00", lines=("expires = 2031-01-01T00:00:00Z",))
    access = control(client_toml("a", ["read"], ending), clocks=clocks)
    left = (access.registry.tokens["ending00"][1].expire_time or NOW) - NOW
    clocks.forward(left.total_seconds() - 1)
    assert who(access.authenticate(bearer(ending))) == "a"

    clocks.forward(1)

    assert access.authenticate(bearer(ending)) == Refusal(RefusalReason.EXPIRED, "a", "ending00")


def test_a_reload_decides_anew_about_each_token() -> None:
    access = control()
    assert who(access.authenticate(bearer(OPS))) == "ops"
    revoked = TestToken(id=OPS.id, secret=OPS.secret, lines=("revoked = 2020-01-01T00:00:00Z",))

    access.use(registry_of(client_toml("ops", ["admin"], revoked)))
    assert access.authenticate(bearer(OPS)) == Refusal(RefusalReason.REVOKED, "ops", OPS.id)

    access.use(registry_of(client_toml("ops", ["read"], OPS)))
    found = access.authenticate(bearer(OPS))
    assert isinstance(found, Client)
    assert found.scopes == {"read"}

    access.use(registry_of(*CLIENTS[:1]))
    assert access.authenticate(bearer(OPS)) == Refusal(RefusalReason.UNKNOWN, token=OPS.id)


@pytest.mark.parametrize(
    ("token", "identities", "found"),
    [
        (None, None, "missing"),
        (None, (), "certificate"),
        (None, ("dns:payroll",), "payroll"),
        (None, ("dns:unknown", "cn:ops"), "ops"),
        (None, ("dns:unknown",), "certificate"),
        (None, ("dns:payroll", "dns:ops"), "certificate"),
        (PAYROLL, ("dns:payroll",), "payroll"),
        (PAYROLL, ("dns:ops",), "mismatch"),
        (PAYROLL, ("dns:unknown",), "certificate"),
        (PAYROLL, (), "certificate"),
        (TestToken(id="unknown0"), ("dns:payroll",), "unknown"),
    ],
)
def test_a_token_and_a_certificate_name_the_same_client(
    token: TestToken | None, identities: tuple[str, ...] | None, found: str
) -> None:
    values = [] if token is None else bearer(token)

    assert who(control().authenticate(values, identities)) == found


def test_refusals_are_counted_by_reason() -> None:
    access = control()
    for refusal in (Refusal(RefusalReason.MISSING), Refusal(RefusalReason.SCOPE, "ops")):
        access.record_refusal(refusal, method="/x/Y", peer=lambda: "ipv4:192.0.2.1:5")

    assert access.refusals == {RefusalReason.MISSING: 1, RefusalReason.SCOPE: 1}

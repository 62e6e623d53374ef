"""What operators see of a service that is open to other machines."""

import pytest

from gcsched.domain.senders import Senders
from gcsched.wiring.access import (
    make_access_reporter,
    warn_if_insecure,
    warn_of_unknown_senders,
)
from gcsched.wiring.tls import Tls
from tests.support.clients import client_toml
from tests.support.log_events import Events
from tests.support.registry import registry_of
from tests.support.settings import load_settings


def test_a_service_that_is_open_to_other_machines_warns_at_its_start(events: Events) -> None:
    settings = load_settings(GRPC_LISTEN="0.0.0.0:50051", ALLOW_INSECURE="1")

    warn_if_insecure(settings)

    [warning] = events
    assert (warning["event"], warning["log_level"]) == ("insecure access allowed", "warning")
    assert warning["grpc"] == "0.0.0.0:50051"
    assert (warning["is_encrypted"], warning["is_controlled"]) == (False, False)
    report = make_access_reporter(settings, None, Tls())()
    assert (report.is_insecure, report.is_controlled, report.clients) == (True, False, 0)


@pytest.mark.parametrize("allowed", ["", "1"])
def test_a_service_on_loopback_warns_of_nothing(allowed: str, events: Events) -> None:
    settings = load_settings(ALLOW_INSECURE=allowed)

    warn_if_insecure(settings)

    assert events == []
    assert not make_access_reporter(settings, None, Tls())().is_insecure


def test_senders_of_a_client_that_the_service_does_not_have_are_logged(events: Events) -> None:
    registry = registry_of(
        client_toml("hr", ["schedule"], lines=['limits = {senders = ["p@example.org", "x@y.org"]}'])
    )
    senders = Senders(default="no-reply@example.org", others=("p@example.org",))

    warn_of_unknown_senders(senders, registry)

    [warning] = events
    assert (warning["log_level"], warning["client"], warning["senders"]) == (
        *("warning", "hr"),
        ["x@y.org"],
    )

from typing import Any

import pytest

from gcsched.bench.failure import BenchFailed
from gcsched.bench.safety import check_safe

DELIVERS = {"relays": ["smtp.example.org:587"], "redirect_to": "", "allowed_recipients": []}


@pytest.mark.parametrize("service", [DELIVERS, {}])
def test_a_relay_counts_as_one_that_delivers(service: dict[str, Any]) -> None:
    with pytest.raises(BenchFailed, match="add --really"):
        check_safe(service, "gcsched:50051", is_confirmed=False)

    check_safe(service, "gcsched:50051", is_confirmed=True)


@pytest.mark.parametrize(
    "setting", [{"redirect_to": "qa@example.org"}, {"allowed_recipients": ["example.org"]}]
)
def test_a_service_that_limits_where_mails_go_is_safe(setting: dict[str, Any]) -> None:
    check_safe({**DELIVERS, **setting}, "gcsched:50051", is_confirmed=False)

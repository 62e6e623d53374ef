"""docs/security.md says who may call what. Oracle: the table that every entrance asks."""

import re
import tomllib
from datetime import UTC, datetime

from gcsched.domain.access import SCOPES, ClientLimits, Scope
from gcsched.domain.client_document import read_registry
from gcsched.domain.refusal import RefusalReason
from tests.support.prose import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_each_scope_has_a_row_with_the_methods_that_it_allows() -> None:
    table = PAGE.partition("<!-- scopes -->")[2].partition("<!-- /scopes -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    documented = {code_spans(scope)[0]: set(code_spans(methods)) for scope, _, methods in rows}

    allowed = {
        scope.value: {act for act, scopes in SCOPES.items() if scope in scopes} for scope in Scope
    }
    assert documented == allowed


def test_each_reason_of_a_refusal_is_explained() -> None:
    table = PAGE.partition("| label `reason` |")[2].partition("\n\n")[0]
    first_cells = [line.split(" | ")[0] for line in table.splitlines()[2:]]

    assert {name for cell in first_cells for name in code_spans(cell)} == set(RefusalReason)


def test_the_file_on_the_page_is_one() -> None:
    [text] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)

    registry = read_registry(tomllib.loads(text))

    client, token = registry.tokens["k3v9x2ab"]
    assert client.name == "payroll"
    assert client.limits.recipient_domains == ("example.org",)
    assert token.expire_time == datetime(2027, 11, 30, 12, tzinfo=UTC)


def test_each_limit_of_a_client_is_explained() -> None:
    table = PAGE.partition("| limit | what it counts or allows |")[2].partition("\n\n")[0]
    first_cells = [line.split(" | ")[0] for line in table.splitlines()[2:]]

    documented = {name for cell in first_cells for name in code_spans(cell)}
    assert documented == set(ClientLimits.__struct_fields__)

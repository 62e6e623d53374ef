"""The settings of TLS: pairs are complete, and files that cannot be used stop the start."""

from pathlib import Path

import pytest
import trustme

from tests.support.certificates import DAY, NOW, PairFiles, issue, write_authority, write_pair
from tests.support.settings import load_settings, settings_problems


@pytest.fixture
def pair(tmp_path: Path) -> PairFiles:
    return write_pair(tmp_path, issue(trustme.CA()))


@pytest.mark.parametrize("listener", ["GRPC", "HTTP", "CONSOLE"])
def test_a_certificate_and_its_key_are_given_together(listener: str, pair: PairFiles) -> None:
    chain, key = f"{listener}_TLS_CERT_FILE", f"{listener}_TLS_KEY_FILE"

    assert settings_problems(**{chain: str(pair.chain)}) == [
        f"GCSCHED_{chain} is given without GCSCHED_{key}: give both or none"
    ]
    assert settings_problems(**{key: str(pair.key)}) == [
        f"GCSCHED_{chain} is missing: GCSCHED_{key} is given, so give both or none"
    ]
    settings = load_settings(**{chain: str(pair.chain), key: str(pair.key)})
    assert getattr(settings, chain.lower()) == pair.chain
    assert getattr(settings, key.lower()) == pair.key


def test_without_settings_there_is_no_tls() -> None:
    settings = load_settings()

    assert settings.grpc_tls_cert_file is settings.grpc_client_ca_file is None


def test_each_file_that_cannot_be_used_is_named_with_its_variable(
    tmp_path: Path, pair: PairFiles
) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing", encoding="utf-8")

    problems = settings_problems(
        GRPC_TLS_CERT_FILE=str(pair.chain),
        GRPC_TLS_KEY_FILE=str(bad),
        GRPC_CLIENT_CA_FILE=str(pair.chain),
        HTTP_TLS_CERT_FILE=str(tmp_path / "none"),
        HTTP_TLS_KEY_FILE=str(pair.key),
    )

    named = {each.partition(" cannot be used: ")[0]: each for each in problems}
    problem_of_key = f"'{bad}': it contains no private key in PEM format; give"
    assert problem_of_key in named["GCSCHED_GRPC_TLS_KEY_FILE"]
    problem_of_ca = f"'{pair.chain}': its certificate is not one of an authority (CA:FALSE); give"
    assert problem_of_ca in named["GCSCHED_GRPC_CLIENT_CA_FILE"]
    problem_of_chain = f"'{tmp_path / 'none'}': file not found; give"
    assert problem_of_chain in named["GCSCHED_HTTP_TLS_CERT_FILE"]
    assert len(problems) == 3


def test_an_expired_certificate_stops_the_start(tmp_path: Path) -> None:
    files = write_pair(tmp_path, issue(trustme.CA(), start=NOW - 2 * DAY, end=NOW - DAY))

    (problem,) = settings_problems(
        GRPC_TLS_CERT_FILE=str(files.chain), GRPC_TLS_KEY_FILE=str(files.key)
    )

    assert problem.startswith(f"GCSCHED_GRPC_TLS_CERT_FILE cannot be used: '{files.chain}': it exp")
    assert problem.endswith("; renew it")


def test_certificates_of_callers_need_tls(tmp_path: Path, pair: PairFiles) -> None:
    authorities = str(write_authority(tmp_path, trustme.CA()))

    problems = settings_problems(GRPC_CLIENT_CA_FILE=authorities)

    assert problems[0].startswith(
        "GCSCHED_GRPC_CLIENT_CA_FILE is given without GCSCHED_GRPC_TLS_CERT_FILE: "
    )
    clients = tmp_path / "clients.toml"
    clients.touch()
    settings = load_settings(
        GRPC_CLIENT_CA_FILE=authorities,
        CLIENTS_FILE=str(clients),
        GRPC_TLS_CERT_FILE=str(pair.chain),
        GRPC_TLS_KEY_FILE=str(pair.key),
    )
    assert settings.grpc_client_ca_file == Path(authorities)

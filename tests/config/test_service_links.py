"""Kubernetes' variables for Services; oracle: what a kubelet sets for one, by its documentation."""

import pytest
from structlog.testing import capture_logs

from gcsched.config.connections import ConnectionSettings
from gcsched.config.settings import Settings, find_ignored_links, find_unknown_names, read_settings
from gcsched.errors import SettingsProblems
from gcsched.hosting import log_ignored_settings

REQUIRED = {
    "GCSCHED_MONGO_URI": "mongodb://db.example.org/invitations?replicaSet=rs0",
    "GCSCHED_REDIS_URL": "redis://redis.example.org:6379/0",
    "GCSCHED_SMTP_HOST": "smtp.example.org",
    "GCSCHED_SENDER_EMAIL": "no-reply@example.org",
}
SERVICES = [
    "gcsched",
    "gcsched-smtp",
    "gcsched-fallback-smtp",
    "gcsched-reuse",
    "gcsched-mongo",
    "gcsched-redis",
    "gcsched-grpc",
    "gcsched-http",
    "gcsched-smtp-sessions",
    "gcsched-2",
]


def link_variables(
    service: str, *, address: str = "10.3.104.47", port: int = 25, protocol: str = "tcp"
) -> dict[str, str]:
    """Return the variables of a pod that starts after *service* was made, its port named `mail`."""
    name = service.upper().replace("-", "_")
    host = f"[{address}]" if ":" in address else address
    link = f"{name}_PORT_{port}_{protocol.upper()}"
    return {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_SERVICE_PORT_MAIL": str(port),
        f"{name}_PORT": f"{protocol}://{host}:{port}",
        link: f"{protocol}://{host}:{port}",
        f"{link}_PROTO": protocol,
        f"{link}_PORT": str(port),
        f"{link}_ADDR": address,
    }


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("protocol", ["tcp", "udp", "sctp"])
@pytest.mark.parametrize("address", ["10.3.104.47", "fd00::7"])
def test_a_service_in_the_namespace_changes_no_setting(
    service: str, protocol: str, address: str
) -> None:
    made = link_variables(service, address=address, protocol=protocol)

    settings = read_settings(REQUIRED | made)

    assert settings == read_settings(REQUIRED)
    assert find_ignored_links(REQUIRED | made) == sorted(made)
    assert find_unknown_names(REQUIRED | made) == []


def test_every_setting_that_a_service_can_name_is_ignored() -> None:
    """A Service `gcsched-x` sets GCSCHED_X_PORT: so each setting that ends so."""
    fields = {*Settings.model_fields, *ConnectionSettings.model_fields}
    ports = {f"GCSCHED_{field.upper()}" for field in fields if field.endswith("_port")}

    assert {"GCSCHED_SMTP_PORT", "GCSCHED_FALLBACK_SMTP_PORT", "GCSCHED_REUSE_PORT"} <= ports
    for name in ports:
        assert read_settings(REQUIRED | {name: "tcp://10.3.104.47:25"}) == read_settings(REQUIRED)


def test_ignored_links_are_logged_in_one_line_with_the_values_used() -> None:
    environ = REQUIRED | link_variables("gcsched-smtp") | {"GCSCHED_MONGO_URL": "x"}

    with capture_logs() as logs:
        log_ignored_settings(read_settings(environ), environ)

    unknown, links = logs
    assert unknown["settings"] == ["GCSCHED_MONGO_URL"]
    assert links["event"] == "service links ignored"
    assert links["log_level"] == "warning"
    assert links["settings"] == sorted(link_variables("gcsched-smtp"))
    assert links["used"] == {"GCSCHED_SMTP_PORT": 587}
    assert "enableServiceLinks: false" in links["advice"]


def test_without_links_nothing_is_logged() -> None:
    with capture_logs() as logs:
        log_ignored_settings(read_settings(REQUIRED), REQUIRED)

    assert logs == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GCSCHED_SMTP_PORT", "tcp://"),
        ("GCSCHED_SMTP_PORT", "tcp://host"),
        ("GCSCHED_SMTP_PORT", "http://10.3.104.47:25"),
        ("GCSCHED_SMTP_HOST", "tcp://10.3.104.47:25"),
        ("GCSCHED_MONGO_URI", "tcp://10.3.104.47:27017"),
        ("GCSCHED_GRPC_LISTEN", "tcp://10.3.104.47:50051"),
    ],
)
def test_a_value_that_is_not_a_link_is_refused_as_ever(name: str, value: str) -> None:
    with pytest.raises(SettingsProblems) as caught:
        read_settings(REQUIRED | {name: value})

    (sentence,) = caught.value.sentences
    assert sentence.startswith(name)


@pytest.mark.parametrize("name", ["GCSCHED_REPORT", "GCSCHED_SMTP_PORTS", "GCSCHED_SERVICE"])
def test_a_misspelt_variable_is_still_found(name: str) -> None:
    assert find_unknown_names(REQUIRED | {name: "tcp://10.3.104.47:25"}) == [name]

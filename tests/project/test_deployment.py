"""The image, the compose file and the manifests match what the program expects."""

import os
import re
import shutil
import stat
import string
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from gcsched import __version__
from gcsched.client import AsyncClient, Tls
from gcsched.config.settings import Settings, find_unknown_names, read_settings
from gcsched.pb import task_pb2
from gcsched.process.certificates import Certificate
from gcsched.process.key_pairs import read_key_pair
from tests.support.fake_scheduler import ACCEPTED, fake_scheduler

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DEPLOYMENT, _, CONSOLE_SERVICE = yaml.safe_load_all(
    (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
)
POD = DEPLOYMENT["spec"]["template"]["spec"]
SECRETS = ROOT / "deploy" / "secrets"
ACCESS_FILES = ("clients.toml", "operator.token", "tls.crt", "tls.key")
DEPLOYMENT_FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", ROOT / "deploy/kubernetes.yaml"]


def instructions(name: str) -> list[str]:
    """Return the arguments of each *name* instruction in the Dockerfile, continued lines joined."""
    comments_gone = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", " ", comments_gone)
    return re.findall(rf"^{name} +(.*)$", joined, flags=re.MULTILINE)


def seconds(duration: str) -> timedelta:
    return timedelta(seconds=int(duration.removesuffix("s")))


def make_secrets(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", folder / "make.sh", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "NAMESPACE": "mail"},
    )


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder of secrets as a clone has it."""
    made_here = shutil.ignore_patterns(*COMPOSE["secrets"], "access", "ca.*", "tls.names")
    return Path(shutil.copytree(SECRETS, tmp_path / "secrets", ignore=made_here))


@pytest.mark.parametrize("file", DEPLOYMENT_FILES, ids=lambda file: file.name)
def test_only_settings_that_exist_are_named(file: Path) -> None:
    named = set(re.findall(r"GCSCHED_[A-Z_]+", file.read_text(encoding="utf-8")))
    as_files = set(re.findall(r"\bgcsched_[a-z_]+", file.read_text(encoding="utf-8")))

    unknown = find_unknown_names(dict.fromkeys(named | {name.upper() for name in as_files}, "x"))
    assert unknown == []


def test_each_secret_has_an_example() -> None:
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}

    assert used == set(COMPOSE["secrets"]) == {path.stem for path in SECRETS.glob("*.example")}
    for name, secret in COMPOSE["secrets"].items():
        assert ROOT / secret["file"] == SECRETS / name


def test_secrets_are_made_once(secrets: Path) -> None:
    first = make_secrets(secrets)
    made = contents(secrets)

    second = make_secrets(secrets)

    assert (first.returncode, second.returncode) == (0, 0)
    assert (first.stderr, second.stderr) == ("", "")
    assert contents(secrets) == made


def test_only_their_owner_reaches_the_secrets_and_any_user_of_a_container_reads_them(
    secrets: Path,
) -> None:
    make_secrets(secrets)

    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for name in [*COMPOSE["secrets"], *(f"access/{name}" for name in ACCESS_FILES)]:
        assert stat.S_IMODE((secrets / name).stat().st_mode) & ~0o200 == 0o444
    assert stat.S_IMODE((secrets / "access").stat().st_mode) == 0o755
    assert stat.S_IMODE((secrets / "ca.key").stat().st_mode) == 0o400


def test_secrets_are_not_mixed_with_older_ones(secrets: Path) -> None:
    make_secrets(secrets)
    (secrets / "redis_auth").unlink()

    again = make_secrets(secrets)

    assert again.returncode == 1
    assert "missing: redis_auth" in again.stderr


def test_secrets_of_an_earlier_version_are_completed(secrets: Path) -> None:
    make_secrets(secrets)
    made = contents(secrets)
    shutil.rmtree(secrets / "access")
    for name in ("ca.key", "ca.pem", "tls.names"):
        (secrets / name).unlink()

    again = make_secrets(secrets)

    assert again.returncode == 0
    assert contents(secrets).keys() == made.keys()
    for name in COMPOSE["secrets"]:
        assert (secrets / name).read_bytes() == made[secrets / name]


def read_certificate(secrets: Path) -> Certificate:
    access = secrets / "access"
    pair = read_key_pair(access / "tls.crt", access / "tls.key", now=datetime.now(UTC))
    return pair.certificate


async def test_callers_that_trust_the_authority_reach_the_service_by_its_names(
    secrets: Path,
) -> None:
    made = make_secrets(secrets, "gcsched.example.org", "192.0.2.1", "2001:db8::1")

    assert made.returncode == 0, made.stderr
    hosts = read_certificate(secrets).hosts
    assert set(hosts) == {
        *("localhost", "127.0.0.1", "0:0:0:0:0:0:0:1", "gcsched", "gcsched.mail"),
        *("gcsched.mail.svc", "gcsched.mail.svc.cluster.local"),
        *("gcsched.example.org", "192.0.2.1", "2001:DB8:0:0:0:0:0:1"),
    }
    access = secrets / "access"
    credentials = grpc.ssl_server_credentials(
        [((access / "tls.key").read_bytes(), (access / "tls.crt").read_bytes())]
    )
    async with fake_scheduler(credentials, ScheduleMeet=ACCEPTED) as server:
        tls = Tls(ca_file=secrets / "ca.pem")
        async with AsyncClient(server.target, credentials=tls) as client:
            assert await client.call("ScheduleMeet", task_pb2.MeetRequest()) == ACCEPTED
    assert make_secrets(secrets, "renew", "a/b").stderr.startswith("invalid name 'a/b'")


def test_a_renewed_certificate_is_of_the_same_authority_and_for_the_same_names(
    secrets: Path,
) -> None:
    make_secrets(secrets, "gcsched.example.org")
    before, made = read_certificate(secrets), contents(secrets)

    renewed = make_secrets(secrets, "renew")

    assert (renewed.returncode, renewed.stdout) == (0, "made: access/tls.key access/tls.crt\n")
    assert read_certificate(secrets).hosts == before.hosts
    changed = {path for path, octets in contents(secrets).items() if made[path] != octets}
    assert changed == {secrets / "access/tls.key", secrets / "access/tls.crt"}
    (secrets / "ca.key").unlink()
    assert "bring them back" in make_secrets(secrets, "renew").stderr


def test_the_token_has_the_form_of_tokens_and_its_digest_is_in_the_clients_file(
    secrets: Path,
) -> None:
    make_secrets(secrets)

    line = (secrets / "access/operator.token").read_text(encoding="ascii")
    found = re.fullmatch(r"(gcs_([a-z0-9]{8})_([A-Za-z0-9_-]{43}))([0-9A-Za-z]{6})\n", line)
    assert found is not None, line
    before, token_id, secret, check = found.groups()
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    written = sum(digits.index(each) * 62**place for place, each in enumerate(reversed(check)))
    assert written == zlib.crc32(before.encode())
    clients = tomllib.loads((secrets / "access/clients.toml").read_text(encoding="utf-8"))
    operator = clients["clients"]["operator"]
    (token,) = operator["tokens"]
    assert operator["scopes"] == ["admin"]
    assert token["id"] == token_id
    assert token["sha256"] == sha256(secret.encode()).hexdigest()
    assert timedelta(days=364) < token["expires"] - token["created"] < timedelta(days=367)


def test_gcsched_and_its_stores_have_the_same_passwords(secrets: Path) -> None:
    make_secrets(secrets)

    settings = read_settings(compose_environment(secrets))

    password = (secrets / "mongo_gcsched_password").read_text().strip()
    assert f"//gcsched:{password}@mongo:27017/" in settings.mongo_uri.get_secret_value()
    password = (secrets / "redis_auth").read_text().strip().removeprefix("requirepass ")
    assert settings.redis_url.get_secret_value() == f"redis://:{password}@redis:6379/0"
    assert len({path.read_text() for path in secrets.glob("*_password")}) == 2


def compose_environment(secrets: Path) -> dict[str, str]:
    """Return the environment of gcsched in compose.yaml, for the *secrets* where they are here."""
    given: dict[str, str] = SERVICES["gcsched"]["environment"]
    (mount,) = SERVICES["gcsched"]["volumes"]
    assert mount["source"] == "./deploy/secrets/access"
    found = {
        name: value.replace(mount["target"], f"{secrets}/access") for name, value in given.items()
    }
    return found | {"GCSCHED_SECRETS_DIR": str(secrets)}


def manifest_environment(secrets: Path) -> dict[str, str]:
    """Return the environment of the manifest, for the *secrets* where they are here."""
    (secrets / "gcsched_smtp_password").write_text("s3cret")
    given = {each["name"]: each["value"] for each in POD["containers"][0]["env"]}
    folders = {each["name"]: each["mountPath"] for each in POD["containers"][0]["volumeMounts"]}
    found = given
    for name in ("tls", "clients"):
        found = {
            key: text.replace(folders[name], f"{secrets}/access") for key, text in found.items()
        }
    return found | {"GCSCHED_SECRETS_DIR": str(secrets)}


def test_the_manifest_is_a_complete_set_of_settings(secrets: Path) -> None:
    make_secrets(secrets)

    settings = read_settings(manifest_environment(secrets))

    assert settings.smtp_security == "starttls"


@pytest.mark.parametrize("environment_of", [compose_environment, manifest_environment])
def test_deployments_come_closed(
    environment_of: Callable[[Path], dict[str, str]], secrets: Path
) -> None:
    make_secrets(secrets)
    environment = environment_of(secrets)

    settings = read_settings(environment)

    assert settings.grpc_tls_cert_file == secrets / "access/tls.crt"
    assert settings.grpc_tls_key_file == secrets / "access/tls.key"
    assert environment["GCSCHED_CLIENTS_FILE"] == str(secrets / "access/clients.toml")


@pytest.mark.parametrize("file", DEPLOYMENT_FILES, ids=lambda file: file.name)
def test_no_deployment_switches_protection_off(file: Path) -> None:
    assert "ALLOW_INSECURE" not in file.read_text(encoding="utf-8")
    assert "GCSCHED_TLS" not in file.read_text(encoding="utf-8")


def test_secrets_of_the_pod_are_folders_that_kubernetes_updates() -> None:
    mounts = POD["containers"][0]["volumeMounts"]

    assert {each["name"] for each in mounts} == {each["name"] for each in POD["volumes"]}
    assert all("subPath" not in each and each["readOnly"] for each in mounts)


def pod_specs(manifest: object) -> Iterator[dict[str, Any]]:
    """Yield each pod specification in *manifest*, in any kind of workload."""
    if isinstance(manifest, dict):
        if "containers" in manifest:
            yield manifest
        for each in manifest.values():
            yield from pod_specs(each)
    elif isinstance(manifest, list):
        for each in manifest:
            yield from pod_specs(each)


def test_services_of_the_namespace_set_no_gcsched_variables() -> None:
    files = [*(ROOT / "deploy").rglob("*.yaml"), *(ROOT / "deploy").rglob("*.yml")]
    documents = [list(yaml.safe_load_all(each.read_text(encoding="utf-8"))) for each in files]
    found = list(pod_specs(documents))

    assert found
    assert [spec.get("enableServiceLinks") for spec in found] == [False] * len(found)


@pytest.mark.parametrize(
    "grace",
    [
        seconds(SERVICES["gcsched"]["stop_grace_period"]),
        timedelta(seconds=POD["terminationGracePeriodSeconds"]),
    ],
    ids=["compose", "kubernetes"],
)
def test_the_grace_period_is_longer_than_an_orderly_stop(grace: timedelta) -> None:
    own = timedelta(seconds=Settings.model_fields["stop_grace_seconds"].default)

    assert grace >= own + timedelta(seconds=10), "the other steps of a stop need time as well"


def test_the_build_runs_no_program_but_python3() -> None:
    unquoted = re.sub(r"'[^']*'", "TEXT", "\n".join(instructions("RUN")))
    called = re.findall(r"(?:^|&&|;|\bthen|\belse|\bif) *([^\s;]+)", unquoted, re.MULTILINE)

    assert {Path(word).name for word in called} - {"if", "then", "fi"} == {"python3"}


def test_each_image_has_a_version() -> None:
    base = instructions("ARG")[0].removeprefix("PYTHON_IMAGE=")
    named = [service["image"] for service in SERVICES.values()]

    for image in [base, *named, POD["containers"][0]["image"]]:
        assert re.search(r":v?\d", image), image


def test_the_version_is_the_one_of_the_package() -> None:
    assert f"VERSION={__version__}" in instructions("ARG")
    assert SERVICES["gcsched"]["image"].endswith(f":{__version__}")
    assert POD["containers"][0]["image"].endswith(f":{__version__}")


def test_the_build_context_holds_the_files_of_the_package_and_nothing_else() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = pyproject["project"]
    inputs = {*wheel["packages"], *wheel["force-include"], project["readme"]}
    first, *included = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if not line.startswith(("#", "**"))
    ]
    copied = {
        name.removeprefix("./")
        for line in instructions("COPY")
        for name in line.split()[:-1]
        if not line.startswith("--from")
    }

    assert first == "*"
    assert {line.removeprefix("!") for line in included} == copied
    licenses = {Path(file).parts[0] for file in project["license-files"]}
    assert copied == inputs | licenses | {"pyproject.toml"}


def test_the_image_installs_the_client_the_service_and_the_fast_loop() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (lister,) = re.findall(
        r"python3 -c '([^']+)' > requirements\.txt", " ".join(instructions("RUN"))
    )

    listed = subprocess.run(
        [sys.executable, "-c", lister], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert listed.stdout.split("\n")[:-1] == [
        *project["dependencies"],
        *extras["server"],
        *extras["fast"],
    ]


def test_the_image_sets_where_it_listens_and_does_not_run_as_root() -> None:
    assert "GCSCHED_GRPC_LISTEN=0.0.0.0:50051" in instructions("ENV")[-1]
    assert "GCSCHED_HTTP_LISTEN=0.0.0.0:8080" in instructions("ENV")[-1]
    assert instructions("EXPOSE") == ["50051 8080 8090"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions("USER")[-1])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined_and_has_a_health_check(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "build" in service or service["user"] not in {"root", "0"}
    assert service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_gcsched_starts_when_the_services_it_needs_are_healthy() -> None:
    needed = SERVICES["gcsched"]["depends_on"]

    assert set(needed) == set(SERVICES) - {"gcsched"}
    assert all(rule == {"condition": "service_healthy"} for rule in needed.values())


def test_both_deployments_serve_the_console_closed() -> None:
    (container,) = POD["containers"]
    pod = {each["name"]: each["value"] for each in container["env"]}
    for environment in (pod, SERVICES["gcsched"]["environment"]):
        assert environment["GCSCHED_CONSOLE_LISTEN"] == "0.0.0.0:8090"
        assert environment["GCSCHED_CONSOLE_TLS_CERT_FILE"].endswith("/tls.crt")
        assert environment["GCSCHED_CLIENTS_FILE"].endswith("/clients.toml")
        assert "GCSCHED_ALLOW_INSECURE" not in environment
    assert "127.0.0.1:8090:8090" in SERVICES["gcsched"]["ports"]
    assert {"name": "console", "containerPort": 8090} in container["ports"]
    [port] = CONSOLE_SERVICE["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (8090, "console")
    assert CONSOLE_SERVICE["spec"]["selector"] == DEPLOYMENT["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize(("probe", "path"), [("liveness", "/livez"), ("readiness", "/servez")])
def test_the_probes_use_existing_paths_and_ports(probe: str, path: str) -> None:
    (container,) = POD["containers"]

    assert container[f"{probe}Probe"]["httpGet"] == {"port": "http", "path": path}
    assert {"name": "http", "containerPort": 8080} in container["ports"]
    assert "startupProbe" not in container, "without MongoDB it is alive but not ready"

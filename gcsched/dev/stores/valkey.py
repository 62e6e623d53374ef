"""A real Valkey on a folder, with persistence: on a Unix socket, or on 127.0.0.1."""

import secrets
import shutil
import tempfile
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import ConnectionError as NotReady

from gcsched.dev.stores.binaries import find_valkey
from gcsched.dev.stores.children import LOOPBACK, ChildProcess, free_port
from gcsched.dev.stores.machine import ensure_supported_system
from gcsched.dev.stores.server import run_server

MAX_SOCKET_PATH = 100  # bytes: the kernel takes 107 on Linux, 103 on macOS


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyOptions:
    port: int | None = None  # None: a Unix socket; 0: any free port
    password: str | None = None
    databases: int = 16
    start_timeout: timedelta = timedelta(seconds=30)


class Valkey:
    """A Valkey on one folder and one address; it may be launched again after its end."""

    def __init__(
        self, folder: Path, options: ValkeyOptions | None = None, *, lock: int | None = None
    ) -> None:
        ensure_supported_system()
        self.folder = folder.resolve()
        self.options = options or ValkeyOptions()
        port = self.options.port
        self.port = None if port is None else free_port(port)
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = socket_path(self.folder)
        self.child = ChildProcess(
            name="valkey-server",
            command=[str(find_valkey()), *self._flags()],
            log=folder / "valkey.log",
            lock=lock,
            start_timeout_seconds=self.options.start_timeout.total_seconds(),
        )

    @property
    def url(self) -> str:
        """The address as redis-py expects it; the path of a socket is percent-encoded."""
        password = self.options.password
        user = f":{quote(password, '')}@" if password else ""
        if self.port is None:
            return f"unix://{user}{quote(str(self.socket))}"
        return f"redis://{user}{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.pid

    def launch(self) -> None:
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        self.child.launch()

    def wait_ready(self) -> None:
        with Redis.from_url(self.url, socket_connect_timeout=1, socket_timeout=1) as client:
            self.child.wait_for(lambda: _answers(client))

    def close(self) -> None:
        self.child.close()
        if self.socket.parent != self.folder:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def _flags(self) -> list[str]:
        # A crash may lose the last second of wake-ups, which the sweep restores from MongoDB. They
        # must not be evicted. No snapshots: the append-only file is enough.
        flags = ["--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "everysec"]
        flags += ["--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no"]
        flags += ["--databases", str(self.options.databases)]
        if self.port is None:
            flags += ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        else:
            flags += ["--port", str(self.port), "--bind", LOOPBACK]
        if self.options.password:
            flags += ["--requirepass", self.options.password]
        return flags


def run_valkey(
    folder: Path, options: ValkeyOptions | None = None, *, lock: int | None = None
) -> AbstractAsyncContextManager[Valkey]:
    """Run a Valkey on *folder* until the block ends; it is ready once it answers."""
    return run_server(Valkey(folder, options, lock=lock))


def socket_path(folder: Path) -> Path:
    """Return the path of the socket: inside *folder*, or in the temp folder if that is too long."""
    inside = folder / "valkey.sock"
    if len(bytes(inside)) <= MAX_SOCKET_PATH:
        return inside
    return Path(tempfile.gettempdir()) / f"gcsched-{secrets.token_hex(8)}" / "valkey.sock"


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except NotReady:  # it does not listen yet, or is still loading its data
        return False

"""The requirements of the embedded servers, and the errors for machines that lack them."""

import ctypes
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from gcsched.errors import EmbeddedStoreProblem

OLDEST_GLIBC = (2, 34)
OWN_SERVERS_ADVICE = (
    "point `python -m gcsched serve` at your own servers "
    "with GCSCHED_MONGO_URI and GCSCHED_REDIS_URL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The facts that decide whether mongod from the wheel runs here."""

    system: str  # platform.system(): Linux, Darwin, Windows
    processor: str  # platform.machine(): x86_64, aarch64
    processor_flags: frozenset[str]
    glibc: tuple[int, ...] | None  # None: another C library
    has_libcurl: bool
    has_pycurl: bool  # with its own libcurl, as in its wheels


def explain_unsupported_system(system: str) -> str | None:
    if system in {"Linux", "Darwin"}:
        return None
    return (
        f"python -m gcsched dev cannot start MongoDB and Valkey on {system}: "
        f"run it on Linux (WSL works too), or {OWN_SERVERS_ADVICE}"
    )


def explain_unsupported_mongod(machine: Machine) -> str | None:
    """Return why the wheel's mongod cannot run on *machine*; None when it can."""
    if sentence := explain_unsupported_system(machine.system):
        return sentence
    if machine.system != "Linux":
        return None
    if machine.processor == "x86_64" and "avx" not in machine.processor_flags:
        return (
            "the bundled mongod needs a processor with AVX, which this one lacks: "
            f"put a mongod that runs without AVX on PATH, or {OWN_SERVERS_ADVICE}"
        )
    if machine.glibc is None or machine.glibc < OLDEST_GLIBC:
        needed = _format_version(OLDEST_GLIBC)
        found = "another C library" if machine.glibc is None else _format_version(machine.glibc)
        return (
            f"the bundled mongod needs glibc {needed} or newer, found {found}: "
            f"use a newer Linux, put another mongod on PATH, or {OWN_SERVERS_ADVICE}"
        )
    if not (machine.has_libcurl or machine.has_pycurl):
        return (
            "the bundled mongod needs libcurl.so.4: "
            "install the package libcurl4, or run `pip install pycurl`, which has a copy"
        )
    return None


def ensure_supported_system() -> None:
    if sentence := explain_unsupported_system(platform.system()):
        raise EmbeddedStoreProblem(sentence)


def this_machine() -> Machine:
    return Machine(
        system=platform.system(),
        processor=platform.machine(),
        processor_flags=_read_processor_flags(),
        glibc=_find_glibc_version(),
        has_libcurl=_has_libcurl(),
        has_pycurl=find_pycurl_libcurl() is not None,
    )


def find_pycurl_libcurl() -> Path | None:
    try:
        files = metadata.files("pycurl") or []
    except metadata.PackageNotFoundError:
        return None
    copies = (Path(str(file.locate())) for file in files if file.name.startswith("libcurl-"))
    return next((copy.resolve() for copy in copies if copy.exists()), None)


def _format_version(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _read_processor_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.startswith("flags"))
    return frozenset(next(flags, "").split())


def _find_glibc_version() -> tuple[int, ...] | None:
    library, version = platform.libc_ver()
    if library != "glibc":
        return None
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _has_libcurl() -> bool:
    if sys.platform != "linux":
        return True
    try:
        ctypes.CDLL("libcurl.so.4")
    except OSError:
        return False
    return True

"""Fake figures of a relay's sessions, without a relay."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FakeSessions:
    name: str
    connections: int = 0
    busy: int = 0
    limit: int = 16

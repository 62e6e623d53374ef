"""The port of access: the source of clients."""

from typing import Protocol

from gcsched.domain.client_registry import ClientRegistry


class ClientSource(Protocol):
    """The file of clients."""

    async def read(self) -> ClientRegistry:
        """Return the clients, the same object while nothing has changed.

        Raises SettingsProblems with all that is wrong.
        """

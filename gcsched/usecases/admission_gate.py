"""Ask, before a dedup key is taken, whether the store keeps it unique."""

from collections.abc import Awaitable, Callable

MayAdmit = Callable[[], Awaitable[None]]
"""Asked before a dedup key is taken; raises AdmissionClosed while nothing would keep it unique."""


async def always() -> None:
    """Admit everything: the default where the indexes are not looked after."""

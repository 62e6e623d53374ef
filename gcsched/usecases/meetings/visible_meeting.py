"""The meetings that a caller may know of: others are unknown to it, whatever their state."""

from collections.abc import Awaitable, Callable

from gcsched.domain.access import Client
from gcsched.domain.meetings.meeting import Meeting
from gcsched.errors import UnknownMeeting, UnreadableMeeting


async def find_visible_meeting(
    find: Callable[[str], Awaitable[Meeting | None]], meeting_id: str, client: Client
) -> Meeting:
    """Return the meeting that *find* returns if *client* may see it.

    Raises UnknownMeeting, and UnreadableMeeting if *client* may see that meeting.
    """
    try:
        meeting = await find(meeting_id)
    except UnreadableMeeting as error:
        if client.may_see(error.client):
            raise
        raise UnknownMeeting(meeting_id) from None
    if meeting is None or not client.may_see(meeting.client):
        raise UnknownMeeting(meeting_id)
    return meeting

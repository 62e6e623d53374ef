"""The addresses of the pages about meetings."""

from gcsched.web.console.pages import meeting, meeting_acts, meetings
from gcsched.web.console.routing import Handler, Kind, Route

PAGE = "/meetings/{id}"


def of_meeting(name: str, act: str, handler: Handler) -> Route:
    """Return the route of an act on one meeting, whose page it belongs to."""
    path = f"{PAGE}/{name}"
    return Route(method="POST", path=path, act=act, handler=handler, kind=Kind.ACT, page=PAGE)


ROUTES = (
    Route(method="GET", path="/meetings", act="ListMeetings", handler=meetings.show),
    Route(
        method="POST",
        path="/meetings",
        act="ListMeetings",
        handler=meetings.act,
        kind=Kind.ACT,
        page="/meetings",
    ),
    Route(method="GET", path=PAGE, act="GetMeeting", handler=meeting.show),
    Route(
        method="GET",
        path=f"{PAGE}/calendar",
        act="GetMeetingCalendar",
        handler=meeting.send_calendar,
    ),
    of_meeting("move", "UpdateMeeting", meeting_acts.move),
    of_meeting("edit", "UpdateMeeting", meeting_acts.edit),
    of_meeting("cancel", "CancelMeeting", meeting_acts.cancel),
    of_meeting("add", "AddAttendees", meeting_acts.add),
    of_meeting("remove", "RemoveAttendees", meeting_acts.remove),
)

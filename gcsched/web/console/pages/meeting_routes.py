"""The addresses of the pages about meetings."""

from gcsched.web.console.pages import meeting, meeting_acts, meetings
from gcsched.web.console.routing import Route, of_one, of_page

PAGE = "/meetings/{id}"


ROUTES = (
    Route(method="GET", path="/meetings", act="ListMeetings", handler=meetings.show),
    of_page("/meetings", "/meetings", "ListMeetings", meetings.act),
    Route(method="GET", path=PAGE, act="GetMeeting", handler=meeting.show),
    Route(
        method="GET",
        path=f"{PAGE}/calendar",
        act="GetMeetingCalendar",
        handler=meeting.send_calendar,
    ),
    of_one(PAGE, "move", "UpdateMeeting", meeting_acts.move),
    of_one(PAGE, "edit", "UpdateMeeting", meeting_acts.edit),
    of_one(PAGE, "cancel", "CancelMeeting", meeting_acts.cancel),
    of_one(PAGE, "add", "AddAttendees", meeting_acts.add),
    of_one(PAGE, "remove", "RemoveAttendees", meeting_acts.remove),
)

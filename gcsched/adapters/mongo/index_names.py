"""The names of the indexes, by which every statement names the one that it uses."""

# MongoDB's planner caches a plan that won while a collection was small, and keeps it when the
# collection has grown. So every statement names its index with one of these hints, and a missing
# index is an error at once instead of a slow scan.
BY_ID = "_id_"
BY_CLAIM = "claim"
BY_DEDUP_KEY = "dedup_key"
BY_REQUEST_ID = "request_id"
BY_STATE_AND_DUE = "state_due_id"
BY_PRIORITY = "priority_state_due"
BY_REQUEST_ID_AND_ID = "request_id_id"
BY_OWN_REQUEST_ID = "own_request_id_client"
BY_OWN_REQUEST_ID_AND_ID = "own_request_id_id"
BY_CLIENT = "client_id"
BY_CLIENT_AND_STATE = "client_state_due_id"
BY_EMPID = "empid_id"
BY_EMAIL = "email_id"
BY_FOLDED = "folded_id"
BY_ERASED = "email_folded"
BY_WHO = "who_id"
BY_SUBJECT = "subjects_id"
BY_ATTENDEE = "attendees_empid_id"
BY_MEETING = "invitation_meeting_id"
BY_CHECK_TIME = "check"
BY_START = "start_id"
BY_ORGANIZER = "organizer_start_id"
BY_ATTENDEE_ADDRESS = "attendees_folded_id"
BY_CLIENT_AND_START = "client_start_id"
BY_CLIENT_AND_ORGANIZER = "client_organizer_start_id"

# An index cannot change its keys, so `empid_id` and `email_id` replaced these. `state_due_id`
# replaced `state_due` as well, and no statement names `lease` any more, but processes of a previous
# version name them in every claim or sweep, and create them at their start: an operator drops these
# two when none of those processes runs any more (ADR 0033).
RETIRED_INDEXES = ("empid_created", "email_created")

CLIENT_INDEXES = frozenset(
    {
        *(BY_OWN_REQUEST_ID, BY_OWN_REQUEST_ID_AND_ID, BY_CLIENT, BY_CLIENT_AND_STATE),
        *(BY_CLIENT_AND_START, BY_CLIENT_AND_ORGANIZER),
    }
)
"""The indexes of what named clients made, which exist only where access is controlled (ADR 0039).

They would be empty elsewhere, but MongoDB looks at each of them when a document changes.
"""

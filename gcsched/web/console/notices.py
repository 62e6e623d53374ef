"""What a page says after an act that was done, by the word in its address."""

from collections.abc import Mapping

NOTICES: Mapping[str, str] = {
    "resumed": "Sending goes on.",
    "cancel": "The job is cancelled.",
    "reschedule": "The job has its new time.",
    "retry": "The job is tried again.",
    "resolve": "The job is settled.",
    "block": "The address is blocked: it gets no mail.",
    "again": "This is the new job, which sends the mail again.",
    "again-before": "The form was sent before: this is its job.",
    "not-again": "Nothing was sent: this job has the same recipient and message.",
    "test": "The test mail is on its way. This is its job.",
    "paused": "Sending is paused.",
    "daily": "The daily queue has run.",
    "meeting-move": "The meeting has moved.",
    "meeting-edit": "The meeting has its new texts.",
    "meeting-cancel": "The meeting is cancelled.",
    "meeting-add": "The attendees are invited.",
    "meeting-remove": "The attendees are removed.",
    "emptied": "All mails of the inbox are deleted.",
}

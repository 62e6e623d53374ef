"""Where a job's document has the name of its template: so that older versions leave it alone."""

from collections.abc import Mapping
from typing import Any

from gcsched.adapters.mongo.field_checks import check_texts

INVITATION_TEMPLATE_FIELD = "invitation_template"
MEETING_TEMPLATE_FIELD = "meeting_template"  # beside `meeting_mail`


def decode_template(document: Mapping[str, Any]) -> str:
    """Return the name of the template, stored otherwise for a meeting and beside a sender."""
    if document.get("invitation") is not None:
        has_mail = document.get("meeting_mail") is not None
        name = MEETING_TEMPLATE_FIELD if has_mail else INVITATION_TEMPLATE_FIELD
        check_texts(document, (name,))
        return str(document[name])
    stored = document["template"]
    if document.get("sender") and isinstance(stored, list) and len(stored) == 1:
        stored = stored[0]
    check_texts({"template": stored}, ("template",))
    return str(stored)

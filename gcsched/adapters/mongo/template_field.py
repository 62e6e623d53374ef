"""Where a job's document has the name of its template: so that older versions leave it alone."""

from collections.abc import Mapping
from typing import Any

from gcsched.adapters.mongo.field_checks import check_texts

INVITATION_TEMPLATE_FIELD = "invitation_template"


def decode_template(document: Mapping[str, Any]) -> str:
    """Return the name of the template, stored otherwise for an invitation and beside a sender."""
    if document.get("invitation") is not None:
        check_texts(document, (INVITATION_TEMPLATE_FIELD,))
        return str(document[INVITATION_TEMPLATE_FIELD])
    stored = document["template"]
    if document.get("sender") and isinstance(stored, list) and len(stored) == 1:
        stored = stored[0]
    check_texts({"template": stored}, ("template",))
    return str(stored)

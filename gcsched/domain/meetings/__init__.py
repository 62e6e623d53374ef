"""Meetings that callers create, change and cancel, and the mails that follow from them. Pure."""

"""Meetings, their revisions, and their jobs, on MongoDB (docs/adr/0051)."""

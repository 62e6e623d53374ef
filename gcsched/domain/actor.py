"""Who acts, and by which method: for the steps of jobs and for the audit. Pure."""

from dataclasses import dataclass

from gcsched.domain.access import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A client that calls *method*, a method of the contract, by the way *via*."""

    client: Client
    via: str
    method: str

    @property
    def name(self) -> str:
        """The name that steps and audit entries have: the verified client's, never a given text."""
        return self.client.audit_name

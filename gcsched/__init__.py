"""A gRPC service that mails an invitation to a person: on time, once, despite crashes."""

__version__ = "0.1.0"

"""Mail this person an invitation at this time: on time, once, whatever crashes."""

__version__ = "0.1.0"

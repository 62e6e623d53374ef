"""Settings from a made-up environment, and its problems."""

import pytest

from gcsched.config.settings import Settings, read_settings
from gcsched.errors import SettingsProblems

REQUIRED = {
    "GCSCHED_MONGO_URI": "mongodb://anna:s3cret@db.example.org/invitations?replicaSet=rs0",
    "GCSCHED_REDIS_URL": "rediss://:s3cret@redis.example.org:6379/0",
    "GCSCHED_SMTP_HOST": "smtp.example.org",
    "GCSCHED_SENDER_EMAIL": "no-reply@example.org",
}


def load_settings(**more: str) -> Settings:
    return read_settings(REQUIRED | {f"GCSCHED_{name}": value for name, value in more.items()})


def settings_problems(**more: str) -> list[str]:
    with pytest.raises(SettingsProblems) as caught:
        load_settings(**more)
    return caught.value.sentences

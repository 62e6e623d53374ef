"""The settings that dev takes from the environment, and those it sets itself."""

from datetime import time
from pathlib import Path

import pytest

from gcsched.config.settings import Settings
from gcsched.dev.data_folder import default_folder
from gcsched.dev.settings import IGNORED_SETTINGS, DevEndpoints, find_ignored, load_dev_settings

ENDPOINTS = DevEndpoints(
    mongo_uri="mongodb://127.0.0.1:1/gcsched",
    redis_url="unix:///valkey.sock",
    smtp_port=2525,
    grpc_listen="127.0.0.1:7",
)
PRODUCTION = {
    "GCSCHED_MONGO_URI": "mongodb://production/gcsched",
    "GCSCHED_REDIS_URL": "redis://production",
    "GCSCHED_SMTP_HOST": "smtp.example.org",
    "GCSCHED_SMTP_USERNAME": "us",
    "GCSCHED_SMTP_PASSWORD": "secret",
    "GCSCHED_SECRETS_DIR": "/run/secrets",
}


def test_no_setting_is_required() -> None:
    settings = load_dev_settings({}, ENDPOINTS)

    assert settings.mongo_uri.get_secret_value() == ENDPOINTS.mongo_uri
    assert settings.redis_url.get_secret_value() == ENDPOINTS.redis_url
    assert (settings.smtp_host, settings.smtp_port) == ("127.0.0.1", 2525)
    assert settings.smtp_security == "none"
    assert settings.grpc_listen == "127.0.0.1:7"
    assert settings.http_listen == "127.0.0.1:8080"
    assert settings.log_level == "WARNING"
    assert settings.test_recipients is not None
    assert settings.test_recipients.entries == ("example.org",)


def test_settings_of_the_service_apply(tmp_path: Path) -> None:
    given = {
        "GCSCHED_TEMPLATES_DIR": str(tmp_path),
        "GCSCHED_DAILY_AT": "09:30",
        "GCSCHED_TIMEZONE": "Europe/Berlin",
        "GCSCHED_SENDER_EMAIL": "hr@example.com",
        "GCSCHED_REDIRECT_TO": "qa@example.com",
        "GCSCHED_TEST_RECIPIENTS": "example.com",
        "GCSCHED_LOG_LEVEL": "INFO",
        "GCSCHED_HTTP_LISTEN": "127.0.0.1:9",
    }

    settings = load_dev_settings(given, ENDPOINTS)

    assert settings.templates_dir == tmp_path
    assert settings.daily_at == time(9, 30)
    assert settings.timezone.key == "Europe/Berlin"
    assert settings.sender_email == "hr@example.com"
    assert settings.redirect_to == "qa@example.com"
    assert settings.test_recipients is not None
    assert settings.test_recipients.entries == ("example.com",)
    assert settings.log_level == "INFO"
    assert settings.http_listen == "127.0.0.1:9"


def test_stores_and_relays_of_the_environment_are_never_used() -> None:
    assert load_dev_settings(PRODUCTION, ENDPOINTS) == load_dev_settings({}, ENDPOINTS)
    assert find_ignored(PRODUCTION) == sorted(PRODUCTION)


def test_every_setting_of_a_store_or_a_relay_is_ignored() -> None:
    """A setting that is added later must not connect dev to production."""
    harmless = {"smtp_sessions", "smtp_sessions_per_domain", "smtp_rate", "smtp_burst"}
    found = {
        name
        for name in Settings.model_fields
        if name.startswith(("mongo", "redis", "smtp", "fallback"))
    }

    assert found - harmless <= IGNORED_SETTINGS


@pytest.mark.parametrize(
    ("system", "environ", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/gcsched"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "/home/ada/.local/share/gcsched"),
        ("linux", {}, "/home/ada/.local/share/gcsched"),
        ("darwin", {}, "/home/ada/Library/Application Support/gcsched"),
    ],
)
def test_the_data_folder_follows_the_conventions_of_the_system(
    monkeypatch: pytest.MonkeyPatch, system: str, environ: dict[str, str], expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")

    assert default_folder(environ, system=system) == Path(expected)

"""Secrets come from files or the environment, and are never shown."""

from pathlib import Path

from tests.support.settings import load_settings, settings_problems


def test_secrets_come_from_files_and_the_environment_has_priority(tmp_path: Path) -> None:
    (tmp_path / "gcsched_smtp_username").write_text("from the file\n")
    (tmp_path / "GCSCHED_SMTP_PASSWORD").write_text("also from a file\n")

    settings = load_settings(SECRETS_DIR=str(tmp_path), SMTP_USERNAME="anna")

    assert settings.smtp_username == "anna"
    assert settings.smtp_password is not None
    assert settings.smtp_password.get_secret_value() == "also from a file"


def test_a_secret_from_a_file_is_read_again_when_it_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "gcsched_smtp_password"
    file.write_text("old\n")
    settings = load_settings(SECRETS_DIR=str(tmp_path), SMTP_USERNAME="anna")
    before = settings.read_secret("smtp_password")

    file.write_text("new\n")
    after = settings.read_secret("smtp_password")
    file.unlink()
    gone = settings.read_secret("smtp_password")

    assert (before, after, gone) == ("old", "new", "old")


def test_a_secret_from_the_environment_stays_when_the_file_changes(tmp_path: Path) -> None:
    (tmp_path / "gcsched_smtp_password").write_text("from the file\n")
    folder = str(tmp_path)

    settings = load_settings(SECRETS_DIR=folder, SMTP_USERNAME="anna", SMTP_PASSWORD="from outside")

    assert settings.read_secret("smtp_password") == "from outside"


def test_a_secret_that_was_not_given_is_none() -> None:
    assert load_settings().read_secret("smtp_password") is None


def test_a_secret_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "gcsched_smtp_password").write_bytes(b"\xff\xfe")

    (sentence,) = settings_problems(SECRETS_DIR=str(tmp_path))

    assert sentence.startswith("GCSCHED_SECRETS_DIR holds a file that cannot be read")


def test_secrets_are_never_shown() -> None:
    settings = load_settings(SMTP_USERNAME="anna", SMTP_PASSWORD="s3cret")
    refused = settings_problems(
        MONGO_URI="mysql://u:s3cret@h", REDIS_URL="s3cret", SMTP_PASSWORD="s3cret"
    )

    assert "s3cret" not in repr(settings)
    assert "s3cret" not in " ".join(refused)

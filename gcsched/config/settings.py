"""All settings, read once from the environment and from secret files, with their checks."""

import re
from collections.abc import Collection, Mapping
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsError,
)

from gcsched.config import fields as formats
from gcsched.config.fields import PREFIX, setting, variable_name
from gcsched.config.messages import describe_error
from gcsched.config.recipients import RecipientSettings
from gcsched.config.sender_checks import encode_sender_address, validate_sender_name
from gcsched.config.senders import (
    EXAMPLE_SENDERS,
    parse_senders,
    refuse_redirection_to_sender,
)
from gcsched.config.service_links import find_service_links
from gcsched.domain.invalid_setting import InvalidSetting
from gcsched.domain.senders import Sender
from gcsched.errors import SettingsProblems

CLIENT_VARIABLES = {  # the command line reads them to call a service
    "GCSCHED_TARGET",
    "GCSCHED_TLS",
    "GCSCHED_TLS_CA_FILE",
    "GCSCHED_TLS_CERT_FILE",
    "GCSCHED_TLS_KEY_FILE",
    "GCSCHED_TOKEN_FILE",
}
UNDECODED = re.compile("[\ud800-\udfff]")  # bytes of the environment that are not UTF-8


class Settings(RecipientSettings):
    """The settings of the service. The check of a field may use the fields before it."""

    sender_email: Annotated[
        str, AfterValidator(formats.parse_mail_address), AfterValidator(encode_sender_address)
    ] = setting(
        "The sender of all mails; in ASCII characters before the @.",
        "give the sender's address, e.g. no-reply@example.org",
    )
    sender_name: Annotated[str, BeforeValidator(validate_sender_name)] = setting(
        "The name shown beside that address.",
        "give a name of at most 256 characters without line breaks",
        default="",
        max_length=256,
    )
    senders: Annotated[
        tuple[Sender, ...],
        NoDecode,
        BeforeValidator(parse_senders),
        AfterValidator(refuse_redirection_to_sender),
    ] = setting(
        "Further senders that a request may choose by `sender`, as mailboxes separated by commas: "
        f"`{EXAMPLE_SENDERS}`. Unset: none.",
        f"give mailboxes separated by commas, e.g. {EXAMPLE_SENDERS}",
        default="",
    )
    admission_waiting: int = setting(
        "How many requests may wait for MongoDB in each process, those of the current write and "
        "those of the next one; each request of a batch counts. Further calls fail at once with "
        "`RESOURCE_EXHAUSTED`. (A larger batch is accepted when no other request waits.)",
        "give a whole number from 1 to 1000000",
        default=10_000,
        ge=1,
        le=1_000_000,
    )
    call_memory_mb: int = setting(
        "How much memory, in MiB, the current calls may hold in each process: 32 KiB each, and "
        "eight times their size if that is over 4 KiB. Further calls fail at once with "
        "`RESOURCE_EXHAUSTED`, batches first.",
        "give a whole number from 16 to 65536",
        default=160,
        ge=16,
        le=65_536,
    )
    dedup: Annotated[Literal["content", "employee"], BeforeValidator(str.lower)] = setting(
        "Which requests without a `request_id` are the same one: those of the same `content`, or "
        "all for one `employee` within a window, which are refused (`REFUSED_DUPLICATE`).",
        "give content or employee",
        default="content",
    )
    dedup_window: Annotated[timedelta, BeforeValidator(formats.parse_duration)] = setting(
        "With `employee`: how long after an accepted request that employee gets no other mail; a "
        "number with `s`, `m`, `h` or `d`.",
        "give a number with its unit, from 1s to 365d, e.g. 24h or 90m",
        default="24h",
        ge=timedelta(seconds=1),
        le=timedelta(days=365),
    )
    daily_at: Annotated[time, BeforeValidator(formats.parse_time_of_day)] = setting(
        "When the daily queue (timestamp 0) is sent.",
        "give a time of day as HH:MM, e.g. 10:00",
        default="10:00",
    )
    timezone: ZoneInfo = setting(
        "The time zone of that time, an IANA name.",
        "give an IANA name, e.g. UTC or Europe/Berlin",
        default="UTC",
    )
    templates_dir: DirectoryPath | None = setting(
        "A folder with your own `doc.html`, and perhaps `doc.txt`, `invitation.html` and others; "
        "unset: the templates of gcsched.",
        "give a folder that exists and contains a doc.html",
        default=None,
    )
    invite_file: bool = setting(
        "Whether mails about meetings carry the file `invite.ics` beside the calendar part: some "
        "mail clients know only the one, some only the other, and some show both.",
        "give 1 or 0",
        default=True,
    )
    meeting_settle: float = setting(
        "How many seconds the update of a meeting waits before it is sent: further changes until "
        "then change that mail instead of making another one.",
        "give seconds, from 0 to 3600",
        default=10,
        ge=0,
        le=3600,
    )
    log_format: Annotated[Literal["auto", "json", "console"], BeforeValidator(str.lower)] = setting(
        "`json`, `console`, or `auto`: `console` on a terminal, else `json`.",
        "give auto, json or console",
        default="auto",
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)
    ] = setting(
        "The lowest level that is logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`.",
        "give DEBUG, INFO, WARNING or ERROR",
        default="INFO",
    )
    retry_attempts: int = setting(
        "How many attempts a mail gets before it fails; failures of the relay itself do not count.",
        "give a whole number from 1 to 50",
        default=8,
        ge=1,
        le=50,
    )
    retry_waits_seconds: Annotated[
        tuple[float, ...], NoDecode, BeforeValidator(formats.parse_waits)
    ] = setting(
        "The longest waits, in seconds, after the first, second … attempt; the last one is for "
        "all that follow. Each wait is drawn at random from 0 to that. A wait that the relay asks "
        "for replaces it.",
        "give seconds separated by commas, each more than 0 and at most 86400",
        default="60,300,900,3600,7200,14400",
    )
    not_after_hours: float = setting(
        "How many hours after its schedule time a mail may still be sent; then it expires.",
        "give hours, more than 0, at most 8760",
        default=24,
        gt=0,
        le=8760,
        allow_inf_nan=False,
    )
    on_uncertain: Annotated[Literal["resend", "hold"], BeforeValidator(str.lower)] = setting(
        "What happens to a mail if the relay's reply to its body was lost: `resend` it with the "
        "same Message-ID, or `hold` it for an operator.",
        "give resend or hold",
        default="resend",
    )
    suppression_days: int = setting(
        "How many days an address is suppressed after a relay replied that it does not exist.",
        "give a whole number of days from 1 to 3650",
        default=30,
        ge=1,
        le=3650,
    )
    stop_grace_seconds: float = setting(
        "How many seconds mails in transmission may take to finish after SIGTERM.",
        "give seconds, from 0 to 3600",
        default=25,
        ge=0,
        le=3600,
    )
    retention_days: int = setting(
        "How many days a job is kept after its end.",
        "give a whole number of days from 1 to 3650",
        default=30,
        ge=1,
        le=3650,
    )
    worker_jobs: int = setting(
        "How many wake-ups the ARQ worker handles at once.",
        "give a whole number from 1 to 1000",
        default=10,
        ge=1,
        le=1000,
    )
    secrets_dir: DirectoryPath | None = setting(
        "A folder with one file per setting, named like its variable in upper or lower case "
        "(`gcsched_smtp_password`), meant for secrets. The environment has priority over a file. A "
        "relay's password is read again at each login: a corrected file needs no restart.",
        "give a folder that exists",
        default=None,
    )

    _from_environment: frozenset[str] = PrivateAttr(frozenset())

    @field_validator("retention_days")
    @classmethod
    def _check_retention(cls, days: int, info: ValidationInfo) -> int:
        window = info.data.get("dedup_window")
        if info.data.get("dedup") == "employee" and window and window > timedelta(days=days):
            raise InvalidSetting(
                f"is less than {variable_name('dedup_window')}: the job that records the employee's"
                " last mail would be deleted before; keep jobs at least as long"
            )
        return days

    def remember_environment(self, given: Collection[str]) -> Self:
        """Remember the fields from the environment: only secrets from a file are read again."""
        self._from_environment = frozenset(given)
        return self

    def read_secret(self, field: str) -> str | None:
        """Return the secret *field*; one from a file is read again."""
        known: SecretStr | None = getattr(self, field)
        if self.secrets_dir is not None and field not in self._from_environment:
            for file in self.secrets_dir.iterdir():
                if file.name.lower() == variable_name(field).lower():
                    return file.read_text(encoding="utf-8").strip()
        return None if known is None else known.get_secret_value()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Use the arguments, then the secret files; `read_settings` passes the environment."""
        del settings_cls, env_settings, dotenv_settings
        return init_settings, file_secret_settings


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read *environ* and the secret files. Raises SettingsProblems with every problem."""
    links = find_ignored_links(environ)
    given = {field: environ.get(variable_name(field)) for field in Settings.model_fields}
    values: dict[str, Any] = {
        field: text for field, text in given.items() if text and variable_name(field) not in links
    }
    if undecoded := [field for field, text in values.items() if UNDECODED.search(text)]:
        problem = "cannot be used: it holds octets that are not UTF-8: write it in UTF-8"
        raise SettingsProblems([f"{variable_name(field)} {problem}" for field in undecoded])
    folder = values.get("secrets_dir")
    if folder and Path(folder).is_dir():
        values["_secrets_dir"] = folder
    try:
        return Settings(**values).remember_environment(given=values)
    except ValidationError as error:
        problems = [
            describe_error(each, Settings, values) for each in error.errors(include_url=False)
        ]
    except (OSError, SettingsError):
        problem = "holds a file that cannot be read as UTF-8 text: correct its rights or encoding"
        problems = [f"{variable_name('secrets_dir')} {problem}"]
    raise SettingsProblems(problems)


def find_unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Return the variables with our prefix that are not settings, most often a typing error."""
    known = variable_names() | CLIENT_VARIABLES | set(find_ignored_links(environ))
    return sorted(name for name in environ if name.upper().startswith(PREFIX) and name not in known)


def find_ignored_links(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that Kubernetes has set for a Service."""
    return find_service_links(environ, settings=variable_names())


def variable_names() -> set[str]:
    return {variable_name(field) for field in Settings.model_fields}

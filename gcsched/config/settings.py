"""All settings, read once from the environment and from secret files. Knows what they check."""

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
from gcsched.config.connections import ConnectionSettings
from gcsched.config.fields import PREFIX, setting, variable_name
from gcsched.config.messages import describe_error
from gcsched.config.sender_checks import encode_sender_address, validate_sender_name
from gcsched.config.service_links import find_service_links
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.invalid_setting import InvalidSetting
from gcsched.errors import SettingsProblems

CLIENT_VARIABLES = {"GCSCHED_TARGET"}  # what the command line reads when it calls a service
UNDECODED = re.compile("[\ud800-\udfff]")  # octets of the environment that were not decoded


class Settings(ConnectionSettings):
    """What an operator can say. A later field may be checked against earlier ones."""

    internal_domains: Annotated[
        AddressRules, NoDecode, BeforeValidator(formats.parse_internal_domains)
    ] = setting(
        "Domains that the public internet cannot have and that mails go to all the same, separated "
        "by commas: `corp.local`, `localhost` or `mailhost` with all below it, `.lan` for what is "
        "below it only, the address literals `[192.0.2.1]`, `[10.0.0.0/8]` or `[IPv6:fd00::/8]`, "
        "or `*` for all. Unset: none.",
        f"give domains separated by commas, e.g. {formats.EXAMPLE_DOMAINS}",
        default="",
    )
    sender_email: Annotated[
        str, AfterValidator(formats.parse_mail_address), AfterValidator(encode_sender_address)
    ] = setting(
        "The address that mails come from; before the @ in ASCII characters.",
        "give the address that mails come from, e.g. no-reply@example.org",
    )
    sender_name: Annotated[str, BeforeValidator(validate_sender_name)] = setting(
        "The name shown beside that address.",
        "give a name of at most 256 characters without line breaks",
        default="",
        max_length=256,
    )
    grpc_listen: Annotated[str, AfterValidator(formats.parse_listen_address)] = setting(
        "Where gRPC listens, as `host:port`; `0.0.0.0:50051` or `[::]:50051` for all interfaces.",
        "give host:port, e.g. 127.0.0.1:50051, 0.0.0.0:50051 or [::1]:50051",
        default="127.0.0.1:50051",
    )
    http_listen: Annotated[str, AfterValidator(formats.parse_http_listen)] = setting(
        "Where HTTP listens for `/metrics`, `/livez`, `/servez` and `/readyz`, as `host:port`.",
        "give host:port, e.g. 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080",
        default="127.0.0.1:8080",
    )
    reuse_port: bool = setting(
        "Whether other processes of the same user may listen on the same address: the kernel deals "
        "connections out among them. Off: a second one is refused.",
        "say 1 or 0",
        default=False,
    )
    admission_waiting: int = setting(
        "How many requests, each of a batch counted, may wait for MongoDB in each process, those "
        "in the write under way and those for the next one; what would be more is answered "
        "`RESOURCE_EXHAUSTED` at once. (A batch that is larger is taken when nobody waits.)",
        "give a whole number from 1 to 1000000",
        default=10_000,
        ge=1,
        le=1_000_000,
    )
    call_memory_mb: int = setting(
        "How much memory, in MiB, the calls under way may hold in each process: 32 KiB each, and "
        "eight times their octets where those are over 4 KiB. What would be more is answered "
        "`RESOURCE_EXHAUSTED` at once, batches first.",
        "give a whole number from 16 to 65536",
        default=160,
        ge=16,
        le=65_536,
    )
    dedup: Annotated[Literal["content", "employee"], BeforeValidator(str.lower)] = setting(
        "Which requests without a `request_id` are the same one: those of the same `content`, or "
        "all for one `employee` within a window; such a one is refused (`REFUSED_DUPLICATE`).",
        "say content or employee",
        default="content",
    )
    dedup_window: Annotated[timedelta, BeforeValidator(formats.parse_duration)] = setting(
        "With `employee`: for how long after an accepted request that employee gets no other; a "
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
        "A folder with your own `doc.html` (and `doc.txt`); unset: those that come with gcsched.",
        "give a folder that exists and holds a doc.html",
        default=None,
    )
    log_format: Annotated[Literal["auto", "json", "console"], BeforeValidator(str.lower)] = setting(
        "`json`, `console`, or `auto`: `console` on a terminal, else `json`.",
        "say auto, json or console",
        default="auto",
    )
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)
    ] = setting(
        "The least level that is logged: `DEBUG`, `INFO`, `WARNING` or `ERROR`.",
        "say DEBUG, INFO, WARNING or ERROR",
        default="INFO",
    )
    retry_attempts: int = setting(
        "How often a mail is tried before it has failed; trouble with the relay itself is not "
        "counted.",
        "give a whole number from 1 to 50",
        default=8,
        ge=1,
        le=50,
    )
    retry_waits_seconds: Annotated[
        tuple[float, ...], NoDecode, BeforeValidator(formats.parse_waits)
    ] = setting(
        "The longest waits after the first, second … attempt, the last one for all that "
        "follow; each wait is drawn at random from 0 to there. A relay that says when is "
        "obeyed.",
        "give seconds separated by commas, each more than 0 and at most 86400",
        default="60,300,900,3600,7200,14400",
    )
    not_after_hours: float = setting(
        "How long after its time a mail may still be sent; then it has expired.",
        "give hours, more than 0, at most 8760",
        default=24,
        gt=0,
        le=8760,
        allow_inf_nan=False,
    )
    on_uncertain: Annotated[Literal["resend", "hold"], BeforeValidator(str.lower)] = setting(
        "What happens to a mail whose body was sent and whose reply was lost: `resend` it with the "
        "same Message-ID, or `hold` it for an operator.",
        "say resend or hold",
        default="resend",
    )
    suppression_days: int = setting(
        "How long an address gets no mail after a relay said that it does not exist.",
        "give a whole number of days from 1 to 3650",
        default=30,
        ge=1,
        le=3650,
    )
    stop_grace_seconds: float = setting(
        "How long mails in transmission may take to finish after SIGTERM.",
        "give seconds, from 0 to 3600",
        default=25,
        ge=0,
        le=3600,
    )
    retention_days: int = setting(
        "How long a job is kept after its end.",
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
        "(`gcsched_smtp_password`), meant for secrets. The environment wins over a file. A relay's "
        "password is read again at each login: a corrected file counts without a restart.",
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
                f"is less than {variable_name('dedup_window')}: the job that tells when an employee had"
                " the last mail would be gone before; keep jobs for as long at least"
            )
        return days

    def note_environment(self, given: Collection[str]) -> Self:
        """Note what the environment gave: that is settled, a file may change."""
        self._from_environment = frozenset(given)
        return self

    def read_secret(self, field: str) -> str | None:
        """Give the secret *field* as it is now; what came from a file is read again."""
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
        """Leave the environment to `read_settings`, which is given one; then come the secret files."""
        del settings_cls, env_settings, dotenv_settings
        return init_settings, file_secret_settings


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read *environ* and the secret files, or raise SettingsProblems with all that is wrong."""
    links = find_ignored_links(environ)
    given = {field: environ.get(variable_name(field)) for field in Settings.model_fields}
    said: dict[str, Any] = {
        field: text for field, text in given.items() if text and variable_name(field) not in links
    }
    if undecoded := [field for field, text in said.items() if UNDECODED.search(text)]:
        octets = "cannot be used: it holds octets that are not UTF-8: write it anew"
        raise SettingsProblems([f"{variable_name(field)} {octets}" for field in undecoded])
    folder = said.get("secrets_dir")
    if folder and Path(folder).is_dir():
        said["_secrets_dir"] = folder
    try:
        return Settings(**said).note_environment(given=said)
    except ValidationError as error:
        problems = [
            describe_error(each, Settings, said) for each in error.errors(include_url=False)
        ]
    except (OSError, SettingsError):
        problems = [
            f"{variable_name('secrets_dir')} holds a file that cannot be read as UTF-8 text"
        ]
    raise SettingsProblems(problems)


def find_unknown_names(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like ours and mean nothing: most often a slip of the pen."""
    known = variable_names() | CLIENT_VARIABLES | set(find_ignored_links(environ))
    return sorted(name for name in environ if name.upper().startswith(PREFIX) and name not in known)


def find_ignored_links(environ: Mapping[str, str]) -> list[str]:
    """Return those variables that are no settings but Kubernetes' words on a Service."""
    return find_service_links(environ, settings=variable_names())


def variable_names() -> set[str]:
    return {variable_name(field) for field in Settings.model_fields}

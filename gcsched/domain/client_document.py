"""Read the clients that a parsed clients file describes, and report all that is wrong. Pure."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, TypeVar

from gcsched.domain import client_values as values
from gcsched.domain.access import NO_LIMITS, Client, ClientLimits, Scope, Token
from gcsched.domain.access_token import TOKEN_ID
from gcsched.domain.caller_text import quote
from gcsched.domain.client_registry import ClientRegistry
from gcsched.domain.client_values import InvalidValue
from gcsched.domain.toml_lines import KeyPath

T = TypeVar("T")
Content: TypeAlias = Mapping[str, object]

NO_SCOPES: frozenset[Scope] = frozenset()
NO_TEXTS: tuple[str, ...] = ()
NO_KEYS: Content = MappingProxyType({})
NO_TABLES: Sequence[Content] = ()


class FileProblem(NamedTuple):
    """One thing that is wrong, and where: the keys that lead to it."""

    path: KeyPath
    text: str


Reading: TypeAlias = Generator[FileProblem, None, T]
"""Yields each problem and returns what was read; the same pattern as `Checked`."""


class InvalidClients(ValueError):
    """The document does not describe clients; *problems* has all reasons."""

    def __init__(self, problems: list[FileProblem]) -> None:
        super().__init__("; ".join(each.text for each in problems))
        self.problems = problems


class Table:
    """One table of the document: its keys are read one by one, and those left are unknown."""

    def __init__(self, content: Content, path: KeyPath) -> None:
        self.path = path
        self._left = dict(content)
        self._known = list[str]()

    def read(self, key: str, check: Callable[[object], T], default: T) -> Reading[T]:
        """Return the checked value of *key*; *default* if it is absent or wrong."""
        self._known.append(key)
        if key not in self._left:
            return default
        try:
            return check(self._left.pop(key))
        except InvalidValue as error:
            yield self.problem(f"{key} {error}", key)
            return default

    def require(self, key: str, check: Callable[[object], T], default: T) -> Reading[T]:
        """Return the checked value of *key*, which has to be there."""
        if key not in self._left:
            self._known.append(key)
            yield self.problem(f"{describe(self.path)} has no {key}: add it")
            return default
        return (yield from self.read(key, check, default))

    def report_unknown(self) -> Reading[None]:
        """Report the keys that were not read, most often typing errors."""
        for key in self._left:
            near = get_close_matches(key, self._known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"use {', '.join(self._known)}"
            yield self.problem(f"unknown key {quote(key)}: {advice}", key)

    def problem(self, text: str, key: str | None = None) -> FileProblem:
        return FileProblem(self.path if key is None else (*self.path, key), text)


def read_registry(document: Content) -> ClientRegistry:
    """Return the clients of *document*. Raises InvalidClients with all problems."""
    problems = list[FileProblem]()
    reading = read_clients(Table(document, ()))
    try:
        while True:
            problems.append(next(reading))
    except StopIteration as end:
        clients: list[Client] = end.value
    problems += [*find_shared_tokens(document), *find_shared_identities(clients)]
    if problems:
        raise InvalidClients(problems)
    return ClientRegistry.of(clients)


def read_clients(document: Table) -> Reading[list[Client]]:
    tables = yield from document.require("clients", check_table, NO_KEYS)
    yield from document.report_unknown()
    if not tables:
        yield document.problem("the file names no client: `gcsched token new` adds one")
    clients = list[Client]()
    for name, content in tables.items():
        path = ("clients", name)
        if not values.CLIENT_NAME.fullmatch(name):
            yield FileProblem(path, f"invalid name {quote(name)}: {values.NAME_RULE}")
        try:
            clients.append((yield from read_client(name, Table(check_table(content), path))))
        except InvalidValue as error:
            yield FileProblem(path, f"client {quote(name)} {error}")
    return clients


def read_client(name: str, table: Table) -> Reading[Client]:
    scopes = yield from table.require("scopes", values.check_scopes, NO_SCOPES)
    identities = yield from table.read("identities", values.check_identities, NO_TEXTS)
    note = yield from table.read("note", values.check_text, "")
    limits = yield from table.read("limits", check_table, NO_KEYS)
    tokens = yield from table.read("tokens", check_tables, NO_TABLES)
    read_tokens = list[Token]()
    for number, content in enumerate(tokens):
        token = yield from read_token(Table(content, (*table.path, "tokens", number)))
        read_tokens.append(token)
    found_limits = yield from read_limits(Table(limits, (*table.path, "limits")))
    yield from table.report_unknown()
    return Client(
        name=name,
        scopes=scopes,
        identities=identities,
        note=note,
        limits=found_limits,
        tokens=tuple(read_tokens),
    )


def read_token(table: Table) -> Reading[Token]:
    token_id = yield from table.require("id", values.check_token_id, "")
    digest = yield from table.require("sha256", values.check_digest, b"")
    create_time = yield from table.read("created", values.check_time, None)
    expire_time = yield from table.read("expires", values.check_time, None)
    revoke_time = yield from table.read("revoked", values.check_time, None)
    yield from table.report_unknown()
    if create_time is not None and expire_time is not None and expire_time <= create_time:
        yield table.problem("expires is not after created: the token never works", "expires")
    return Token(
        id=token_id,
        digest=digest,
        create_time=create_time,
        expire_time=expire_time,
        revoke_time=revoke_time,
    )


def read_limits(table: Table) -> Reading[ClientLimits]:
    per_second = yield from table.read("calls_per_second", values.check_rate, None)
    burst = yield from table.read("burst", values.check_count, None)
    jobs_per_day = yield from table.read("jobs_per_day", values.check_count, None)
    jobs_waiting = yield from table.read("jobs_waiting", values.check_count, None)
    domains = yield from table.read("recipient_domains", values.check_domains, NO_TEXTS)
    templates = yield from table.read("templates", values.check_template_names, NO_TEXTS)
    senders = yield from table.read("senders", values.check_senders, NO_TEXTS)
    yield from table.report_unknown()
    if burst is not None and per_second is None:
        yield table.problem("burst is given without calls_per_second: give both or none", "burst")
    limits = ClientLimits(
        calls_per_second=per_second,
        burst=burst,
        jobs_per_day=jobs_per_day,
        jobs_waiting=jobs_waiting,
        recipient_domains=domains,
        templates=templates,
        senders=senders,
    )
    return NO_LIMITS if limits == NO_LIMITS else limits


def find_shared_identities(clients: list[Client]) -> Iterator[FileProblem]:
    owners: dict[str, str] = {}
    for client in clients:
        for identity in client.identities:
            owner = owners.setdefault(identity, client.name)
            if owner != client.name:
                yield FileProblem(
                    ("clients", client.name, "identities"),
                    f"identity {quote(identity)} belongs to client {owner} already:"
                    " a certificate names one client",
                )


def find_shared_tokens(document: Content) -> Iterator[FileProblem]:
    """Report each token id that was there before, in the order of the document."""
    owners: dict[str, str] = {}
    for path, token_id in walk_token_ids(document):
        if token_id in owners:
            text = f"token id {token_id} is that of another token, of client {owners[token_id]}"
            yield FileProblem(path, f"{text}: each id names one token")
        owners.setdefault(token_id, str(path[1]))


def walk_token_ids(document: Content) -> Iterator[tuple[KeyPath, str]]:
    """Yield the valid ids of all tokens, also of clients that are wrong otherwise."""
    clients = document.get("clients")
    for name, client in clients.items() if isinstance(clients, dict) else ():
        tokens = client.get("tokens") if isinstance(client, dict) else None
        for number, token in enumerate(tokens if isinstance(tokens, list) else ()):
            token_id = token.get("id") if isinstance(token, dict) else None
            if isinstance(token_id, str) and TOKEN_ID.fullmatch(token_id):
                yield ("clients", name, "tokens", number, "id"), token_id


def check_table(value: object) -> Content:
    if not isinstance(value, dict):
        raise InvalidValue("is not a table: write its keys below a line [clients.NAME]")
    return value


def check_tables(value: object) -> Sequence[Content]:
    if not isinstance(value, list):
        raise InvalidValue("is not an array of tables: write [[clients.NAME.tokens]]")
    return [check_table(each) for each in value]


def describe(path: KeyPath) -> str:
    """Return in words what is at *path*."""
    match path:
        case ("clients", name, "tokens", int(number)):
            return f"token {number + 1} of client {quote(str(name))}"
        case ("clients", name, *_):
            return f"client {quote(str(name))}"
    return "the file"

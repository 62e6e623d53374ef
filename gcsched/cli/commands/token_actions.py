"""What `gcsched token` does with the clients file. Needs the packages of the service."""

import json
import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from gcsched.adapters.clients_editor import ClientsEditor, edit_clients
from gcsched.adapters.clients_file import ClientsFile
from gcsched.cli import output
from gcsched.cli.blocks import Table
from gcsched.cli.exit_codes import DONE
from gcsched.cli.failure import NotDone, WrongUsage
from gcsched.domain.access import Client, Token
from gcsched.domain.access_token import (
    RANDOM_OCTETS,
    MalformedToken,
    NewToken,
    WrongCheck,
    make_token,
    parse_token,
)
from gcsched.domain.client_registry import ClientRegistry, is_usable
from gcsched.domain.client_values import (
    CLIENT_NAME,
    NAME_RULE,
    InvalidValue,
    check_identities,
    check_scopes,
)

LIST_COLUMNS = ("CLIENT", "SCOPES", "TOKEN", "STATE", "CREATED", "EXPIRES")
Fields = dict[str, object]


def create_token(path: Path, chosen: Namespace) -> int:
    """Add a token to the client, which is made if it is new; print the token."""
    now = read_clock()
    with edit_clients(path) as editor:
        client = choose_client(editor.registry, chosen)
        made = make_unused_token(editor.registry)
        token = Token(
            id=made.id,
            digest=made.digest,
            create_time=now,
            expire_time=find_end(chosen.expires, now),
        )
        editor.add_token(client, token)
        changed = replace(client, tokens=(*client.tokens, token))
        editor.save({**editor.registry.clients, client.name: changed})
    if chosen.json:
        stored = {"client": client.name, "token": made.text, **describe_token(token, now)}
        output.print_lines(json.dumps({**stored, "file": str(path)}))
        return DONE
    output.print_lines(made.text)
    output.print_note(
        f"token {token.id} of client {client.name}, until {format_time(token.expire_time)}, is"
        f" stored in {path}. It is shown only now: keep it where its caller reads it"
    )
    return DONE


def choose_client(registry: ClientRegistry, chosen: Namespace) -> Client:
    """Return the client with what the options add to it. Raises WrongUsage."""
    known = registry.clients.get(chosen.client)
    if known is None and not CLIENT_NAME.fullmatch(chosen.client):
        raise WrongUsage(f"invalid name {chosen.client!r}: {NAME_RULE}")
    try:
        scopes = check_scopes(chosen.scope) if chosen.scope or known is None else known.scopes
        identities = check_identities(chosen.identity)
    except InvalidValue as error:
        option = "--scope" if "scope" in str(error) or not chosen.scope else "--identity"
        raise WrongUsage(f"{option} {error}") from error
    if known is None:
        return Client(name=chosen.client, scopes=scopes, identities=identities, note=chosen.note)
    if scopes != known.scopes:
        raise WrongUsage(
            f"client {known.name} has the scopes {', '.join(sorted(known.scopes))}: leave out"
            " --scope, or change them in the file, for all its tokens"
        )
    added = tuple(each for each in identities if each not in known.identities)
    note = chosen.note or known.note
    return replace(known, identities=(*known.identities, *added), note=note)


def make_unused_token(registry: ClientRegistry) -> NewToken:
    while (made := make_token(os.urandom(RANDOM_OCTETS))).id in registry.tokens:
        pass
    return made


def find_end(expires: str, now: datetime) -> datetime:
    """Return the end that --expires names. Raises WrongUsage if it has passed."""
    try:
        if expires.isdecimal():
            return now + timedelta(days=int(expires))
        end = datetime.fromisoformat(expires).replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise WrongUsage(f"--expires {expires}: {error}") from error
    if end <= now:
        raise WrongUsage(f"--expires {expires} has passed: give a later date")
    return end


def list_tokens(path: Path, chosen: Namespace) -> int:
    registry, now = ClientsFile(path).load(), read_clock()
    if chosen.json:
        for client in registry.clients.values():
            output.print_lines(json.dumps(describe_client(client, now)))
        return DONE
    rows = [row for client in registry.clients.values() for row in make_rows(client, now)]
    output.print_blocks([Table(columns=LIST_COLUMNS, rows=rows, uncut_columns=4)])
    return DONE


def make_rows(client: Client, now: datetime) -> list[Sequence[str]]:
    scopes = ",".join(sorted(client.scopes))
    if not client.tokens:
        return [(client.name, scopes, "", ", ".join(client.identities), "", "")]
    return [
        (
            client.name,
            scopes,
            token.id,
            find_state(token, now),
            format_time(token.create_time),
            format_time(token.expire_time),
        )
        for token in client.tokens
    ]


def check(path: Path, text: str | None, chosen: Namespace) -> int:
    """Report what *text*, a token, is good for; without one the state of the file."""
    registry, now = ClientsFile(path).load(), read_clock()
    if text is None:
        report: Fields = {
            "file": str(path),
            "clients": len(registry.clients),
            "tokens": len(registry.tokens),
        }
        words = f"{path} is valid: {len(registry.clients)} clients, {len(registry.tokens)} tokens"
    else:
        client, token = find_token(registry, text, now)
        report = {
            "client": client.name,
            "scopes": sorted(client.scopes),
            **describe_token(token, now),
        }
        words = (
            f"token {token.id} of client {client.name} is valid until"
            f" {format_time(token.expire_time)}; scopes: {', '.join(sorted(client.scopes))}"
        )
    output.print_lines(json.dumps(report) if chosen.json else words)
    return DONE


def find_token(registry: ClientRegistry, text: str, now: datetime) -> tuple[Client, Token]:
    """Return the client and the token of *text*. Raises NotDone, which says what is wrong."""
    try:
        token_id, digest = parse_token(text)
    except MalformedToken as error:
        raise NotDone("this is not a token: a token begins with gcs_ and has 62 letters") from error
    except WrongCheck as error:
        raise NotDone(
            "the token is mistyped or cut off: its check characters do not fit"
        ) from error
    found = registry.tokens.get(token_id)
    if found is None:
        raise NotDone(f"token {token_id} is unknown: the file has no token with this id")
    client, token = found
    if digest != token.digest:
        raise NotDone(
            f"the token has the id {token_id} of client {client.name}, but not its secret"
        )
    if token.revoke_time is not None:
        when = format_time(token.revoke_time)
        raise NotDone(f"token {token_id} of client {client.name} was revoked at {when}")
    if not is_usable(token, now=now):
        when = format_time(token.expire_time)
        raise NotDone(f"token {token_id} of client {client.name} expired at {when}")
    return client, token


def revoke_token(path: Path, chosen: Namespace) -> int:
    """Revoke the token; one that was revoked before stays as it is."""
    now = read_clock()
    with edit_clients(path) as editor:
        found = editor.registry.tokens.get(chosen.id)
        if found is None:
            raise NotDone(f"{path} has no token with the id {chosen.id}: see `gcsched token list`")
        client, token = found
        if token.revoke_time is None:
            token = mark_revoked(editor, client, token, now)
    if chosen.json:
        output.print_lines(json.dumps({"client": client.name, **describe_token(token, now)}))
    else:
        when = format_time(token.revoke_time)
        output.print_lines(f"token {token.id} of client {client.name} is revoked since {when}")
    return DONE


def mark_revoked(editor: ClientsEditor, client: Client, token: Token, now: datetime) -> Token:
    revoked = replace(token, revoke_time=now)
    tokens = tuple(revoked if each.id == token.id else each for each in client.tokens)
    editor.revoke(client, token, now)
    editor.save({**editor.registry.clients, client.name: replace(client, tokens=tokens)})
    return revoked


def describe_client(client: Client, now: datetime) -> Mapping[str, object]:
    return {
        "client": client.name,
        "scopes": sorted(client.scopes),
        "identities": list(client.identities),
        "note": client.note,
        "tokens": [describe_token(token, now) for token in client.tokens],
    }


def describe_token(token: Token, now: datetime) -> Fields:
    return {
        "id": token.id,
        "state": find_state(token, now),
        "create_time": format_time(token.create_time) or None,
        "expire_time": format_time(token.expire_time) or None,
        "revoke_time": format_time(token.revoke_time) or None,
    }


def find_state(token: Token, now: datetime) -> str:
    if token.revoke_time is not None:
        return "revoked"
    return "valid" if is_usable(token, now=now) else "expired"


def format_time(moment: datetime | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def read_clock() -> datetime:
    """Return the time, to the second, as the file has it."""
    return datetime.now(UTC).replace(microsecond=0)

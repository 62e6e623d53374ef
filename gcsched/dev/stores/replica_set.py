"""The configuration of a single mongod as the primary of its own replica set, with its user."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from gcsched.errors import EmbeddedStoreProblem

SET_NAME = "gcsched"
ALREADY_INITIALIZED = 23
AUTHENTICATION_FAILED = 18
NOT_READY_CODES = {94, 109}  # the node is still loading or applying a configuration
UNAUTHORIZED = 13

PymongoClient = MongoClient[dict[str, Any]]
WaitFor = Callable[[Callable[[], bool]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    username: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleNode:
    """How to connect to the node, except for the user."""

    port: int
    options: Mapping[str, Any]  # options of the driver for TLS

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self, login: Login | None = None) -> AbstractContextManager[PymongoClient]:
        options = {**self.options, "directConnection": True, "serverSelectionTimeoutMS": 2000}
        if login:
            options |= {"username": login.username, "password": login.password}
        return MongoClient(self.address, **options)


def initialize_node(node: SingleNode, login: Login | None, wait_for: WaitFor) -> None:
    """Configure the set if needed, and wait until the node accepts writes."""
    try:
        _initialize_node(node, login, wait_for)
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        raise EmbeddedStoreProblem(
            "the data folder has another MongoDB user or password: use those, or another folder"
        ) from error
    except ConnectionFailure as error:
        raise EmbeddedStoreProblem(f"mongod went away during its setup: {error}") from error


def _initialize_node(node: SingleNode, login: Login | None, wait_for: WaitFor) -> None:
    known = login if login and _has_user(node, login) else None
    with node.connect(known) as client:
        wait_for(lambda: _is_primary(client, node.address))
        if login and not known:
            # MongoDB's localhost exception: the first user can be created without a login.
            client.admin.command("createUser", login.username, pwd=login.password, roles=["root"])


def _has_user(node: SingleNode, login: Login) -> bool:
    with node.connect(login) as client:
        try:
            client.admin.command("ping")
        except OperationFailure as error:
            if error.code != AUTHENTICATION_FAILED:
                raise
            return False
    return True


def _is_primary(client: PymongoClient, address: str) -> bool:
    try:
        hello = client.admin.command("hello")
        if "me" not in hello:  # a new folder, or one that was served on another port before
            _configure(client, address)
    except ConnectionFailure:
        # mongod drops connections when its role changes. If it died, wait_for finds out.
        return False
    return bool(hello.get("isWritablePrimary"))


def _configure(client: PymongoClient, address: str) -> None:
    try:
        client.admin.command(
            "replSetInitiate", {"_id": SET_NAME, "members": [{"_id": 0, "host": address}]}
        )
    except OperationFailure as error:
        if error.code == ALREADY_INITIALIZED:
            _change_address(client, address)
        elif error.code not in NOT_READY_CODES:
            raise


def _change_address(client: PymongoClient, address: str) -> None:
    try:
        config = client.admin.command("replSetGetConfig")["config"]
        config["members"][0]["host"] = address
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
    except OperationFailure as error:
        if error.code not in NOT_READY_CODES:
            raise

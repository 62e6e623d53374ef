"""A gRPC server in threads of its own, of which nothing is left after its end.

Not grpc.aio: its event loops in several threads share one poller, and the tests of an asyncio
client run a loop already.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from threading import Lock, Thread
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2

from gcsched.rpc.contract import SERVICE
from gcsched.testing.contract_methods import METHODS, ContractMethod

Respond: TypeAlias = Callable[[ContractMethod, Any, grpc.ServicerContext], Message]

HEALTH = "grpc.health.v1.Health"
LISTEN = "127.0.0.1:0"
MAX_MESSAGE = 4 * 1024 * 1024
WORKERS = 8
JOIN_SECONDS = 5.0
GRACE_SECONDS = 0.5  # for calls whose answer the test still holds back
OPTIONS = [
    # On, it may give two servers the same port.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
]
NUMBERS = count(1)
# How Python names the threads that the server makes at its start and at its end.
OWN_THREADS = ("(_serve)", "(cancel_all_calls_after_grace)")
COLLECTING = Lock()  # one server at a time, so that the threads of each are known


class ThreadedServer:
    """Serves the contract on a free port; *respond* is called in one of its threads."""

    def __init__(self, respond: Respond) -> None:
        self._name = f"gcsched-fake-{next(NUMBERS)}"
        self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix=f"{self._name}_")
        self._server = grpc.server(self._executor, options=OPTIONS)
        self._health = EndingHealth()
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(SERVICE, build_handlers(respond)),
                grpc.method_handlers_generic_handler(HEALTH, self._health.build_handlers()),
            )
        )
        self.port = self._server.add_insecure_port(LISTEN)
        self._threads: set[Thread] = set()

    def start(self) -> None:
        with collect_threads(self._threads):
            self._server.start()

    def close(self) -> None:
        """End all calls, free the port, and wait for the threads."""
        # In order where possible: gRPC's client writes a line to stderr about a connection that
        # was aborted, also in the tests of others.
        self._health.end_watches()
        with collect_threads(self._threads):
            stopping = self._server.stop(GRACE_SECONDS)
        stopping.wait()
        # Not a wait without a limit: an answer of the test may block for ever.
        self._executor.shutdown(wait=False)
        workers = {each for each in threading.enumerate() if each.name.startswith(f"{self._name}_")}
        for thread in self._threads | workers:
            thread.join(JOIN_SECONDS)


@contextmanager
def collect_threads(found: set[Thread]) -> Iterator[None]:
    """Add to *found* the threads that a server makes in the block: it has no means to join them."""
    with COLLECTING:
        before = set(threading.enumerate())
        yield
        new = set(threading.enumerate()) - before
    found.update(each for each in new if each.name.endswith(OWN_THREADS))


class EndingHealth:
    """Reports the service as healthy, until the end: clients watch it, by the service config."""

    def __init__(self) -> None:
        self._health = health.HealthServicer()
        self._watch_lock = Lock()
        self._watches: list[Callable[[Any], None]] | None = []
        for service in ("", SERVICE):
            self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    def build_handlers(self) -> dict[str, Any]:
        """Return the handlers of Check and Watch; later versions of gRPC have more methods."""
        formats = {
            "request_deserializer": health_pb2.HealthCheckRequest.FromString,
            "response_serializer": health_pb2.HealthCheckResponse.SerializeToString,
        }
        return {
            "Check": grpc.unary_unary_rpc_method_handler(self._health.Check, **formats),
            "Watch": grpc.unary_stream_rpc_method_handler(self._watch, **formats),
        }

    def _watch(self, request: Any, context: Any, send_response_callback: Any) -> Any:
        with self._watch_lock:
            if self._watches is not None:
                self._watches.append(send_response_callback)
        return self._health.Watch(request, context, send_response_callback)

    # gRPC's own mark, as on the method above: such a call takes no worker while it lasts.
    _watch.__dict__["experimental_non_blocking"] = True

    def end_watches(self) -> None:
        """End the calls that watch: the server would wait for them."""
        with self._watch_lock:
            watches, self._watches = self._watches or [], None
        for end in watches:
            end(None)


def build_handlers(respond: Respond) -> dict[str, Any]:
    return {
        name: grpc.unary_unary_rpc_method_handler(
            partial(respond, method),
            request_deserializer=method.request.FromString,
            response_serializer=method.reply.SerializeToString,
        )
        for name, method in METHODS.items()
    }

"""Both ends of a run's socket for tests: a host with scripted events, and a client that sends raw lines."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.config.run import RunConfig
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal import Journal
from tests.fakes import run_started
from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process.host import Host
from tui.process.protocol import Hello, to_line
from tui.process.sockets import socket_path
from tui.process.torchrun import Agent

RUN = "watched"
PAUSED = e.Paused(step=5, elapsed_seconds=0.5)
FINISHED = e.RunFinished(step=9, elapsed_seconds=1.0, reason="stopped", total_seconds=1.0, total_chars=9)
HELLO = to_line(Hello())


def line_of(message: c.Command | e.Event) -> bytes:
    """Return a command or an event as a line of the socket."""
    return codec.encode(message).encode() + b"\n"


@dataclass
class Hosted:
    """A host of a run that trains nothing."""

    host: Host
    folder: RunFolder
    sent: list[c.Command] = field(default_factory=list)
    """Commands of clients."""

    @property
    def path(self) -> Path:
        return socket_path(self.folder)

    def emit(self, *events: e.Event) -> None:
        for event in events:
            self.host.handle(event)

    def attached(self, hello: bytes = HELLO) -> RawClient:
        """Return a client that has received the view."""
        client = RawClient(self.path, hello)
        client.receive_until("SnapshotEnd")
        return client

    def is_reachable(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            return connection.connect_ex(str(self.path)) == 0

    def break_connections(self) -> None:
        """End all connections, as for a client that was stopped for long."""
        for client in list(self.host._clients):
            client._writer.transport.abort()


@contextmanager
def hosted(
    *script: e.Event, num_waiting: Callable[[], int] = lambda: 0, agent: Agent | None = None
) -> Iterator[Hosted]:
    """Host a run after these events; its folder is that of an active run."""
    folder = folder_of_run(RUN)
    folder.path.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder.journal_path)
    if agent is not None:
        agent.write(folder)
    sent: list[c.Command] = []
    host = Host(RunConfig(run_name=RUN), sent.append, num_waiting)
    made = Hosted(host, folder, sent)
    try:
        made.emit(*(script or (run_started(run=RUN),)))
        wait_until(made.is_reachable, "the socket")
        yield made
    finally:
        journal.close()
        host.close()


class RawClient(AbstractContextManager["RawClient"]):
    """A client that sends raw lines."""

    def __init__(self, path: Path, *lines: bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.connect(str(path))
        self._file = self.socket.makefile("rb")
        for line in lines:
            self.send(line)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> dict[str, Any]:
        """Return the next message other than `Screens`."""
        line = self._file.readline()
        assert line.endswith(b"\n"), "nothing more was sent"
        received: dict[str, Any] = json.loads(line)
        return self.receive() if received.get("message") == "Screens" else received

    def receive_until(self, message: str) -> list[dict[str, Any]]:
        """Return the messages up to and including one, or an event, of that name."""
        received = [self.receive()]
        while message not in (received[-1].get("message"), received[-1].get("event")):
            received.append(self.receive())
        return received

    def receive_all(self) -> list[dict[str, Any]]:
        """Return all messages other than `Screens` until the host closes the connection."""
        data = bytearray()
        with suppress(ConnectionResetError):  # the host had not read all lines
            while piece := self._file.read1(1 << 20):
                data += piece
        received = [json.loads(line) for line in bytes(data).split(b"\n")[:-1]]
        return [line for line in received if line.get("message") != "Screens"]

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def __exit__(self, *_: object) -> None:
        self.close()

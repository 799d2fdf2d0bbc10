"""Arbitrary input on the socket of a run: a real host must survive it."""

from __future__ import annotations

import atexit
import json
import socket
import threading
import time
from pathlib import Path

from engine.config.run import RunConfig
from engine.protocol import commands
from engine.storage.folders import folder_of_run
from engine.storage.journal import Journal
from tests.fakes import run_started, steps_finished, tweet_sampled
from tests.fuzz.target import Target, require_plain
from tests.fuzz.targets import messages
from tui.remote.host import Host
from tui.remote.protocol import Hello, to_line
from tui.remote.socket_path import socket_path

_SECONDS = 10.0
_HELLO = to_line(Hello())
_MESSAGES = {"Greeting", "ViewTold", "TweetsTold", "CaughtUp", "Refusal"}
_RUN = "fuzzed"


class _HostUnderTest:
    """A host that serves all inputs, one after the other."""

    def __init__(self) -> None:
        """Host a small run."""
        folder = folder_of_run(_RUN)
        folder.path.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(folder.journal_path)
        self._path = socket_path(folder)
        self._sent: list[commands.Command] = []
        self._host = Host(RunConfig(), self._sent.append, lambda: 0)
        for event in (run_started(run=_RUN), steps_finished(1, [3.0, 2.5]), tweet_sampled("hello", 2)):
            self._host.handle(event)
        atexit.register(self._host.close)

    def _response_to(self, data: bytes) -> bytes:
        """Return what the host sends to a client that sends `data` and closes its side."""
        received = bytearray()
        with self._connection() as connection:
            writer = threading.Thread(target=_write, args=(connection, data))
            writer.start()
            try:
                while piece := connection.recv(1 << 16):
                    received += piece
            except ConnectionResetError:  # the host had not read all of it
                pass
            writer.join()
        return bytes(received)

    def _require_a_view(self) -> None:
        """Attach like a screen, until the host has sent the view."""
        with self._connection() as connection, connection.makefile("rb") as lines:
            connection.sendall(_HELLO)
            while b'"CaughtUp"' not in (line := lines.readline()):
                assert line, "the host gives no view any more"

    def _connection(self) -> socket.socket:
        end = time.monotonic() + _SECONDS
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(_SECONDS)
            try:
                connection.connect(str(self._path))
            except OSError:
                connection.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                return connection

    def check(self, data: bytes) -> str:
        """Send the data alone and after a valid hello; then check that the host still serves a view."""
        outcomes = []
        for sent in (data, _HELLO + data):
            self._sent.clear()
            answers = map(json.loads, self._response_to(sent).split(b"\n")[:-1])
            lines = [line for line in answers if "event" not in line]  # the run's own events may arrive in between
            kinds = [line["message"] for line in lines if line["message"] != "Screens"]
            assert _MESSAGES.issuperset(kinds), kinds
            assert kinds[0] == "Greeting"
            reasons = [line["reason"] for line in lines if line["message"] == "Refusal"]
            require_plain(*reasons)
            outcomes.append(f"{kinds[-1]} {reasons} {sorted({type(each).__name__ for each in self._sent})}")
        self._require_a_view()
        assert self._host.problem == ""
        return " | ".join(outcomes)


def _write(connection: socket.socket, data: bytes) -> None:
    """Send all of it, or as much as the host reads."""
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def make(_: Path) -> Target:
    """Return the target."""
    hosts: list[_HostUnderTest] = []

    def check(data: bytes) -> str:
        if not hosts:  # starts a thread, so only when used
            hosts.append(_HostUnderTest())
        return hosts[0].check(data)

    lines_of_commands = tuple(line + b"\n" for line in messages.examples() if b'"command"' in line)
    hellos = (_HELLO, to_line(Hello(is_read_only=True)), _HELLO + _HELLO)
    refused = (_HELLO.rstrip(b"}\n") + b',"x":' + b"[" * 600 + b"]" * 600 + b"}\n", b"x" * 65_537)
    tokens = (b'{"command":', b'{"message":', b"\n", _HELLO, b'"temperatures":[')
    return Target(
        name="socket",
        seeds=(*hellos, *refused, *lines_of_commands[:60], b"".join(lines_of_commands[:20])),
        check=check,
        tokens=tokens,
    )

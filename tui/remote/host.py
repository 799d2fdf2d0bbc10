"""`Host`: lets other terminals of the same user show and steer the run of this process.

A thread with an event loop of its own: ten times a second it folds new events into a view, and sends them to the
clients. The session only puts events on a queue, so training never waits for a client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from engine.config.run import RunConfig
from engine.errors import StorageError
from engine.protocol import codec
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.log import log_to
from tui.remote.agent import Agent
from tui.remote.host_connection import HostConnection
from tui.remote.listener import Listener
from tui.remote.protocol import Greeting, Screens, lines_of, to_line
from tui.run.folding import fold
from tui.run.journal import read_history
from tui.run.view import RunView

TICK_SECONDS = 0.1
CLOSING_SECONDS = 1.0
"""How long an ended run waits for its clients to read the last event."""
LOG = logging.getLogger(__name__)
logging.getLogger("asyncio").addHandler(logging.NullHandler())  # or its warnings would go to stderr


class Host:
    """An `EventSubscriber` that serves the clients of a run. Its methods are for any thread."""

    def __init__(
        self,
        config: RunConfig,
        send: Callable[[Command], None],
        num_waiting: Callable[[], int],
        history: RunView | None = None,
        on_run: Callable[[str], None] = lambda _: None,
        agent: Agent | None = None,
    ) -> None:
        """Forward commands of clients to `send`, throttled by `num_waiting`: those that the session has yet to handle.

        `history` is the view of a resumed run; `on_run` is called with the run's name once it has started. `agent` is
        what starts the processes of the run again where one is lost.
        """
        self._config = config
        self._send = send
        self._num_waiting = num_waiting
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._view = history or RunView()
        self._on_run = on_run
        self._agent = agent
        self._clients: list[HostConnection] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._folder = RunFolder(Path())
        self._listener: Listener | None = None
        self._resumed: RunStarted | None = None
        self._num_clients_sent = 0
        self._is_closing = threading.Event()
        self._failure = ""
        self._is_over = False

    def handle(self, event: Event) -> None:
        """Queue an event; start to listen at the first `RunStarted`. Never blocks and never raises."""
        if self._is_over:
            return
        self._events.put(event)
        if self._thread is None and isinstance(event, RunStarted):
            try:
                self._start(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run continues
                self._fail(error)

    def _start(self, event: RunStarted) -> None:
        """Start the thread of a run that has started."""
        self._folder = folder_of_run(event.run)
        if event.resumed_from is not None and not len(self._view.train_losses):
            self._resumed = event
        self._on_run(event.run)
        self._listener = Listener(self._folder, self._accept)
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)
        self._thread.start()

    def _fail(self, error: BaseException) -> None:
        """Stop: further events are dropped."""
        self._is_over = True
        self._failure = f"{type(error).__name__}: {error}"

    @property
    def num_clients(self) -> int:
        """Clients that are not read-only."""
        return sum(not client.is_read_only for client in self._clients)

    @property
    def problem(self) -> str:
        """Why no client can attach; empty where clients can, and before the run has started."""
        return self._failure or (self._listener.problem if self._listener is not None else "")

    def close(self) -> None:
        """Send the remaining events and remove the socket. Blocks for about a second at most."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(2 * CLOSING_SECONDS)

    def _run(self) -> None:
        """Serve until the run has ended. The thread's body."""
        try:
            if self._resumed is not None:
                with contextlib.suppress(OSError):
                    self._view, _ = read_history(self._folder.journal_path, until=self._resumed)
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - whatever it is, the run continues
            self._fail(error)
            _log(self._folder, "the host failed", error)
        finally:
            self._is_over = True

    async def _serve(self) -> None:
        """Send events and keep the socket in place until the run's last event is sent."""
        assert self._listener is not None  # noqa: S101 - set before the thread was started
        asyncio.get_running_loop().set_exception_handler(self._log_context)
        try:
            while True:
                await self._listener.check()
                is_closing = self._is_closing.is_set()  # read before the queue, so that the last event is not missed
                if self._publish() or is_closing:
                    break
                await asyncio.sleep(TICK_SECONDS)
            await self._close_connections()
        finally:
            self._listener.close()

    def _publish(self) -> bool:
        """Fold the queued events into the view, and send them to the clients; return whether the run has ended."""
        new_events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while True:
                new_events.append(self._events.get_nowait())
        self._view = fold(self._view, new_events)
        lines = b"".join(codec.encode(event).encode() + b"\n" for event in new_events) if self._clients else b""
        if len(self._clients) != self._num_clients_sent:
            self._num_clients_sent = len(self._clients)
            lines += to_line(Screens(count=self._num_clients_sent))
        if lines:
            for client in self._clients:
                client.queue(lines)
        return bool(new_events) and isinstance(new_events[-1], RunFinished | RunFailed)

    def _snapshot(self) -> Iterator[bytes]:
        """Yield the lines of the current view."""
        yield from lines_of(self._view, self._config)
        yield to_line(Screens(count=len(self._clients)))

    def _log_context(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log the exception of a task: a bug, which ends only one connection."""
        _log(self._folder, context["message"], context.get("exception"))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        task = asyncio.create_task(self._serve_client(HostConnection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve_client(self, client: HostConnection) -> None:
        """Serve one connection until it ends: greeting, snapshot, events; forward its commands."""
        try:
            if await client.handshake(self._greeting()):
                self._clients.append(client)
                await client.run(self._snapshot, self._send, self._num_waiting)
        except OSError:  # it is gone
            pass
        finally:
            if client in self._clients:
                self._clients.remove(client)
            await client.close()
        await client.commands_forwarded()

    def _greeting(self) -> Greeting:
        view = self._view
        return Greeting(
            run=self._folder.name,
            pid=os.getpid(),
            agent=self._agent,
            phase=view.phase,
            step=view.step,
            elapsed_seconds=view.elapsed_seconds,
            best_bits_per_char=None if view.best is None else view.best.bits_per_char,
            corpus="" if view.started is None else view.started.corpus,
        )

    async def _close_connections(self) -> None:
        """Give the clients a moment to read the last event; then close all connections."""
        for client in self._clients:
            client.close_when_sent()
        if self._clients:
            await asyncio.wait(self._connections, timeout=CLOSING_SECONDS)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def _log(folder: RunFolder, what: str, error: BaseException | None) -> None:
    """Write an error of the host to the log of its run."""
    with contextlib.suppress(StorageError), log_to(folder.log_path, "tui"):
        LOG.error(what, exc_info=error)

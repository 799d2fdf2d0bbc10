"""`Host`: lets other terminals of the same user watch and steer the run of this process.

A thread of its own with an event loop of its own: ten times a second it folds what has happened into a view, and tells
the watchers. The session only ever puts events on a queue; however slow a watcher is, training does not wait for it.
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
from engine.protocol import events
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.run_log import log_to
from tui.remote.host_connection import HostConnection
from tui.remote.listener import Listener
from tui.remote.protocol import Greeting, Screens, lines_of, to_line
from tui.run.history import read_history
from tui.run.reducer import fold
from tui.run.view import RunView

TICK_SECONDS = 0.1
LAST_WORD_SECONDS = 1.0
"""How long an ended run waits for its watchers to take in the end."""
LOG = logging.getLogger(__name__)
logging.getLogger("asyncio").addHandler(logging.NullHandler())  # or its warnings would go to stderr


def _nothing(_: str) -> None:
    """Take no note of the run's name."""


class Host:
    """The run of this process, as others see it. `handle`, `num_clients`, `problem` and `close` are for any thread."""

    def __init__(
        self,
        config: RunConfig,
        send: Callable[[Command], None],
        num_waiting: Callable[[], int],
        history: RunView | None = None,
        on_run: Callable[[str], None] = _nothing,
    ) -> None:
        """Hand watchers' commands to `send`, no faster than they are followed: `num_waiting` still are to be.

        `history` is the view that the journal of a resumed run leads to; `on_run` is told the name of the run.
        """
        self._config = config
        self._send = send
        self._num_waiting = num_waiting
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._view = history or RunView()
        self._on_run = on_run
        self._clients: list[HostConnection] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._folder = RunFolder(Path())
        self._listener: Listener | None = None
        self._resumed: RunStarted | None = None
        self._num_screens_told = 0
        self._is_closing = threading.Event()
        self._has_failed = ""
        self._is_over = False

    def handle(self, event: Event) -> None:
        """Take note of an event; with the first `RunStarted`, begin to listen. Never waits and never raises."""
        if self._is_over:
            return
        self._events.put(event)
        if self._thread is None and isinstance(event, RunStarted):
            try:
                self._begin(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
                self._give_up(error)

    def _begin(self, event: RunStarted) -> None:
        """Start the thread of a run that has started."""
        self._folder = folder_of_run(event.run)
        if event.resumed_from is not None and not len(self._view.train_losses):
            self._resumed = event
        self._on_run(event.run)
        self._listener = Listener(self._folder, self._meet)
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)
        self._thread.start()

    def _give_up(self, error: BaseException) -> None:
        """Host no more: what comes is not kept."""
        self._is_over = True
        self._has_failed = f"{type(error).__name__}: {error}"

    @property
    def num_clients(self) -> int:
        """How many watch and may steer."""
        return sum(not watcher.is_read_only for watcher in self._clients)

    @property
    def problem(self) -> str:
        """Why nobody can attach; empty where they can, or the run has not started."""
        return self._has_failed or (self._listener.problem if self._listener is not None else "")

    def close(self) -> None:
        """Tell the watchers what is left to tell, and take the socket away. Waits about a second at most."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(2 * LAST_WORD_SECONDS)

    def _run(self) -> None:
        """Serve until the run has ended. The thread's body."""
        try:
            if self._resumed is not None:
                with contextlib.suppress(OSError):
                    self._view, _ = read_history(self._folder.journal_path, until=self._resumed)
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
            self._give_up(error)
            _log(self._folder, "the host ended", error)
        finally:
            self._is_over = True

    async def _serve(self) -> None:
        """Tell, and keep the socket in its place, until the run's last event is told."""
        assert self._listener is not None  # noqa: S101 - set before the thread was started
        asyncio.get_running_loop().set_exception_handler(self._log_context)
        try:
            while True:
                await self._listener.look()
                is_closing = self._is_closing.is_set()  # asked before, so that no last event is missed
                if self._tell() or is_closing:
                    break
                await asyncio.sleep(TICK_SECONDS)
            await self._say_goodbye()
        finally:
            self._listener.close()

    def _tell(self) -> bool:
        """Fold what has happened into the view, and tell the watchers; return whether it was the end."""
        happened: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while True:
                happened.append(self._events.get_nowait())
        self._view = fold(self._view, happened)
        lines = b"".join(events.to_json(event).encode() + b"\n" for event in happened) if self._clients else b""
        if len(self._clients) != self._num_screens_told:
            self._num_screens_told = len(self._clients)
            lines += to_line(Screens(count=self._num_screens_told))
        if lines:
            for watcher in self._clients:
                watcher.tell(lines)
        return bool(happened) and isinstance(happened[-1], RunFinished | RunFailed)

    def _whole(self) -> Iterator[bytes]:
        """Yield the run as it stands, in lines."""
        yield from lines_of(self._view, self._config)
        yield to_line(Screens(count=len(self._clients)))

    def _log_context(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what went wrong in a task: a mistake of ours, which ends one connection and no more."""
        _log(self._folder, context["message"], context.get("exception"))

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        task = asyncio.create_task(self._serve_one(HostConnection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve_one(self, watcher: HostConnection) -> None:
        """Serve one connection: greet, tell all that has been and what happens, follow commands, until it ends."""
        try:
            watcher.say(self._greeting())
            if await watcher.is_welcome():
                self._clients.append(watcher)
                await watcher.attend(self._whole, self._send, self._num_waiting)
        except OSError:  # it has gone
            pass
        finally:
            if watcher in self._clients:
                self._clients.remove(watcher)
            await watcher.end()
        await watcher.finish()

    def _greeting(self) -> Greeting:
        view = self._view
        return Greeting(
            run=self._folder.name,
            pid=os.getpid(),
            phase=view.phase,
            step=view.step,
            elapsed_seconds=view.elapsed_seconds,
            best_bits_per_char=None if view.best is None else view.best.bits_per_char,
        )

    async def _say_goodbye(self) -> None:
        """Give the watchers a moment to take in the last word; then close all connections."""
        for watcher in self._clients:
            watcher.tell_end()
        if self._clients:
            await asyncio.wait(self._connections, timeout=LAST_WORD_SECONDS)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def _log(folder: RunFolder, what: str, error: BaseException | None) -> None:
    """Write to the log of a run what went wrong in its host."""
    with contextlib.suppress(StorageError), log_to(folder.log_path, "tui"):
        LOG.error(what, exc_info=error)

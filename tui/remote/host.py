"""`Host`: lets other terminals of the same user watch and steer the run of this process.

A thread of its own with an event loop of its own: ten times a second it folds what has happened into a view, tells the
watchers, and looks whether the socket is still in its place. The session only ever puts events on a queue; however slow
a watcher is, training does not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from engine import events
from engine.commands import Command
from engine.config import RunConfig
from engine.errors import StorageError
from engine.events import Event, RunFailed, RunFinished, RunStarted
from engine.folders import folder_of_run
from engine.log import log_to
from engine.versions import installed_version
from tui.remote.peers import is_own
from tui.remote.places import private_folder, socket_path
from tui.remote.protocol import MAX_WATCHER_LINE_BYTES, Greeting, Refusal, lines_of, to_line
from tui.remote.watcher import Watcher
from tui.run_view import RunView
from tui.state import fold, replay

TICK_SECONDS = 0.1
LOOK_SECONDS = 1.0
"""How often the socket is looked for: a runtime folder is taken away when its user has no session left."""
MAX_CONNECTIONS = 64
"""At once; further ones are refused."""
_LAST_WORD_SECONDS = 1.0
"""How long an ended run waits for its watchers to take in the end."""
_BACKLOG = 128
LOG = logging.getLogger(__name__)


def _nothing(_: str) -> None:
    """Take no note of the run's name."""


class Host:
    """The run of this process, as others see it. `take`, `num_watchers` and `close` are for any thread."""

    def __init__(
        self,
        config: RunConfig,
        send: Callable[[Command], None],
        num_waiting: Callable[[], int],
        history: RunView | None = None,
        on_run: Callable[[str], None] = _nothing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hand watchers' commands to `send`, no faster than they are followed: `num_waiting` still are to be.

        `history` is the view that the journal of a resumed run leads to; `on_run` is told the name of the run.
        """
        self._config = config
        self._send = send
        self._num_waiting = num_waiting
        self._clock = clock
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._view = history or RunView()
        self._on_run = on_run
        self._watchers: list[Watcher] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._path: Path | None = None
        self._read_back: Callable[[], RunView] | None = None
        self._is_closing = threading.Event()
        self.problem = ""
        """Why nobody can attach; empty where they can, or the run has not started."""

    def take(self, event: Event) -> None:
        """Take note of an event; with the first `RunStarted`, begin to listen. Never waits and never raises."""
        self._events.put(event)
        if self._thread is None and isinstance(event, RunStarted):
            folder = folder_of_run(event.run)
            self._path = socket_path(folder)
            if event.resumed_from is not None and not len(self._view.train_losses):
                self._read_back = partial(view_before, folder.journal_path, size_of(folder.journal_path))
            self._on_run(event.run)
            self._thread = threading.Thread(target=self._run, name="host", daemon=True)
            self._thread.start()

    @property
    def num_watchers(self) -> int:
        """How many watch and may steer."""
        return sum(not watcher.is_read_only for watcher in self._watchers)

    def close(self) -> None:
        """Tell the watchers what is left to tell, and take the socket away. Waits about a second at most."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(2 * _LAST_WORD_SECONDS)

    def _run(self) -> None:
        """Serve until the run has ended. The thread's body."""
        try:
            if self._read_back is not None:
                self._view = self._read_back()
            asyncio.run(self._serve())
        except Exception as error:  # whatever it is, the run goes on
            self.problem = f"{type(error).__name__}: {error}"
            with contextlib.suppress(StorageError), log_to(folder_of_run(self._view.started.run).log_path, "tui"):  # type: ignore[union-attr] # it runs from `RunStarted` on
                LOG.exception("the host ended")
        finally:
            if self._path is not None:
                with contextlib.suppress(OSError):
                    self._path.unlink()

    async def _serve(self) -> None:
        """Listen, tell, and keep the socket in its place, until the run's last event is told."""
        listener: asyncio.Server | None = None
        looked_at = -LOOK_SECONDS
        inode = 0
        while True:
            if self._clock() - looked_at >= LOOK_SECONDS:
                looked_at = self._clock()
                if not self._is_in_place(inode):
                    if listener is not None:
                        listener.close()
                    listener, inode = await self._listen()
            is_closing = self._is_closing.is_set()  # asked before, so that no last event is missed
            has_ended = self._tell()
            if has_ended or is_closing:
                break
            await asyncio.sleep(TICK_SECONDS)
        if listener is not None:
            listener.close()
        await self._say_goodbye()

    def _is_in_place(self, inode: int) -> bool:
        """Say whether the socket that is listened on is the one that others find."""
        try:
            return self._path is not None and self._path.lstat().st_ino == inode
        except OSError:
            return False

    async def _listen(self) -> tuple[asyncio.Server | None, int]:
        """Listen where the run is looked for; where that can't be, say why in `problem`. The run's lock is held."""
        assert self._path is not None  # noqa: S101 - set before the thread was started
        try:
            private_folder(self._path.parent)
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()  # of a process that was killed
            own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                own.setblocking(False)  # noqa: FBT003 - the standard library has it so
                own.bind(str(self._path))
                os.chmod(self._path, 0o600)  # nobody can connect before it listens
                server = await asyncio.start_unix_server(
                    self._meet, sock=own, limit=MAX_WATCHER_LINE_BYTES, backlog=_BACKLOG
                )
            except BaseException:
                own.close()
                raise
            self.problem = ""
            return server, self._path.lstat().st_ino
        except (OSError, StorageError) as error:
            self.problem = error.message if isinstance(error, StorageError) else f"{self._path}: {error.strerror}."
            return None, 0

    def _tell(self) -> bool:
        """Fold what has happened since the last time into the view, and tell the watchers; say whether it was the end.

        Watchers that have fallen behind are brought to the view.
        """
        happened: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while True:
                happened.append(self._events.get_nowait())
        self._view = fold(self._view, happened)
        if self._watchers and happened:
            lines = b"".join(events.to_json(event).encode() + b"\n" for event in happened)
            for watcher in self._watchers:
                watcher.tell(lines)
        for watcher in self._watchers:
            watcher.catch_up(lambda: lines_of(self._view, self._config))
        return bool(happened) and isinstance(happened[-1], RunFinished | RunFailed)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, from its greeting to its end."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio calls this in a task
        self._connections.add(task)
        watcher = Watcher(reader, writer, self._clock)
        try:
            if not is_own(writer.get_extra_info("socket")):
                watcher.refuse(Refusal(reason="This run is another user's."))
            elif len(self._connections) > MAX_CONNECTIONS:
                watcher.refuse(Refusal(reason="Too many are connected to this run."))
            else:
                await self._attend(watcher)
        except (OSError, asyncio.IncompleteReadError):  # it has gone
            pass
        finally:
            self._connections.discard(task)
            if watcher in self._watchers:
                self._watchers.remove(watcher)
            await watcher.end()

    async def _attend(self, watcher: Watcher) -> None:
        """Greet, tell all that has been, then follow commands until it goes."""
        view = self._view
        watcher.say(
            to_line(
                Greeting(
                    version=installed_version("tweetgen-tui"),
                    run=view.started.run if view.started else "",
                    pid=os.getpid(),
                    phase=view.phase,
                    step=view.step,
                    num_watchers=len(self._watchers),
                )
            )
        )
        if not await watcher.is_welcome():
            return
        watcher.begin(lines_of(self._view, self._config))  # no turn of the loop between this and the next line
        self._watchers.append(watcher)
        await watcher.follow(self._send, self._num_waiting)

    async def _say_goodbye(self) -> None:
        """Give the watchers a moment to take in the last word; then close all connections."""
        deadline = self._clock() + _LAST_WORD_SECONDS
        while any(watcher.num_waiting_bytes for watcher in self._watchers) and self._clock() < deadline:
            await asyncio.sleep(TICK_SECONDS / 10)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def size_of(journal: Path) -> int:
    """Return how many bytes a journal has now."""
    try:
        return journal.stat().st_size
    except OSError:
        return 0


def view_before(journal: Path, num_bytes: int) -> RunView:
    """Return the view that the first so many bytes of a journal lead to; none where it can't be read."""
    try:
        with journal.open("rb") as file:
            return replay(_lines_within(file, num_bytes))
    except OSError:
        return RunView()


def _lines_within(file: BinaryIO, num_bytes: int) -> Iterator[bytes]:
    """Yield the lines that end within the first so many bytes."""
    for line in file:
        num_bytes -= len(line)
        if num_bytes < 0:
            return
        yield line

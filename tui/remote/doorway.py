"""`Doorway`: the socket of a run, kept in its place in the file system, and the connections that come in by it.

Never more than one is accepted at a time, and none is kept here: however many come at once, the process does not run
out of descriptors, which it needs to save.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from engine.errors import StorageError
from tui.remote.places import private_folder

LOOK_SECONDS = 1.0
"""How often the socket is looked for: a runtime folder is taken away when its user has no session left."""
PACE_SECONDS = 0.001
"""Between two connections: a flood of them must not take the processor from training."""
_BACKLOG = 128


class Doorway:
    """Lives on the host's loop, but for `problem`, which is for any thread."""

    def __init__(
        self, find_path: Callable[[], Path], meet: Callable[[socket.socket], None], clock: Callable[[], float]
    ) -> None:
        """Hand each connection to `meet`, which has to close it and must not raise.

        `find_path` says where others look for the socket; that changes where the runtime folder goes.
        """
        self._find_path = find_path
        self._path = Path()
        self._meet = meet
        self._clock = clock
        self._looked_at = clock() - LOOK_SECONDS
        self._own: socket.socket | None = None
        self._inode: tuple[int, int] | None = None
        self._letting_in: asyncio.Task[None] | None = None
        self.problem = ""
        """Why nobody can come in; empty where they can."""

    async def look(self) -> None:
        """Make sure every `LOOK_SECONDS` that the socket is where others look for it. The run's lock is held."""
        if self._clock() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = self._clock()
        try:
            path = self._find_path()
        except OSError as error:
            self.problem = f"{error}."
            return
        if self._letting_in is None or self._letting_in.done() or path != self._path or not self._is_in_place():
            await self.close()
            self._path = path
            self._open()

    async def close(self) -> None:
        """Let nobody in any more, and take the socket away, unless another is there by now."""
        is_own = self._own is not None and self._is_in_place()
        await self._shut()
        if is_own:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _is_in_place(self) -> bool:
        """Say whether the socket that is listened on is the one that others find."""
        try:
            status = self._path.lstat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def _open(self) -> None:
        """Listen; where that can't be, say why in `problem`."""
        try:
            private_folder(self._path.parent)
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()  # of a process that was killed
            with contextlib.ExitStack() as undo:
                own = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                own.setblocking(False)  # noqa: FBT003 - the standard library has it so
                own.bind(str(self._path))
                self._path.chmod(0o600)  # nobody can connect before it listens
                own.listen(_BACKLOG)
                status = self._path.lstat()
                undo.pop_all()
        except (OSError, StorageError) as error:
            self.problem = error.message if isinstance(error, StorageError) else f"{self._path}: {error}."
            return
        self.problem = ""
        self._own, self._inode = own, (status.st_dev, status.st_ino)
        self._letting_in = asyncio.create_task(self._let_in(own))

    async def _shut(self) -> None:
        """Listen no more."""
        if self._letting_in is not None:
            self._letting_in.cancel()
            # or the loop would still look at the descriptor's number, which may soon be another's
            await asyncio.gather(self._letting_in, return_exceptions=True)
        if self._own is not None:
            self._own.close()
        self._own = self._letting_in = None

    async def _let_in(self, own: socket.socket) -> None:
        """Accept one connection after another."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(own)
            except OSError as error:  # no descriptor is left
                self.problem = f"{self._path}: {os.strerror(error.errno or 0)}."
                await asyncio.sleep(LOOK_SECONDS)
                continue
            self.problem = ""
            self._meet(connection)
            await asyncio.sleep(PACE_SECONDS)

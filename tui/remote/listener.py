"""`Listener`: the listening socket of a run. Restores its file where it is deleted."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import StorageError
from engine.storage.folders import RunFolder
from tui.remote.protocol import MAX_CLIENT_LINE_BYTES
from tui.remote.socket_path import make_private_folder, socket_path

CHECK_SECONDS = 1.0
"""How often the socket file is checked: a runtime folder is deleted with its user's last login session."""


class Listener:
    """Belongs to the host's event loop, except `problem`, which any thread may read."""

    def __init__(self, folder: RunFolder, accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]) -> None:
        """Prepare to listen for the run of `folder`; `accept` is called with each connection."""
        self._folder = folder
        self._accept = accept
        self._checked_at = -math.inf
        self._server: asyncio.Server | None = None
        self._path = Path()
        self._inode: tuple[int, int] | None = None
        self.problem = ""
        """Why no client can connect; empty where clients can."""

    async def check(self) -> None:
        """Every `CHECK_SECONDS`, bind a new socket if the run's socket file was moved or deleted."""
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        try:
            path = socket_path(self._folder)
            if path != self._path or not self._is_in_place():
                self.close()
                await self._open(path)
        except StorageError as error:
            self.problem = f"{error.message} {error.hint}".rstrip()
        except OSError as error:
            self.problem = f"{error}."
        else:
            self.problem = ""

    async def _open(self, path: Path) -> None:
        """Listen at `path`. The run is locked, so an existing socket belonged to a process that was killed."""
        make_private_folder(path.parent)
        path.unlink(missing_ok=True)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            own.bind(str(path))
            path.chmod(0o600)  # before it listens, so before any client can connect
            status = path.lstat()
            self._server = await asyncio.start_unix_server(self._accept, sock=own, limit=MAX_CLIENT_LINE_BYTES)
        except OSError:
            own.close()
            raise
        self._path, self._inode = path, (status.st_dev, status.st_ino)

    def _is_in_place(self) -> bool:
        """Return whether the file at the path is the socket that this process listens on."""
        try:
            status = self._path.lstat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def close(self) -> None:
        """Stop listening, and delete the socket file unless it is another process's by now."""
        if self._server is None:
            return
        is_own = self._is_in_place()
        self._server.close()
        self._server = None
        if is_own:
            with contextlib.suppress(OSError):
                self._path.unlink()

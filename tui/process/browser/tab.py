"""`Tab`: the process behind one tab of a browser, in a session of its own. It ends with the tab.

The process writes packets of a type, a length and a payload to standard output (`textual.drivers.web_driver`). What it
prints on stderr at its end, such as how the run has ended, is shown in the tab.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader as Reader
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from typing import cast

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from tui.terminal.capabilities import BROWSER_DRIVER, drawn_size

_START_OF_PACKETS = b"__GANGLION__\n"
_END_SECONDS = 30.0
"""How long a process may take to end after its tab is closed: it may first detach a run that it trains itself."""
_MAIN_SCREEN = "\x1b[?1049l\x1b[2J\x1b[H\x1b[?25l"
_OF_A_TERMINAL = {"NO_COLOR", "COLORTERM", "TMUX", "ZELLIJ", "STY", "SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"}
"""Variables that describe the terminal of the server."""
_OF_A_TAB = {"TEXTUAL_DRIVER": BROWSER_DRIVER, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}


class Tab(AppService):
    """Runs a process for a WebSocket, from `start` to `stop`."""

    def __init__(self, arguments: Sequence[str], socket: web.WebSocketResponse, downloads: DownloadManager) -> None:
        super().__init__(
            "",
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=self._ignore_closed_screen,
            download_manager=downloads,
        )
        self._arguments = arguments
        self._socket = socket

    async def _ignore_closed_screen(self) -> None:
        """Keep the socket open once the screen is closed: the process prints its last lines after that."""

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        """Describe the terminal of the browser in place of the server's."""
        environment = super()._build_environment(*drawn_size(width, height))
        return {name: value for name, value in environment.items() if name not in _OF_A_TERMINAL} | _OF_A_TAB

    async def set_terminal_size(self, width: int, height: int) -> None:
        """Pass on the size of the terminal, within the limits. Raises `TypeError` if it is not of whole numbers."""
        if {type(width), type(height)} != {int}:  # they come from JSON, where `NaN` is read as a float
            raise TypeError
        await super().set_terminal_size(*drawn_size(width, height))

    async def start(self, width: int, height: int) -> None:
        """Start the process without a shell, where ctrl+c in the terminal of the server does not reach it."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._stdin = process.stdin
        self._task = asyncio.create_task(self._show(cast("Reader", process.stdout), cast("Reader", process.stderr)))

    async def _show(self, out: Reader, errors: Reader) -> None:
        """Show the output of the process until its end, then what it has printed on stderr; close the socket."""
        printed = asyncio.create_task(errors.read())
        with contextlib.suppress(asyncio.IncompleteReadError):  # the end of the process
            await out.readuntil(_START_OF_PACKETS)
            while True:
                kind = await out.readexactly(1)
                payload = await out.readexactly(int.from_bytes(await out.readexactly(4), "big"))
                with contextlib.suppress(ConnectionError):  # the tab is closed: reading lets the process end
                    await self._forward(kind, payload)
        lines = (await printed).decode(errors="replace").splitlines()
        with contextlib.suppress(ConnectionError):
            if lines:
                await self.on_data((_MAIN_SCREEN + "\r\n".join(lines)).encode())
            await self._socket.close()

    async def _forward(self, kind: bytes, payload: bytes) -> None:
        match kind:
            case b"D":
                await self.on_data(payload)
            case b"M":
                await self.on_meta(payload)
            case b"P":
                await self.on_packed(payload)

    async def stop(self) -> None:
        """Close the input of the process, which it treats as a hang-up, and wait for its end; kill it at a deadline."""
        if self._task is None or self._process is None:
            return
        await self._download_manager.cancel_app_downloads(self.app_service_id)
        self.stdin.close()
        await asyncio.wait({self._task}, timeout=_END_SECONDS)
        if not self._task.done():
            self._process.kill()
        await self._task
        await self._process.wait()

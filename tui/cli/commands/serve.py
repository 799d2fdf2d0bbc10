"""`tweetgen-tui serve`: the screen of a run in a browser of this machine."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import ConfigError, RemoteError
from engine.storage.folders import RunFolder
from engine.text import quoted
from tui.cli.commands.attach import find_to_show, is_on
from tui.cli.completion import complete_run
from tui.process.signals import EXIT_CODES, handle_ending_signals, stop_at_signals
from tui.process.torchrun import own_module

if TYPE_CHECKING:
    from tui.process.browser import BrowserServer


def serve(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            autocompletion=complete_run,
            help="The run's name; by default the running one that started last.",
        ),
    ] = None,
    *,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port of 127.0.0.1; 0 picks a free one.")
    ] = 8000,
    control: Annotated[
        bool, typer.Option("--control", help="Let the browser do what attach does: steer, stop, read and write files.")
    ] = False,
) -> None:
    """Show the screen of a run in a browser, read-only.

    The server listens on 127.0.0.1 only, and whoever has its address, which includes a secret token, sees the run. For
    a browser on another machine, forward the port there: ssh -L 8000:127.0.0.1:8000 HOST.

    Examples:
    tweetgen-tui serve
    tweetgen-tui serve my-run --port 9000
    tweetgen-tui serve --control
    """
    try:
        from tui.process.browser import BrowserServer
    except ModuleNotFoundError as error:
        raise ConfigError(
            "A screen in a browser needs the package textual-serve, which is not installed.",
            "Install it in the program's environment: pip install textual-serve",
        ) from error

    folder = find_to_show(run)
    if not is_on(folder):
        how = f"Continue it: tweetgen-tui train --detach --resume {quoted(folder.name)}"
        raise RemoteError(f"The run {folder.name} is not active.", how)
    attach = (*own_module("tui"), "attach", folder.name, *(() if control else ("--read-only",)))
    with _listener(port) as listener:
        server = BrowserServer(folder.name, attach)
        _announce(server, folder, listener.getsockname()[1], is_control=control)
        reason = asyncio.run(_serve(server, listener))
    sys.exit(EXIT_CODES[reason])


def _listener(port: int) -> socket.socket:
    """Return a socket that listens on this port of 127.0.0.1. Raises `ConfigError`."""
    from tui.process.browser import ADDRESS

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a port is in use for a minute after its server
    try:
        listener.bind((ADDRESS, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"Port {port} of {ADDRESS} can't be used: {error.strerror}.",
            "Choose another one, as in --port 8001; --port 0 picks a free one.",
        ) from error
    return listener


def _announce(server: BrowserServer, folder: RunFolder, port: int, *, is_control: bool) -> None:
    """Print the address on stdout, and on stderr what it is."""
    mode = "to watch and steer" if is_control else "read-only"
    typer.echo(f"The run {folder.name}, {mode}, for the browsers of this machine; ctrl+c ends it:", err=True)
    typer.echo(f"http://{server.host}:{port}/?token={server.token}")
    typer.echo(f"For a browser elsewhere, first there: ssh -L {port}:{server.host}:{port} HOST", err=True)
    sys.stdout.flush()


async def _serve(server: BrowserServer, listener: socket.socket) -> str:
    """Serve until an ending signal; return the reason that it stands for."""
    from aiohttp import web

    loop, has_ended = asyncio.get_running_loop(), asyncio.Event()
    reasons: list[str] = []

    def end(reason: str) -> None:
        reasons.append(reason)
        loop.call_soon_threadsafe(has_ended.set)

    handle_ending_signals(stop_at_signals(end))
    runner = server.runner()
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await has_ended.wait()
    await runner.cleanup()
    return reasons[0]

"""`tweetgen-tui attach` and `serve`: the screen of a run in another process, on a terminal or in a browser."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import ConfigError, RemoteError
from engine.storage.folders import RunFolder, find_run
from engine.text import quoted
from tui.cli.commands.screen import local_runs, require_terminal, show
from tui.cli.options import complete_run
from tui.cli.output import report
from tui.process.job_control import start_job_control
from tui.process.signals import EXIT_CODES, handle_ending_signals, stop_at_signals
from tui.process.sockets import is_active
from tui.process.torchrun import is_on, own_module, restarting_agent, runs_that_are_on
from tui.terminal.capabilities import is_in_browser

if TYPE_CHECKING:
    from tui.process.browser import BrowserServer

Run = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        autocompletion=complete_run,
        help="The run's name; by default the running one that started last.",
    ),
]


def attach(
    run: Run = None,
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show the run without changing it.")] = False,
) -> None:
    """Open the screen of a run in the background or another terminal.

    Every key works. d detaches again, q asks whether to stop the run. If the run has finished, this prints how it
    ended; if its processes are starting again, it waits for them.

    Examples:
    tweetgen-tui attach
    tweetgen-tui attach my-run --read-only
    """
    folder = _find_to_show(run)
    is_restarting = restarting_agent(folder) is not None
    if not is_restarting and not is_active(folder):
        _print_end(folder)
        return
    require_terminal("Without one: tweetgen-tui runs list.")
    if is_restarting:
        report(f"The processes of the run {folder.name} are starting again; waiting for them.")
    job_control = start_job_control()

    from tui.process.attached import AttachedRun
    from tui.settings.preferences import PreferencesStore, preferences_path

    is_read_only_browser = read_only and is_in_browser(os.environ)
    connection = AttachedRun(folder, is_read_only=read_only)
    if is_read_only_browser:
        connection.refusal = "Read-only: this needs tweetgen-tui serve --control."
    try:
        view = connection.connect()
    except RemoteError:
        if is_active(folder):
            raise
        _print_end(folder)  # the run has just ended
        sys.exit()
    job_control.set_active_run(folder.name, is_remote=True)
    connection.welcome = _welcome(folder, is_read_only=read_only)
    store = PreferencesStore(preferences_path(), saves=not is_read_only_browser)
    show(connection, view, local_runs(job_control), store, job_control)


def _find_to_show(name: str | None) -> RunFolder:
    """Return the run to attach to. Raises `CheckpointError` without such a run, `RemoteError` without an active one."""
    if name is not None:
        return find_run(name)
    active = runs_that_are_on()
    if not active:
        raise RemoteError(
            "No run is active.",
            "Start one: tweetgen-tui train --detach, or continue one of tweetgen-tui runs list with --resume RUN.",
        )
    return active[0]


def _welcome(folder: RunFolder, *, is_read_only: bool) -> str:
    """Return the notice shown after attaching: the name of the run, and how to leave it."""
    ways = "Read-only; q leaves." if is_read_only else "d detaches and it continues; q asks whether to stop the run."
    others = ", ".join(run.name for run in runs_that_are_on() if run != folder)
    return f"This is the run {folder.name}. {ways}" + (f" Also active: {others}." if others else "")


def _print_end(folder: RunFolder) -> None:
    """Print on stderr how a run ended, and how to continue it."""
    from tui.run.journal import read_history
    from tui.run.summary import how_it_ended

    view, _ = read_history(folder.journal_path)
    for line in how_it_ended(view):
        typer.echo(line, err=True)


# In a browser ---------------------------------------------------------------------------------------------------------


def serve(
    run: Run = None,
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

    import asyncio

    folder = _find_to_show(run)
    if not is_on(folder):
        how = f"Continue it: tweetgen-tui train --detach --resume {quoted(folder.name)}"
        raise RemoteError(f"The run {folder.name} is not active.", how)
    attach = (*own_module("tui"), "attach", folder.name, *(() if control else ("--read-only",)))
    with _listener(port) as listener:
        server, port = BrowserServer(folder.name, attach), listener.getsockname()[1]
        mode = "to watch and steer" if control else "read-only"
        typer.echo(f"The run {folder.name}, {mode}, for the browsers of this machine; ctrl+c ends it:", err=True)
        typer.echo(f"http://{server.host}:{port}/?token={server.token}")
        typer.echo(f"For a browser elsewhere, first there: ssh -L {port}:{server.host}:{port} HOST", err=True)
        sys.stdout.flush()
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


async def _serve(server: BrowserServer, listener: socket.socket) -> str:
    """Serve until an ending signal; return the reason that it stands for."""
    import asyncio

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

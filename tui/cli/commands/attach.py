"""`tweetgen-tui attach`: the screen of a run that goes on in another process."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from engine.config.run import RunConfig
from engine.errors import RemoteError
from engine.storage.folders import RunFolder, find_run, list_runs
from tui.cli.commands.screen import host_factory, require_terminal, show
from tui.process.job_control import start_job_control
from tui.remote.socket_path import is_on


def attach(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run's name; by default the running one that started last.")
    ] = None,
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show the run without changing it.")] = False,
) -> None:
    """Open the screen of a run in the background or another terminal.

    Every key works. d detaches again, q asks whether to stop the run. Of a run that has finished, this prints how.

    Examples:
    tweetgen-tui attach
    tweetgen-tui attach my-run --read-only
    """
    folder = _find(run)
    if not is_on(folder):
        _tell_end(folder)
        return
    require_terminal("Without one: tweetgen-tui runs list.")
    job_control = start_job_control()

    from tui.remote.client import RemoteBridge
    from tui.settings.preferences import preferences_path
    from tui.settings.store import PreferenceKeeper

    bridge = RemoteBridge(folder, host_factory(job_control, RunConfig()), is_read_only=read_only)
    try:
        view = bridge.connect()
    except RemoteError:
        if is_on(folder):
            raise
        _tell_end(folder)  # it has ended in this very moment
        sys.exit()
    job_control.note_run(folder.name, is_elsewhere=True)
    bridge.welcome = _welcome(folder, is_read_only=read_only)
    show(bridge.config, bridge, view, PreferenceKeeper(preferences_path()), job_control)


def _find(name: str | None) -> RunFolder:
    """Return the run to attach to. Raises `CheckpointError` where there is no such run, `RemoteError` if none is on."""
    if name is not None:
        return find_run(name)
    live = _live_runs()
    if not live:
        raise RemoteError("No run is on.", "tweetgen-tui runs list shows all runs; --resume RUN goes on with one.")
    return live[0]


def _live_runs() -> list[RunFolder]:
    """Return the runs that are on, the one that began last first."""
    live = [run for run in list_runs() if is_on(run)]
    return sorted(live, key=lambda run: run.config_path.stat().st_mtime, reverse=True)


def _welcome(folder: RunFolder, *, is_read_only: bool) -> str:
    """Return what to tell somebody who has just attached: which run it is, and what leaving it means."""
    ways = "You only watch: q leaves." if is_read_only else "d leaves it going on, q asks whether to end it."
    others = ", ".join(run.name for run in _live_runs() if run != folder)
    return f"This is the run {folder.name}. {ways}" + (f" Also on: {others}." if others else "")


def _tell_end(folder: RunFolder) -> None:
    """Say on stderr how a run ended, and how to go on with it."""
    from tui.run.history import read_history
    from tui.run.summary import ending_lines

    view, _ = read_history(folder.journal_path)
    for line in ending_lines(view):
        typer.echo(line, err=True)

"""`tweetgen-tui attach`: the screen of a run in another process."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from engine.errors import RemoteError
from engine.storage.folders import RunFolder, find_run, list_runs
from tui.cli.commands.screen import local_runs, require_terminal, show
from tui.cli.completion import complete_run
from tui.process.job_control import start_job_control
from tui.process.sockets import is_active
from tui.process.torchrun import restarting_agent
from tui.terminal.capabilities import is_in_browser


def attach(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            autocompletion=complete_run,
            help="The run's name; by default the running one that started last.",
        ),
    ] = None,
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
    folder = find_to_show(run)
    is_restarting = restarting_agent(folder) is not None
    if not is_restarting and not is_active(folder):
        _print_end(folder)
        return
    require_terminal("Without one: tweetgen-tui runs list.")
    if is_restarting:
        typer.echo(f"The processes of the run {folder.name} are starting again; waiting for them.", err=True)
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
        _print_end(folder)  # it has just ended
        sys.exit()
    job_control.set_active_run(folder.name, is_remote=True)
    connection.welcome = _welcome(folder, is_read_only=read_only)
    store = PreferencesStore(preferences_path(), saves=not is_read_only_browser)
    show(connection, view, local_runs(job_control), store, job_control)


def find_to_show(name: str | None) -> RunFolder:
    """Return the run to attach to. Raises `CheckpointError` without such a run, `RemoteError` without an active one."""
    if name is not None:
        return find_run(name)
    active = _active_runs()
    if not active:
        raise RemoteError(
            "No run is active.",
            "Start one: tweetgen-tui train --detach, or continue one of tweetgen-tui runs list with --resume RUN.",
        )
    return active[0]


def is_on(folder: RunFolder) -> bool:
    """Return whether a run can be attached to: it is active, or its processes are starting again."""
    return is_active(folder) or restarting_agent(folder) is not None


def _active_runs() -> list[RunFolder]:
    """Return the runs that can be attached to, the latest first."""
    active = [run for run in list_runs() if is_on(run)]
    return sorted(active, key=lambda run: run.config_path.stat().st_mtime, reverse=True)


def _welcome(folder: RunFolder, *, is_read_only: bool) -> str:
    """Return the notice shown after attaching: the name of the run, and how to leave it."""
    ways = "Read-only; q leaves." if is_read_only else "d detaches and it continues; q asks whether to stop the run."
    others = ", ".join(run.name for run in _active_runs() if run != folder)
    return f"This is the run {folder.name}. {ways}" + (f" Also active: {others}." if others else "")


def _print_end(folder: RunFolder) -> None:
    """Print on stderr how a run ended, and how to continue it."""
    from tui.run.journal import read_history
    from tui.run.summary import ending_lines

    view, _ = read_history(folder.journal_path)
    for line in ending_lines(view):
        typer.echo(line, err=True)

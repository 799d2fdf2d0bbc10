"""The launcher of a run: starts its processes on this machine, and ends its events if they were lost too often."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.errors import DistributedError, StorageError, TweetgenError
from engine.protocol import events
from engine.protocol.events import RunFailed, RunFinished
from engine.storage.file_lock import in_use_error, try_lock
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal import Journal
from engine.storage.journal_reader import last_event
from engine.storage.run_log import log_to
from tui.cli.headless import let_go, run_headless, stop_writing
from tui.cli.output.progress_display import write_line
from tui.process.launch.count import Processes
from tui.process.launch.folder import LaunchFolder
from tui.process.launch.launcher import launch_processes
from tui.process.launch.notes import LaunchNotes
from tui.process.launch.order import LaunchOrder
from tui.remote.socket_path import launch_lock_path, make_private_folder
from tui.run.error_report import failure_event
from tui.run.view import RunView

MAX_RESTARTS = 3
_LOCK_SECONDS = 5.0
"""How long the launcher before may take to end after its run has."""
_POLL_SECONDS = 0.1
LOG = logging.getLogger(__name__)


def launch_run(order: LaunchOrder, folder: LaunchFolder, release: Callable[[], None] = lambda: None) -> int:
    """Run the order in several processes, or in this one if one is enough; return the exit code.

    `release` is called once a run that detaches has started. Raises `TweetgenError` where the run can't start, or its
    processes were lost more than `MAX_RESTARTS` times. Deletes the launch folder.
    """
    notes = LaunchNotes(folder)
    with folder.in_use():
        try:
            processes = Processes.choose(order.wanted, order.config)
            with _locked(folder_of_run(order.run)), _journal_ended(order, notes):
                return _launch(order, processes, folder, release)
        except TweetgenError as error:
            _report(error, order, notes)
            raise
        finally:
            if order.is_for_screen and isinstance(notes.ended, RunFailed):
                sys.stdout.write(events.to_json(notes.ended) + "\n")


def _launch(order: LaunchOrder, processes: Processes, folder: LaunchFolder, release: Callable[[], None]) -> int:
    """Run the processes. Raises `DistributedError`."""
    config = replace(order.config, runtime=processes.runtime)
    order = replace(order, config=config, notice=processes.note)
    order.write(folder)
    if processes.count == 1:
        return _train_alone(order, folder, release)
    write_line(f"starting {processes.count} processes on {processes.runtime.device}")
    try:
        return launch_processes(
            ["train"],
            processes.count,
            threads=processes.threads,
            folder=folder,
            max_restarts=MAX_RESTARTS,
            queues_signals=True,
            on_tick=partial(_release_once, order, LaunchNotes(folder), release),
        )
    except DistributedError as error:
        if not LaunchNotes(folder).has_saved:
            raise
        hint = f"Continue from its latest checkpoint: tweetgen-tui --resume {order.run}"
        raise type(error)(error.message, hint) from None
    finally:
        log_output(folder, folder_of_run(order.run).log_path)


def _train_alone(order: LaunchOrder, folder: LaunchFolder, release: Callable[[], None]) -> int:
    """Train in this process."""

    def on_start(view: RunView) -> None:
        if order.is_for_screen:
            stop_writing(view)
        else:
            let_go(view)
            release()

    return run_headless(
        order.config,
        as_json=order.as_json,
        stops_on_hangup=order.stops_on_hangup,
        on_start=on_start if order.detaches or order.is_for_screen else None,
        on_progress=LaunchNotes(folder).note,
        is_for_screen=order.is_for_screen,
        notice=order.notice,
    )


def _release_once(order: LaunchOrder, notes: LaunchNotes, release: Callable[[], None]) -> None:
    """Let the shell continue once the leader has closed the terminal."""
    if order.detaches and notes.has_started:
        null = os.open(os.devnull, os.O_WRONLY)
        for descriptor in (1, 2):  # standard input is the pipe to the ranks
            os.dup2(null, descriptor)
        os.close(null)
        release()


@contextlib.contextmanager
def _locked(run: RunFolder) -> Iterator[None]:
    """Lock the run's launch for the block: screens wait for the run as long as it is. Raises `StorageError`."""
    path = launch_lock_path(run)
    make_private_folder(path.parent)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        with path.open("a", encoding="ascii") as file:
            # the launcher before deletes the file while it has the lock
            if try_lock(file.fileno()) and path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
                file.truncate(0)
                file.write(f"{os.getpid()}\n")
                file.flush()
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        if time.monotonic() > deadline:
            raise in_use_error(run.journal_path)
        time.sleep(_POLL_SECONDS)


def _report(error: TweetgenError, order: LaunchOrder, notes: LaunchNotes) -> None:
    """Make an error of the launcher the last event of the run, once: for journal, screen and `--json`."""
    if notes.ended is not None:
        return
    run = folder_of_run(order.run)
    failure = failure_event(error, last_event(run.journal_path) if notes.has_started else None)
    notes.note(failure)
    if order.as_json:
        with contextlib.suppress(OSError):
            sys.stdout.write(events.to_json(failure) + "\n")
            sys.stdout.flush()


@contextlib.contextmanager
def _journal_ended(order: LaunchOrder, notes: LaunchNotes) -> Iterator[None]:
    """After the block, write the end of a run that has started to its journal, unless its leader has.

    While the launch is locked: after that, screens that wait for the run read how it has ended.
    """
    try:
        yield
    except TweetgenError as error:
        _report(error, order, notes)
        raise
    finally:
        path, ended = folder_of_run(order.run).journal_path, notes.ended
        last = last_event(path) if ended is not None and notes.has_started else None
        if ended is not None and last is not None and not isinstance(last, RunFailed | RunFinished):
            with contextlib.suppress(StorageError), contextlib.closing(Journal(path)) as journal:
                journal.write(replace(ended, step=last.step, elapsed_seconds=last.elapsed_seconds))


def log_output(folder: LaunchFolder, log_path: Path) -> None:
    """Append what the launcher and the followers have written, such as tracebacks, to a log."""
    with contextlib.suppress(StorageError, OSError), log_to(log_path, "tui"):
        for path in sorted(folder.logs.rglob("*.log")):
            if text := path.read_text(encoding="utf-8", errors="replace"):
                LOG.warning("%s of a process of the run:\n%s", path.relative_to(folder.logs), text)

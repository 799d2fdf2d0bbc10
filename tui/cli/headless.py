"""A run without a screen: signals become commands, events become a progress bar, plain lines or JSON.

stdout carries data (`--json`), stderr progress. Only this module and `tui.run.engine_bridge` start a session.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from engine.config.run import RunConfig
from engine.protocol import events
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event
from engine.protocol.stage import Stage
from engine.session import preflight
from tui.cli.output.progress_display import ProgressDisplay, write_line
from tui.cli.output.run_progress import RunProgress
from tui.process.crash_log import log_crashes_of
from tui.process.outcome import exit_code_of
from tui.process.signals import ENDING_SIGNALS, handle_ending_signals, stop_at_signals
from tui.remote.host import Host
from tui.run.reducer import apply
from tui.run.summary import end_lines
from tui.run.view import RunView


def run_headless(
    config: RunConfig,
    *,
    as_json: bool,
    stops_on_hangup: bool = False,
    on_start: Callable[[RunView], None] | None = None,
) -> int:
    """Train until the end and return the exit code. Raises `TweetgenError` if the run can't start.

    Other terminals can attach to it. After a hangup the run continues, unless it `stops_on_hangup`. `on_start` is
    called with the view of the run once it has started; from then on nothing is written.
    """
    preflight.check(config)
    inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
    progress = RunProgress(ProgressDisplay())
    has_hung_up = _listen_to_signals(inbox, stops_on_hangup=stops_on_hangup)
    view = RunView()
    is_shown = True

    def emit(event: Event) -> None:
        nonlocal view, is_shown
        view = apply(view, event)
        host.handle(event)
        has_started = on_start is not None and isinstance(event, events.RunStarted)
        if is_shown and (has_started or has_hung_up.is_set()):
            is_shown = False
            progress.close()
            if on_start is not None and has_started:
                on_start(view)
        if as_json and not isinstance(event, events.Unrecorded):
            with _ignoring_write_errors(sys.stdout, stop_at_closed_pipe):
                sys.stdout.write(events.to_json(event) + "\n")
                sys.stdout.flush()
        if is_shown:
            with _ignoring_write_errors(sys.stderr, stop_at_closed_pipe):
                progress.show(event, view)

    def on_stage(stage: Stage) -> None:
        with _ignoring_write_errors(sys.stderr, stop_at_closed_pipe):
            progress.stage(stage)

    def stop_at_closed_pipe() -> None:
        if not has_hung_up.is_set():  # after a hangup the run continues
            inbox.put(Stop())

    with contextlib.closing(progress):
        on_stage(Stage("loading torch"))
        from engine.session.session import TrainingSession

        session = TrainingSession(config, on_stage)
        host = Host(config, inbox.put, lambda: inbox.qsize() + session.num_waiting, on_run=log_crashes_of)
        with contextlib.closing(host):
            session.run(emit, inbox)
    for line in end_lines(view):
        with _ignoring_write_errors(sys.stderr, stop_at_closed_pipe):
            write_line(line)
    return exit_code_of(view)


def _listen_to_signals(inbox: queue.SimpleQueue[Command], *, stops_on_hangup: bool) -> threading.Event:
    """Make the first SIGINT or SIGTERM stop and save, the second exit at once; return an event that a hangup sets.

    A hangup stops the run only if it `stops_on_hangup`.
    """
    has_hung_up = threading.Event()

    def stop(reason: str) -> None:
        if reason == ENDING_SIGNALS[signal.SIGHUP]:
            has_hung_up.set()
            if not stops_on_hangup:
                return
        inbox.put(Stop(reason=reason))

    handle_ending_signals(stop_at_signals(stop))
    return has_hung_up


@contextlib.contextmanager
def _ignoring_write_errors(stream: TextIO, stop_at_closed_pipe: Callable[[], None]) -> Iterator[None]:
    """Suppress errors of writing to `stream`, such as a full disk; stop the run at a closed pipe."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        stop_at_closed_pipe()
    except OSError:
        pass  # the journal has the event

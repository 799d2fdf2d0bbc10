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
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from engine.config.run import RunConfig
from engine.errors import RankLostError, TweetgenError
from engine.imports import torch_imported_uncollected
from engine.protocol import events
from engine.protocol.commands import Command, Pause, Stop
from engine.protocol.events import Event
from engine.protocol.stage import Stage
from engine.session.startup import preflight
from tui.cli.output.progress_display import ProgressDisplay, write_line
from tui.cli.output.run_progress import RunProgress
from tui.cli.ranks import RunLeader
from tui.process.crash_log import log_crashes_of
from tui.process.outcome import exit_code_of
from tui.process.signals import ENDING_SIGNALS, close_terminal, handle_ending_signals, reason_of, stop_at_signals
from tui.remote.host import Host
from tui.run.bridge import EventSubscriber, NullSubscriber
from tui.run.error_report import failure_event
from tui.run.reducer import apply
from tui.run.summary import end_lines, how_to_attach
from tui.run.view import RunView, is_over

_POLL_SECONDS = 0.2
_UNWATCHED_SECONDS = 5.0
"""How long a run whose budget is used up waits for a screen."""
LAUNCHER_ENDED = "launcher ended"
"""The reason of a run whose launcher was killed."""


def run_headless(
    config: RunConfig,
    *,
    as_json: bool,
    stops_on_hangup: bool = False,
    on_start: Callable[[RunView], None] | None = None,
    on_progress: Callable[[Event | Stage], None] = lambda _: None,
    is_for_screen: bool = False,
    notice: str = "",
    leader: RunLeader | None = None,
) -> int:
    """Train until the end and return the exit code. Raises `TweetgenError` if the run can't start.

    Other terminals can attach to it. After a hangup the run continues, unless it `stops_on_hangup`. `on_start` is
    called with the view of the run once it has started; from then on nothing is written. `on_progress` is called with
    each stage and event. A run that `is_for_screen` pauses once its budget is used up, and ends when no screen is
    attached. `notice` is a warning at its start. With a `leader`, this process is the first of several; raises
    `RankLostError` where they have to start again.
    """
    if leader is None:
        preview = preflight.check(config)
        if not is_for_screen:
            preflight.require_text(preview)
    output = _Output(as_json=as_json, on_start=on_start, on_progress=on_progress)
    _listen_to_signals(output, leader, stops_on_hangup=stops_on_hangup)
    with contextlib.closing(output):
        output.on_stage(Stage("loading torch"))
        try:
            _train(config, output, leader, is_for_screen=is_for_screen, notice=notice)
        except RankLostError:
            raise
        except TweetgenError as error:
            output.emit(failure_event(error, None))
    output.write_end()
    return exit_code_of(output.view)


def let_go(view: RunView) -> None:
    """Print how to attach to a run that continues in the background, and close the terminal."""
    write_line(how_to_attach(view))
    close_terminal(and_pipes=True)


def stop_writing(_: RunView) -> None:
    """Close standard output and error."""
    close_terminal(and_pipes=True)


def _listen_to_signals(output: _Output, leader: RunLeader | None, *, stops_on_hangup: bool) -> None:
    """Make the first SIGINT or SIGTERM stop and save, the second exit at once; a hangup if it `stops_on_hangup`.

    A leader may get each signal twice, directly and through the launcher: the second exits the launcher alone.
    """
    stopped = threading.Event()

    def stop(reason: str) -> None:
        if reason == ENDING_SIGNALS[signal.SIGHUP]:
            output.has_hung_up.set()
            if not stops_on_hangup:
                return
        if reason == ENDING_SIGNALS[signal.SIGTERM] and leader is not None:
            leader.leave_if_alone()
        if leader is None or not stopped.is_set():
            stopped.set()
            output.inbox.put(Stop(reason=reason))

    handle_ending_signals(stop_at_signals(stop) if leader is None else lambda code: stop(reason_of(code) or ""))
    if leader is not None:
        leader.receive_signals()


def _train(config: RunConfig, output: _Output, leader: RunLeader | None, *, is_for_screen: bool, notice: str) -> None:
    """Run the session. Raises `TweetgenError` where the other processes can't be joined, or were lost."""
    with torch_imported_uncollected():
        from engine.session.session import TrainingSession

    inbox, ranks = output.inbox, None
    if leader is not None:
        config, ranks = leader.prepare(config, lambda: inbox.put(Stop(reason=LAUNCHER_ENDED)))
    notices = tuple(filter(None, (notice, "" if leader is None else leader.notice)))
    session = TrainingSession(config, output.on_stage, pauses_at_end=is_for_screen, notices=notices, ranks=ranks)
    if leader is not None and leader.was_paused:
        inbox.put(Pause())
    host = Host(config, inbox.put, lambda: inbox.qsize() + session.num_waiting, on_run=log_crashes_of)
    output.host = host
    with contextlib.closing(host):
        if is_for_screen:
            threading.Thread(target=output.stop_unwatched, name="screens", daemon=True).start()
        session.run(output.emit, inbox)


class _Output:
    """Shows the events of a run, and passes them on."""

    def __init__(
        self,
        *,
        as_json: bool,
        on_start: Callable[[RunView], None] | None,
        on_progress: Callable[[Event | Stage], None],
    ) -> None:
        self.inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.has_hung_up = threading.Event()
        self.host: EventSubscriber = NullSubscriber()
        self.view = RunView()
        self._as_json = as_json
        self._on_start = on_start
        self._on_progress = on_progress
        self._progress = RunProgress(ProgressDisplay())
        self._is_shown = True

    def emit(self, event: Event) -> None:
        """Handle an event of the session."""
        self.view = apply(self.view, event)
        self.host.handle(event)
        has_started = self._on_start is not None and isinstance(event, events.RunStarted)
        if self._is_shown and (has_started or self.has_hung_up.is_set()):
            self._is_shown = False
            self._progress.close()
            if self._on_start is not None and has_started:
                self._on_start(self.view)
        self._on_progress(event)
        if self._as_json and not isinstance(event, events.Unrecorded):
            with self._ignoring_write_errors(sys.stdout):
                sys.stdout.write(events.to_json(event) + "\n")
                sys.stdout.flush()
        if self._is_shown:
            with self._ignoring_write_errors(sys.stderr):
                self._progress.show(event, self.view)

    def on_stage(self, stage: Stage) -> None:
        """Show a stage of the setup."""
        self._on_progress(stage)
        with self._ignoring_write_errors(sys.stderr):
            self._progress.stage(stage)

    def write_end(self) -> None:
        """Write the summary of the run."""
        for line in end_lines(self.view):
            with self._ignoring_write_errors(sys.stderr):
                write_line(line)

    def close(self) -> None:
        """Remove the progress bar."""
        self._progress.close()

    def stop_unwatched(self) -> None:
        """Stop the run once it has used up its budget and no screen is attached. A thread's body."""
        left_at = time.monotonic()
        while self.view.ended is None:
            time.sleep(_POLL_SECONDS)
            if self.host.num_clients or not is_over(self.view):
                left_at = time.monotonic()
            elif time.monotonic() - left_at > _UNWATCHED_SECONDS:
                self.inbox.put(Stop(reason="finished"))
                return

    @contextlib.contextmanager
    def _ignoring_write_errors(self, stream: TextIO) -> Iterator[None]:
        """Suppress errors of writing to `stream`, such as a full disk; stop the run at a closed pipe."""
        try:
            yield
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not self.has_hung_up.is_set():  # after a hangup the run continues
                self.inbox.put(Stop())
        except OSError:
            pass  # the journal has the event

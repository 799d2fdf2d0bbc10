"""The same run without a screen: signals become commands, events become a progress bar, plain lines, or JSON.

stdout carries data (`--json`), stderr narration. Two things here may start a session: this module and `tui.run.bridge`.
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
from tui.cli.output.progress_bar import progress_display, write_line
from tui.cli.output.run_progress import Narration
from tui.process.crash_log import log_crashes_of
from tui.process.signals import handle_ending_signals, stop_at_signals
from tui.remote.host import Host
from tui.run.exit_codes import ENDING_SIGNALS
from tui.run.reducer import apply
from tui.run.summary import end_lines, exit_code_of
from tui.run.view import RunView


def run_headless(
    config: RunConfig,
    *,
    as_json: bool,
    stops_on_hangup: bool = False,
    on_start: Callable[[RunView], None] | None = None,
) -> int:
    """Train until the end and return the exit code. Raises `TweetgenError` for what shows before it starts.

    Others may attach. Where the terminal hangs up, the run goes on, unless it `stops_on_hangup`. With `on_start` it is
    shown only until it has started: this is called then, and nothing is written any more.
    """
    preflight.check(config)
    inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
    narration = Narration(progress_display())
    has_hung_up = _listen_to_signals(inbox, stops_on_hangup=stops_on_hangup)
    view = RunView()
    is_shown = True

    def emit(event: Event) -> None:
        nonlocal view, is_shown
        view = apply(view, event)
        host.take(event)
        has_started = on_start is not None and isinstance(event, events.RunStarted)
        if is_shown and (has_started or has_hung_up.is_set()):
            is_shown = False
            narration.close()
            if on_start is not None and has_started:
                on_start(view)
        if as_json:
            with _written_if_can_be(sys.stdout, end_without_reader):
                sys.stdout.write(events.to_json(event) + "\n")
                sys.stdout.flush()
        if is_shown:
            with _written_if_can_be(sys.stderr, end_without_reader):
                narration.show(event, view)

    def on_stage(stage: Stage) -> None:
        with _written_if_can_be(sys.stderr, end_without_reader):
            narration.stage(stage)

    def end_without_reader() -> None:
        if not has_hung_up.is_set():  # else it went with the terminal, and the run goes on
            inbox.put(Stop())

    with contextlib.closing(narration):
        on_stage(Stage("loading torch"))
        from engine.session.session import TrainingSession

        session = TrainingSession(config, on_stage)
        host = Host(config, inbox.put, lambda: inbox.qsize() + session.num_waiting, on_run=log_crashes_of)
        with contextlib.closing(host):
            session.run(emit, inbox)
    for line in end_lines(view):
        with _written_if_can_be(sys.stderr, end_without_reader):
            write_line(line)
    return exit_code_of(view)


def _listen_to_signals(inbox: queue.SimpleQueue[Command], *, stops_on_hangup: bool) -> threading.Event:
    """Turn the first signal into a stop that saves; the same once more leaves at once.

    A run whose terminal hangs up goes on, unless it `stops_on_hangup`. Returns what is set then.
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
def _written_if_can_be(stream: TextIO, end_without_reader: Callable[[], None]) -> Iterator[None]:
    """Write inside; no stream that takes nothing fails the run, be it a full disk or a terminal that has gone.

    Once the reader of a pipe has left, the run ends, as any program in a pipe does.
    """
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        end_without_reader()
    except OSError:
        pass  # the journal has it

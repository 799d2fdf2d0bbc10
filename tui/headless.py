"""The same run without a screen: signals become commands, events become a progress bar, plain lines, or JSON.

stdout carries data (`--json`), stderr narration. Two things here may start a session: this module and `tui.bridge`.
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
from types import FrameType
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from engine import events, preflight
from engine.calibration import numbered_threads
from engine.commands import Command, Stop
from engine.config import RunConfig
from engine.events import Event
from engine.stage import Stage
from engine.text import harmless
from tui.crash_log import log_crashes_of
from tui.eta import eta_of
from tui.formatting import format_bits, format_count, format_eta, format_loss, format_rate, format_report
from tui.remote.host import Host
from tui.run_view import RunView
from tui.signals import REASONS, let_go_of_terminal
from tui.state import apply
from tui.summary import end_lines, exit_code_of

PLAIN_SECONDS = 5.0
"""Time between two lines of progress where there is no terminal."""
_SHOW_CURSOR = b"\x1b[?25h"


class Display(Protocol):
    """Shows a run's events to a person."""

    def stage(self, stage: Stage) -> None:
        """Show what happens before the first event."""

    def show(self, event: Event, view: RunView) -> None:
        """Show an event; `view` has it applied."""

    def close(self) -> None:
        """Show nothing more."""


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
    display = _display()
    has_hung_up = _listen_to_signals(inbox, stops_on_hangup=stops_on_hangup)
    host = Host(config, inbox.put, inbox.qsize, on_run=log_crashes_of)
    view = RunView()
    is_shown = True

    def emit(event: Event) -> None:
        nonlocal view, is_shown
        view = apply(view, event)
        host.take(event)
        has_started = on_start is not None and isinstance(event, events.RunStarted)
        if is_shown and (has_started or has_hung_up.is_set()):
            is_shown = False
            display.close()
            if on_start is not None and has_started:
                on_start(view)
        if as_json:
            with _ending_with_reader(sys.stdout, inbox):
                sys.stdout.write(events.to_json(event) + "\n")
                sys.stdout.flush()
        if is_shown:
            with _ending_with_reader(sys.stderr, inbox):
                display.show(event, view)

    def on_stage(stage: Stage) -> None:
        with _ending_with_reader(sys.stderr, inbox):
            display.stage(stage)

    try:
        on_stage(Stage("loading torch"))
        from engine.session import TrainingSession

        TrainingSession(config, on_stage).run(emit, inbox)
    finally:
        display.close()
        host.close()
    for line in end_lines(view):
        _write_line(line)
    return exit_code_of(view)


def _listen_to_signals(inbox: queue.SimpleQueue[Command], *, stops_on_hangup: bool) -> threading.Event:
    """Turn the first signal into a stop that saves; the same once more leaves at once. What is ignored stays so.

    A terminal that hangs up is let go, and the run goes on, unless it `stops_on_hangup`. Returns what is set then.
    """
    has_hung_up = threading.Event()

    def stop(number: int, _: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGHUP":
            signal.signal(number, signal.SIG_IGN)  # shell and kernel tell of it one after the other
            let_go_of_terminal()
            has_hung_up.set()
            if not stops_on_hangup:
                return
        else:
            signal.signal(number, _leave_at_once)
        inbox.put(Stop(reason=REASONS[name]))

    for name in REASONS:  # SIGHUP is ignored under nohup
        if signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
            signal.signal(getattr(signal, name), stop)
    return has_hung_up


def _leave_at_once(number: int, _: FrameType | None) -> None:
    """Leave without saving; the progress bar has hidden the cursor."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    os._exit(128 + number)


@contextlib.contextmanager
def _ending_with_reader(stream: TextIO, inbox: queue.SimpleQueue[Command]) -> Iterator[None]:
    """End the run, as any program in a pipe ends, once the reader of what is written inside has left."""
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        inbox.put(Stop())


def _display() -> Display:
    """Return a progress bar for a terminal, plain lines for anything else."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return BarDisplay(Console(stderr=True)) if is_terminal else PlainDisplay(_write_line)


def _write_line(line: str) -> None:
    """Write a line of narration."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def describe(event: Event) -> str | None:
    """Return the line that tells an event; None for those that are told by progress alone."""
    step = f"step {format_count(event.step)}"
    match event:
        case events.RunStarted():
            return _beginning(event)
        case events.EvalFinished():
            best = ", the best so far" if event.is_best else ""
            return f"{step}: {format_bits(event.bits_per_char)} bits per character held out{best}"
        case events.TweetSampled():
            return f"{step}: {event.text}"
        case events.CheckpointSaved(name=name) if name not in ("latest", "best"):
            return f"saved {name}"
        case events.FinishPlanned(last_step=last_step):
            return f"{step}: finishing at step {format_count(last_step)}"
        case events.FinishCancelled():
            return f"{step}: not finishing"
        case events.ThreadsChanged(message=message):
            return f"{step}: {message}"
        case events.Warned(message=message):
            return f"warning: {message}"
        case events.RunFinished(reason=reason):
            return f"ended: {reason.replace('_', ' ')}"
        case _:
            return None


def _beginning(event: events.RunStarted) -> str:
    """Return the line that tells what is trained, on what, and how."""
    how = f"{event.training.preset}: {event.training.preset_reason}"
    if event.resumed_from is not None:
        how = f"goes on from {event.resumed_from}"
    return (
        f"run {event.run}: {event.corpus}, {format_count(event.num_train_tweets)} tweets to learn from, "
        f"{format_count(event.num_parameters)} parameters, {event.device} {event.precision}, "
        f"{numbered_threads(event.num_threads)}; {how}"
    )


def stage_text(stage: Stage) -> str:
    """Return what is being done before the first step, in one line."""
    return f"{harmless(str(stage))} ..." + ("" if stage.share is None else f" {stage.share:.0%}")


def progress_text(view: RunView) -> str:
    """Return where the run stands, in one line."""
    loss, eta = view.smoothed_loss, eta_of(view)
    parts = [
        f"step {format_count(view.step)}",
        f"epoch {view.epoch:.2f}",
        "" if loss is None else f"loss {format_loss(loss)}",
        format_rate(view.chars_per_second) if view.chars_per_second else "",
        "no end set, Ctrl-C saves and ends"
        if eta is None
        else f"ends in {format_eta(eta.seconds, eta.spread_seconds)}",
    ]
    return "  ".join(part for part in parts if part)


class PlainDisplay:
    """A line for what happens, and one for the progress every `PLAIN_SECONDS`."""

    def __init__(self, write_line: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Write through `write_line`."""
        self._write_line = write_line
        self._clock = clock
        self._told_at = clock()
        self._stage = Stage("")

    def stage(self, stage: Stage) -> None:
        """Write a line where the stage is another one or `PLAIN_SECONDS` have passed, and a report once."""
        before, self._stage = self._stage, stage
        if stage.report != before.report:
            for line in format_report(stage.report):
                self._write_line(line)
        if stage.text != before.text or self._clock() - self._told_at >= PLAIN_SECONDS:
            self._told_at = self._clock()
            self._write_line(stage_text(stage))

    def show(self, event: Event, view: RunView) -> None:
        """Write a line if there is something to tell."""
        line = describe(event)
        if line is not None:
            self._write_line(line)
        elif isinstance(event, events.StepsFinished) and self._clock() - self._told_at >= PLAIN_SECONDS:
            self._told_at = self._clock()
            self._write_line(progress_text(view))

    def close(self) -> None:
        """Write nothing more."""


class BarDisplay:
    """A progress bar that stays at the bottom, what happens above it."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False))
        # what is printed is data, for stdout alone: it is not to be drawn above the bar, on stderr
        self._progress = Progress(
            *columns, console=console, refresh_per_second=4, transient=True, redirect_stdout=False
        )
        self._task: TaskID = self._progress.add_task("", total=None)
        self._report: tuple[str, ...] = ()
        self._progress.start()

    def stage(self, stage: Stage) -> None:
        """Show the stage beside the bar, which is filled as far as it has come, and print a report above once."""
        self._move(stage_text(stage), stage.share)
        if stage.report != self._report:
            self._report = stage.report
            for line in format_report(stage.report):
                self._progress.console.print(Text(line))

    def show(self, event: Event, view: RunView) -> None:
        """Move the bar, and print a line above it if there is something to tell."""
        self._move(progress_text(view), view.progress)
        line = describe(event)
        if line is not None:
            self._progress.console.print(Text(line))

    def _move(self, description: str, share: float | None) -> None:
        """Fill the bar to `share`; without one it only shows that something goes on."""
        self._progress.update(self._task, description=description, completed=share or 0.0)
        self._progress.tasks[0].total = None if share is None else 1.0  # `update` (rich 14) can't take a total back

    def close(self) -> None:
        """Take the bar away."""
        self._progress.stop()

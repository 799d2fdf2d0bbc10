"""How a run without a screen is told: a progress bar on a terminal, plain lines elsewhere. On stderr, in words."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from engine import events
from engine.calibration import numbered_threads
from engine.events import Event
from engine.folders import WRITTEN_BY_THE_RUN
from engine.stage import Stage
from engine.text import harmless
from tui.eta import eta_of
from tui.formatting import format_bits, format_count, format_eta, format_loss, format_rate, format_report
from tui.run_view import RunView

PLAIN_SECONDS = 5.0
"""Time between two lines of progress where there is no terminal."""


class Display(Protocol):
    """Shows a run's events to a person."""

    def stage(self, stage: Stage) -> None:
        """Show what happens before the first event."""

    def show(self, event: Event, view: RunView) -> None:
        """Show an event; `view` has it applied."""

    def close(self) -> None:
        """Show nothing more."""


def display_here() -> Display:
    """Return a progress bar for a terminal, plain lines for anything else."""
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return BarDisplay(Console(stderr=True)) if is_terminal else PlainDisplay(write_line)


def write_line(line: str) -> None:
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
        case events.CheckpointSaved(name=name) if name not in WRITTEN_BY_THE_RUN:
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
        f"{numbered_threads(event.num_threads)}{f', both {event.tuning}' if event.tuning else ''}; {how}"
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

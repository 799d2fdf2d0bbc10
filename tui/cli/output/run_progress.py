"""The progress of a run without a screen: its events as lines, and a line or bar that shows the step."""

from __future__ import annotations

from engine.config.run import BUDGETS, Tuning
from engine.corpus.report import counted
from engine.progress import Stage
from engine.protocol import events
from engine.protocol.events import Event
from engine.storage.folders import RUN_CHECKPOINTS
from engine.text import sanitize_line
from tui.cli.output.progress_display import ProgressDisplay
from tui.run.ending import eta_of, limit_text
from tui.run.marks import failure_of, refusals_of
from tui.run.view import RunView
from tui.text.numbers import format_bits, format_count, format_eta, format_loss, format_rate, format_report, unit_label

_TUNING: dict[Tuning, str] = {
    "": "",
    "fixed": ", precision and threads fixed",
    "measured": ", precision and threads measured",
    "due": ", precision and threads to be measured",
}


def describe(event: Event, view: RunView) -> str | None:  # noqa: C901 - one case per kind of event
    """Return an event as a line, `view` being that after it; None for events that only move the progress."""
    step = f"step {format_count(event.step)}"
    match event:
        case events.RunStarted():
            return _describe_start(event)
        case events.EvalFinished():
            note = ", best so far" if event.is_best else ", an early estimate" if event.is_early else ""
            return f"{step}: {format_bits(event.bits_per_char)} validation bits/char{note}"
        case events.TweetSampled():
            return f"{step}: {event.text}"
        case events.CheckpointSaved(name=name) if name not in RUN_CHECKPOINTS:
            return f"saved {name}"
        case events.FinishPlanned(last_step=None):
            return f"{step}: finish cancelled"
        case events.FinishPlanned(last_step=int(last_step)):
            return f"{step}: finishing at step {format_count(last_step)}"
        case events.ThreadsChanged(message=message):
            return f"{step}: {message}"
        case events.Warned(message=message, kind=kind):
            return message if kind in {"outcome", "finished"} else f"warning: {message}"
        case events.SettingsChanged(settings=settings) if view.training is not None and settings.keys() & set(BUDGETS):
            return f"{step}: the run trains {limit_text(vars(view.training))}"
        case events.RunFinished(reason=reason):
            return f"ended: {reason.replace('_', ' ')}"
        case _:
            return None


def _describe_start(event: events.RunStarted) -> str:
    """Return one line with corpus, model, device and preset of the run."""
    how = f"{event.training.preset}: {event.training.preset_reason}"
    if event.resumed_from is not None:
        how = f"resumed from {event.resumed_from}"
    return (
        f"run {event.run}: {event.corpus}, {counted(event.num_train_tweets, 'training tweet')}, "
        f"{format_count(event.num_parameters)} parameters, {event.device} {event.precision}, "
        f"{counted(event.num_threads, 'thread')}{_TUNING[event.tuning]}; {how}"
    )


def stage_text(stage: Stage) -> str:
    """Return a stage before the first step as one line."""
    return f"{sanitize_line(str(stage))} ..." + ("" if stage.share is None else f" {stage.share:.0%}")


def progress_text(view: RunView) -> str:
    """Return step, epoch, loss, speed and remaining time as one line."""
    loss, eta = view.smoothed_loss, eta_of(view)
    parts = [
        f"step {format_count(view.step)}",
        f"epoch {view.epoch:.2f}",
        "" if loss is None else f"loss {format_loss(loss, 'bits')} {unit_label('bits')}",
        format_rate(view.chars_per_second) if view.chars_per_second else "",
        "Ctrl-C saves and stops" if eta is None else f"stops in {format_eta(eta.seconds, eta.spread_seconds)}",
    ]
    return "  ".join(part for part in parts if part)


class RunProgress:
    """Shows the stages and events of a run on a progress display."""

    def __init__(self, display: ProgressDisplay) -> None:
        """Start before the first stage."""
        self._display = display
        self._stage = Stage("")

    def stage(self, stage: Stage) -> None:
        """Show a stage before the first event, and its report once."""
        before, self._stage = self._stage, stage
        if stage.report != before.report:
            for line in format_report(stage.report):
                self._display.print(line)
        self._display.update(stage_text(stage), stage.share, at_once=stage.text != before.text)

    def show(self, event: Event, view: RunView) -> None:
        """Show an event; `view` is the run's view after it."""
        line = describe(event, view)
        if line is not None:
            self._display.print(line)
        if isinstance(event, events.TweetSampled):
            for text in filter(None, (refusals_of(event), failure_of(event))):
                self._display.print(f"step {format_count(event.step)}: {text}")
        if isinstance(event, events.RunStarted | events.StepsFinished):
            self._display.update(progress_text(view), view.progress)

    def close(self) -> None:
        """Remove the display."""
        self._display.close()

"""The bars above the key bar, each shown only while it has something to show.

`AlertBar`: an alert and the key of its remedy. `EndBar`: what a run that is over has reached, and the keys for what can
follow. `StepBar`: what the last single step did, or how to take one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from engine.config.run import BUDGETS
from engine.protocol.events import RunFailed, RunFinished
from engine.protocol.insight import StepTaken
from engine.text import counted, quoted, sanitize_line
from tui.run.alerts import Alert
from tui.run.summary import end_reason
from tui.run.view import RunView, is_over
from tui.text.cells import Line, Span, cell_len, num_cells, shortened
from tui.text.numbers import (
    NATS_PER_UNIT,
    LossUnit,
    format_bits,
    format_duration,
    format_learning_rate,
    unit_label,
)
from tui.widgets.key_bar import PAUSE_LABELS, Bar, key_spans
from tui.widgets.status.facts import phase_text

_MIN_CELLS_FOR_LABEL = 60
_MIN_TEXT_CELLS = 12
"""A shorter text of an alert is useless: the remedy is shown alone."""
_GAP = "   "
_MAX_NAMES = 4
"""Names of checkpoints that are listed; the list of checkpoints has all."""
_END_KEYS = ("pause", "sample", "open", "leave")
"""The names of the keys, in the order of the line; their labels are those of the key bar."""
_WITHOUT_SESSION, _READ_ONLY, _LEAST = ("open", "leave"), ("leave",), ("pause", "leave")
_CHOICES = ": more steps or time, without limit, finish, new run"
"""What the dialog of the first key offers; named where there is room."""
_LOWEST_LOSS = 1e-4
"""Lower ones are shown with as many decimals."""


class AlertBar(Bar):
    """Shows an alert."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--text"}

    def __init__(self) -> None:
        super().__init__()
        self.shown: Alert | None = None

    def show(self, alert: Alert | None) -> None:
        if alert != self.shown:
            self.shown = alert
            self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        """Return the line: the alert's text is truncated before the keys are."""
        if self.shown is None:
            return []
        answer, dismiss = self._keys["answer_alert"], self._keys["dismiss_alert"]
        remedy = shortened(sanitize_line(self.shown.remedy), width - cell_len(f"{answer.shown}   {dismiss.shown}"))
        no = key_spans(dismiss, "dismiss" if width >= _MIN_CELLS_FOR_LABEL else "no")
        keys = *key_spans(answer, remedy), Span("  ", "label"), *no
        text = shortened(f" {sanitize_line(self.shown.text)}", width - num_cells(keys) - 2)
        text = f"{text}  " if cell_len(text) >= min(_MIN_TEXT_CELLS, cell_len(self.shown.text)) else ""
        return [(Span(text, "text"), *keys)]


class EndBar(Bar):
    """Shows the end of a run in two lines."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--strong"}

    def __init__(self) -> None:
        super().__init__()
        self._view, self._is_read_only = RunView(), False

    def show(self, view: RunView, *, is_read_only: bool) -> None:
        """Show the end of a run, if it is over, with the keys that act on this screen."""
        if view is not self._view or is_read_only != self._is_read_only:
            self._view, self._is_read_only = view, is_read_only
            self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        """Return what was reached, in the longest text that fits, and the keys that act now, or fewer of them."""
        view, room = self._view, width - 1
        outcomes = list(outcome_texts(view, self.app.loss_unit))
        if not outcomes:
            return []
        outcome = next((text for text in outcomes if cell_len(text) <= room), shortened(outcomes[-1], room))
        names = _READ_ONLY if self._is_read_only else _WITHOUT_SESSION if view.ended is not None else _END_KEYS
        lines = []
        for more, shown in ((_CHOICES, names), ("", names), ("", [name for name in names if name in _LEAST])):
            line: Line = (Span(" ", "label"),)
            for name in shown:
                label = PAUSE_LABELS["finished"] + more if name == "pause" else self._keys[name].label
                line += (*key_spans(self._keys[name], label), Span("  ", "label"))
            lines.append(line)
        line = next((line for line in lines if num_cells(line) <= width + 2), lines[-1])
        if view.ended is not None and view.started is not None:
            how = f"tweetgen-tui --resume {quoted(view.started.run)} continues the run"
            line += (Span(how, "label"),) if num_cells(line) + cell_len(how) <= width else ()
        return [(Span(f" {outcome}", "strong"),), line]


def outcome_texts(view: RunView, unit: LossUnit) -> Iterator[str]:
    """Yield what a run that is over has reached, the longest text first; nothing while the run is on.

    In a replay only its end counts: the run may have gone on after a pause.
    """
    if not is_over(view) or (view.is_replay and view.ended is None):
        return
    phase = phase_text(view) + (" at its best" if view.is_back_at_best else "")
    if isinstance(view.ended, RunFinished) and view.ended.reason not in {"finished", *BUDGETS}:
        phase = f"{phase[:1]} {sanitize_line(end_reason(view.ended.reason))}"  # why it was stopped before its end
    reached = f"{view.step:,} steps in {format_duration(view.elapsed_seconds)}"
    whole, best, saved = f"{phase}: {reached}", view.best, _saved_text(view)
    value = "" if best is None else f"best {format_bits(best.bits_per_char, unit)}"
    place = "" if best is None else f" at step {best.step:,}"
    with_unit = value and f"{value} {unit_label(unit)}{place}"
    lines = [(whole, with_unit, saved), (whole, value + place, saved), (whole, value + place)]
    lines += [(f"{phase[:1]} {reached}", value), (phase, value)]
    if isinstance(view.ended, RunFailed):
        lines.insert(0, (*lines[0], sanitize_line(view.ended.title)))
    yield from (_GAP.join(filter(None, parts)) for parts in lines)


def _saved_text(view: RunView) -> str:
    """Return the checkpoints of this state and of this run: "saved: best, latest, mine"."""
    if view.is_replay:
        return ""
    named = [mark.label.removeprefix("saved ") for mark in view.marks if mark.kind == "saved"]
    names = ["best"] if view.best is not None else []
    names += ["latest"] if view.saved_step == view.step else []
    names += [sanitize_line(name) for name in dict.fromkeys(reversed(named))]
    more = ", …" if len(names) > _MAX_NAMES else ""
    return f"saved: {', '.join(names[:_MAX_NAMES])}{more}" if names else ""


class StepBar(Bar):
    """Shows a single step in one line, its least important numbers left out where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self._taken: StepTaken | None = None
        self._note = ""

    @property
    def is_up(self) -> bool:
        return self._taken is not None or bool(self._note)

    def show(self, taken: StepTaken | None, note: str = "") -> None:
        """Show a step, or a note where there is none; nothing without either."""
        if (taken, note) != (self._taken, self._note):
            self._taken, self._note = taken, note
            self.redraw()

    def lines_for(self, width: int) -> list[Line]:
        taken, room = self._taken, width - 2
        text = shortened(self._note, room) if taken is None else step_text(taken, room, self.app.loss_unit)
        return [(Span(f" {text}", "label"),)] if self.is_up else []  # a hidden bar has no room for a text yet


def step_text(taken: StepTaken, width: int, unit: LossUnit = "bits") -> str:
    """Describe a single step in at most `width` cells: the loss of its batch before and after, then the rest."""
    before, after = taken.loss_before / NATS_PER_UNIT[unit], taken.loss_after / NATS_PER_UNIT[unit]
    lowest = min(0.5, max(_LOWEST_LOSS, min(before, after)))
    decimals = 2 - math.floor(math.log10(lowest))  # at least three, and three digits of a smaller loss
    losses = f"{before:.{decimals}f} → {after:.{decimals}f}"
    norm = f"gradient norm {taken.grad_norm:.2f}"
    rest = f"{norm}, learning rate {format_learning_rate(taken.learning_rate)}"
    step = f"step {taken.step:,}"
    tweets = f"{counted(taken.num_tweets, 'tweet')}, {taken.num_targets:,} characters"
    texts = (
        f"{step}: batch loss {losses} {unit_label(unit)}, {rest}, {tweets}",
        f"{step}: batch loss {losses}, {rest}",
        f"{step}: batch loss {losses}, {norm}",
        f"{step}: loss {losses}",
    )
    return next((text for text in texts if cell_len(text) <= width), shortened(texts[-1], width))

"""`AlertBar`: an alert and the key of its remedy, on a line above the key bar while the alert is active.

`EndBar`: what a run that is over has reached, and the keys for what can follow, on two lines above the alert bar.

`StepBar`: what the last single step did, on a line above the key bar until training goes on; or how to take one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.widget import Widget

from engine.protocol.events import RunFailed, RunFinished
from engine.protocol.insight import StepTaken
from engine.text import quoted, sanitize_line
from tui.run.alerts import Alert
from tui.run.summary import has_reached_end, reason_text
from tui.run.view import RunView, is_over
from tui.settings.key_table import MAIN_KEYS
from tui.settings.keys import Key
from tui.terminal.app import TerminalApp, loss_unit_of
from tui.text.cells import cell_len, shortened
from tui.text.numbers import (
    NATS_PER_UNIT,
    LossUnit,
    format_bits,
    format_count,
    format_duration,
    format_learning_rate,
    unit_label,
)
from tui.widgets.key_bar import PAUSE_LABELS
from tui.widgets.status.facts import phase_text

_REMEDY_KEY, _DISMISS_KEY = "a", "esc"
_DISMISS_LABEL, _SHORT_DISMISS_LABEL = " dismiss", " no"
_MIN_CELLS_FOR_LABEL = 60
_MIN_TEXT_CELLS = 12
"""A shorter text is useless: the remedy is shown alone."""


class AlertBar(Widget):
    """Shows an alert; a click on a key runs its action."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"alert-bar--text", "alert-bar--key", "alert-bar--remedy"}
    DEFAULT_CSS = """
    AlertBar {
        display: none;
        height: 1;
        background: $error 20%;
        &.-up { display: block; }
        .alert-bar--text { color: $text-error; text-style: bold; }
        .alert-bar--key { color: $footer-key-foreground; text-style: bold; }
        .alert-bar--remedy { color: $foreground; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.shown: Alert | None = None
        self._click_targets: list[tuple[range, str]] = []

    def show(self, alert: Alert | None) -> None:
        """Show an alert, or none."""
        if alert != self.shown:
            self.shown = alert
            self.set_class(alert is not None, "-up")
            self.refresh()

    def render(self) -> Content:
        """Return the line: the alert's text is truncated before the keys are."""
        if self.shown is None:
            return Content("")
        remedy = shortened(
            f" {sanitize_line(self.shown.remedy)}", self.size.width - len(f"{_REMEDY_KEY}  {_DISMISS_KEY}")
        )
        dismiss = _DISMISS_LABEL if self.size.width >= _MIN_CELLS_FOR_LABEL else _SHORT_DISMISS_LABEL
        num_cells = len(_REMEDY_KEY) + cell_len(remedy) + 2 + len(_DISMISS_KEY) + len(dismiss)
        text = shortened(f" {sanitize_line(self.shown.text)}", self.size.width - num_cells - 2)
        text = text + "  " if cell_len(text) >= min(_MIN_TEXT_CELLS, cell_len(self.shown.text)) else ""
        return self._line(text, remedy, dismiss)

    def _line(self, text: str, remedy: str, dismiss: str) -> Content:
        """Return text, remedy key and dismiss key."""
        line = Content.styled(text, self.get_visual_style("alert-bar--text"))
        self._click_targets = []
        for key, label, action in (
            (_REMEDY_KEY, remedy, "steering.answer_alert"),
            (_DISMISS_KEY, dismiss, "steering.dismiss_alert"),
        ):
            start = line.cell_length
            line += Content.styled(key, self.get_visual_style("alert-bar--key"))
            line += Content.styled(label, self.get_visual_style("alert-bar--remedy"))
            self._click_targets.append((range(start, line.cell_length), action))
            line += "  "
        return line

    async def on_click(self, event: events.Click) -> None:
        """Run the action of the key under the pointer."""
        for cells, action in self._click_targets:
            if event.x in cells:
                await self.run_action(action)


_GAP = "   "
_MAX_NAMES = 4
"""Names of checkpoints that are listed; the list of checkpoints has all."""
_NAMES = ("pause", "sample", "open", "leave")
"""The names of the keys, in the order of the line; their labels are those of the key bar."""
_CHOICES = ": more steps or time, without limit, finish, new run"
"""What the dialog of the first key offers; named where there is room."""
_WITHOUT_SESSION = ("open", "leave")
_READ_ONLY = ("leave",)
_LEAST_NAMES = ("pause", "leave")


class EndBar(Widget):
    """Shows the end of a run, and nothing while the run is on; a click on a key runs its action."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"end-bar--outcome", "end-bar--key", "end-bar--label"}
    DEFAULT_CSS = """
    EndBar {
        display: none;
        height: 2;
        background: $panel;
        &.-up { display: block; }
        .end-bar--outcome { color: $foreground; text-style: bold; }
        .end-bar--key { color: $footer-key-foreground; text-style: bold; }
        .end-bar--label { color: $foreground; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: tuple[str, ...] = ()
        """What was reached, the longest text first; empty while the run is on."""
        self._view = RunView()
        self._names: tuple[str, ...] = ()
        self._keys = {key.name: key for key in MAIN_KEYS if key.name in _NAMES}
        self._click_targets: list[tuple[range, Key]] = []

    def on_mount(self) -> None:
        """Watch the app's unit of losses."""
        if isinstance(self.app, TerminalApp):
            self.watch(self.app, "loss_unit", lambda: self._draw(self._names), init=False)

    def show_keys(self, keys: Sequence[Key]) -> None:
        """Show those of `keys` that act on a run that is over."""
        self._keys = {key.name: key for key in keys if key.name in _NAMES}
        self.refresh()

    def show(self, view: RunView, *, is_read_only: bool) -> None:
        """Show the end of a run, if it is over, with the keys that act on this screen."""
        names = _READ_ONLY if is_read_only else _WITHOUT_SESSION if view.ended is not None else _NAMES
        if view is not self._view or names != self._names:
            self._view = view
            self._draw(names)

    def _draw(self, names: tuple[str, ...]) -> None:
        """Repaint the lines where they have changed."""
        outcomes = tuple(outcome_texts(self._view, loss_unit_of(self)))
        if (outcomes, names) != (self.outcomes, self._names):
            self.outcomes, self._names = outcomes, names
            self.set_class(bool(outcomes), "-up")
            self.refresh()

    def render(self) -> Content:
        """Return both lines."""
        width = self.size.width - 1
        shortest = shortened(self.outcomes[-1], width) if self.outcomes else ""
        outcome = next((text for text in self.outcomes if cell_len(text) <= width), shortest)
        first = Content.styled(f" {outcome}", self.get_visual_style("end-bar--outcome"))
        rows = [first, self._keys_line(self._fitting_keys(width))]
        background = self.get_visual_style("end-bar--label")
        full = [row + Content.styled(" " * (self.size.width - row.cell_length), background) for row in rows]
        return Content("\n").join(full)

    def _fitting_keys(self, width: int) -> list[Key]:
        """Return the keys that act now, or fewer of them, where not all fit."""
        keys = [key for name in self._names if (key := self._keys.get(name)) is not None]
        label = PAUSE_LABELS["finished"]
        keys = [replace(key, label=label) if key.name == "pause" else key for key in keys]
        with_choices = [replace(key, label=label + _CHOICES) if key.name == "pause" else key for key in keys]
        least = [key for key in keys if key.name in _LEAST_NAMES]
        return next((each for each in (with_choices, keys) if sum(map(_num_cells, each)) <= width + 2), least)

    def _keys_line(self, keys: Sequence[Key]) -> Content:
        line, self._click_targets = Content(" "), []
        for key in keys:
            start = line.cell_length
            line += Content.styled(key.shown, self.get_visual_style("end-bar--key"))
            line += Content.styled(f" {key.label}", self.get_visual_style("end-bar--label"))
            self._click_targets.append((range(start, line.cell_length), key))
            line += "  "
        how = _how_to_resume(self._view)
        return line + how if line.cell_length + cell_len(how) <= self.size.width else line

    async def on_click(self, event: events.Click) -> None:
        """Run the action of the key under the pointer."""
        for cells, key in self._click_targets:
            if event.y == 1 and event.x in cells:
                await self.run_action(key.action)


def _num_cells(key: Key) -> int:
    """Return the cells of a key with its label and the gap after it."""
    return cell_len(key.shown) + 1 + cell_len(key.label) + 2


def outcome_texts(view: RunView, unit: LossUnit) -> Iterator[str]:
    """Yield what a run that is over has reached, the longest text first; nothing while the run is on.

    In a replay only its end counts: the run may have gone on after a pause.
    """
    if not is_over(view) or (view.is_replay and view.ended is None):
        return
    reached = f"{format_count(view.step)} steps in {format_duration(view.elapsed_seconds)}"
    phase, best, saved = _phase_text(view), view.best, _saved_text(view)
    value = "" if best is None else f"best {format_bits(best.bits_per_char, unit)}"
    place = "" if best is None else f" at step {format_count(best.step)}"
    with_unit = value and f"{value} {unit_label(unit)}{place}"
    if isinstance(view.ended, RunFailed):
        yield _joined(f"{phase}: {reached}", with_unit, saved, sanitize_line(view.ended.title))
    yield _joined(f"{phase}: {reached}", with_unit, saved)
    yield _joined(f"{phase}: {reached}", value + place, saved)
    yield _joined(f"{phase}: {reached}", value + place)
    yield _joined(f"{phase[:1]} {reached}", value)
    yield _joined(phase, value) if value else phase


def _how_to_resume(view: RunView) -> str:
    """Return how a run without a session continues; empty for one that a key continues, and before its start."""
    if view.ended is None or view.started is None:
        return ""
    return f"tweetgen-tui --resume {quoted(view.started.run)} continues the run"


def _joined(*parts: str) -> str:
    return _GAP.join(filter(None, parts))


def _phase_text(view: RunView) -> str:
    """Return the phase, or why a run was stopped before its end: "■ finished", "■ stopped by the user"."""
    phase = phase_text(view)
    if isinstance(view.ended, RunFinished) and not has_reached_end(view.ended):
        return f"{phase[:1]} {sanitize_line(reason_text(view.ended.reason))}"
    return phase


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


_LOWEST_LOSS = 1e-4
"""Lower ones are shown with as many decimals."""


class StepBar(Widget):
    """Shows a single step in one line, its least important numbers left out where there is no room."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    StepBar {
        display: none;
        height: 1;
        background: $panel;
        color: $foreground;
        &.-up { display: block; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.shown: StepTaken | None = None
        self._note = ""

    def on_mount(self) -> None:
        """Watch the app's unit of losses."""
        if isinstance(self.app, TerminalApp):
            self.watch(self.app, "loss_unit", self._redraw, init=False)

    def _redraw(self) -> None:
        self.refresh()

    def show(self, taken: StepTaken | None, note: str = "") -> None:
        """Show a step, or a note where there is none; nothing without either."""
        if (taken, note) != (self.shown, self._note):
            self.shown, self._note = taken, note
            self.set_class(self.is_up, "-up")
            self.refresh()

    @property
    def is_up(self) -> bool:
        """Whether the line is shown."""
        return self.shown is not None or bool(self._note)

    def render(self) -> Content:
        """Return the line."""
        width = self.size.width - 2
        if self.shown is None:
            return Content(f" {shortened(self._note, width)}")
        return Content(f" {step_text(self.shown, width, loss_unit_of(self))}")


def step_text(taken: StepTaken, width: int, unit: LossUnit = "bits") -> str:
    """Describe a single step in at most `width` cells: the loss of its batch before and after, then the rest."""
    texts = list(_texts(taken, unit))
    return next((text for text in texts if cell_len(text) <= width), shortened(texts[-1], width))


def _texts(taken: StepTaken, unit: LossUnit) -> Iterator[str]:
    """Yield the line, the longest first."""
    before, after = taken.loss_before / NATS_PER_UNIT[unit], taken.loss_after / NATS_PER_UNIT[unit]
    lowest = min(0.5, max(_LOWEST_LOSS, min(before, after)))
    decimals = 2 - math.floor(math.log10(lowest))  # at least three, and three digits of a smaller loss
    losses = f"{before:.{decimals}f} → {after:.{decimals}f}"
    norm, rate = f"{taken.grad_norm:.2f}", format_learning_rate(taken.learning_rate)
    step = f"step {format_count(taken.step)}"
    tweets = f"{format_count(taken.num_tweets)} tweet{'' if taken.num_tweets == 1 else 's'}"
    targets = f"{format_count(taken.num_targets)} characters"
    rest = f"gradient norm {norm}, learning rate {rate}"
    yield f"{step}: batch loss {losses} {unit_label(unit)}, {rest}, {tweets}, {targets}"
    yield f"{step}: batch loss {losses}, {rest}"
    yield f"{step}: batch loss {losses}, gradient norm {norm}"
    yield f"{step}: loss {losses}"

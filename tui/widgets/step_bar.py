"""`StepBar`: what the last single step did, on a line above the key bar until training goes on; or how to take one."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget

from engine.protocol.insight import StepTaken
from tui.formatting.loss_units import NATS_PER_UNIT, LossUnit, unit_label
from tui.formatting.numbers import format_count, format_learning_rate, shortened
from tui.widgets.terminal_info import TerminalInfo, loss_unit_of

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
        if isinstance(self.app, TerminalInfo):
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

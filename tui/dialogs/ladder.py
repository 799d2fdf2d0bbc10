"""The temperature ladder: one tweet at each of several temperatures, all from the same seed and prime."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from engine.config.sampling import LADDER_TEMPERATURES
from engine.protocol.events import LadderSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.base import Dialog
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.text.tweets import NOVELTY_GLYPHS


class LadderDialog(Dialog[None]):
    """Show a ladder; `t` samples another by `roll`, which returns whether one will come."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("ladder"))
    HELP = "In the other dialogs"
    KEYS_LINE = "t roll again · esc close"

    def __init__(self, roll: Callable[[], bool]) -> None:
        """Show an empty ladder until the first one comes."""
        super().__init__("Temperature ladder")
        self._roll = roll
        # made here, not in compose: the answer may come before the dialog is laid out
        self._rungs = [_new_rung(temperature) for temperature in LADDER_TEMPERATURES]
        self._status = Static("sampling…", markup=False, id="hint")

    def compose_body(self) -> ComposeResult:
        """Lay out one row per temperature."""
        with VerticalScroll():
            for rung in self._rungs:
                yield Horizontal(*rung, classes="rung")
        yield self._status

    def action_roll(self) -> None:
        """Sample another ladder."""
        if self._roll():
            self._status.update("sampling…")

    def show(self, ladder: LadderSampled) -> None:
        """Fill the rungs."""
        for (temperature, mark, text), rung in zip(self._rungs, ladder.rungs, strict=False):
            temperature.update(f"{rung.temperature:.1f}")
            mark.update(NOVELTY_GLYPHS[rung.novelty])
            mark.set_classes(f"mark {rung.novelty}")
            text.update(sanitize_line(rung.text) + ("" if rung.reached_eos else ELLIPSIS))
        prime = f" · prime {ladder.prime!r}" if ladder.prime else ""
        self._status.update(sanitize_line(f"step {ladder.step:,} · seed {ladder.seed}{prime}"))


def _new_rung(temperature: float) -> tuple[Static, Static, Static]:
    """Return the cells of a row that waits for its tweet: temperature, novelty, text."""
    return (
        Static(f"{temperature:.1f}", markup=False, classes="temperature"),
        Static(" ", markup=False, classes="mark"),
        Static(ELLIPSIS, markup=False, classes="text"),
    )

"""The temperature ladder: one tweet at each of several temperatures, all from the same seed and prime."""

from __future__ import annotations

import secrets
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from engine.config.sampling import LADDER_TEMPERATURES
from engine.protocol.commands import SampleLadder
from engine.protocol.events import Event, LadderSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.base import RunDialog
from tui.run.model import RunModel
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.text.tweets import NOVELTY_GLYPHS


class LadderDialog(RunDialog[None]):
    """Sample a ladder and show it; `t` samples another."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("ladder"))
    ASKS = frozenset({"SampleLadder"})
    HELP = "In the other dialogs"
    KEYS_LINE = "t roll again · esc close"

    def __init__(self, run: RunModel) -> None:
        super().__init__("Temperature ladder", run)

    def compose_body(self) -> ComposeResult:
        """Lay out one row per temperature: temperature, novelty, text."""
        with VerticalScroll():
            for temperature in LADDER_TEMPERATURES:
                with Horizontal(classes="rung"):
                    yield Static(f"{temperature:.1f}", markup=False, classes="temperature")
                    yield Static(" ", markup=False, classes="mark")
                    yield Static(ELLIPSIS, markup=False, classes="text")
        yield Static("sampling…", markup=False, id="hint")

    def on_mount(self) -> None:
        self.action_roll()

    def action_roll(self) -> None:
        if self.run.send(SampleLadder(seed=secrets.randbelow(1_000_000), prime=self.run.shown.sampling.prime)):
            self._show_hint("sampling…")

    def receive(self, event: Event) -> None:
        """Fill the rungs."""
        if not isinstance(event, LadderSampled):
            return
        for tweet, rung in zip(event.rungs, self.query(".rung"), strict=False):
            temperature, mark, text = rung.query(Static)
            temperature.update(f"{tweet.temperature:.1f}")
            mark.update(NOVELTY_GLYPHS[tweet.novelty])
            mark.set_classes(f"mark {tweet.novelty}")
            text.update(sanitize_line(tweet.text) + ("" if tweet.reached_eos else ELLIPSIS))
        prime = f" · prime {event.prime!r}" if event.prime else ""
        self._show_hint(f"step {event.step:,} · seed {event.seed}{prime}")

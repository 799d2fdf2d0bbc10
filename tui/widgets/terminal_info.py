"""`TerminalInfo`: what widgets ask of their app. They also run in an app without it, as in tests."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from textual.widget import Widget

from tui.terminal.capabilities import GlyphSet
from tui.text.numbers import LossUnit


@runtime_checkable
class TerminalInfo(Protocol):
    """An app with glyphs, a unit of losses and a queue of output."""

    loss_unit: LossUnit
    """The unit of all losses on the screen: a reactive attribute that widgets watch."""

    @property
    def glyphs(self) -> GlyphSet:
        """The glyph set to draw with: a reactive attribute that widgets watch."""

    @property
    def num_waiting_bytes(self) -> int:
        """Bytes of output that the terminal has not accepted yet."""


def loss_unit_of(widget: Widget) -> LossUnit:
    """Return the unit in which a widget shows losses."""
    return widget.app.loss_unit if isinstance(widget.app, TerminalInfo) else "bits"

"""`TerminalInfo`: what widgets ask of their app. They also run in an app without it, as in tests."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from tui.terminal.capabilities import GlyphSet


@runtime_checkable
class TerminalInfo(Protocol):
    """An app that knows its terminal's glyphs and the length of its output queue."""

    @property
    def glyphs(self) -> GlyphSet:
        """The glyph set to draw with: a reactive attribute that widgets watch."""

    @property
    def num_waiting_bytes(self) -> int:
        """Bytes of output that the terminal has not accepted yet."""

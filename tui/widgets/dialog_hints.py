"""A few sentences at the foot of a dialog: what happened, what to do about it, what it looks like."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.text import harmless

Tone = Literal["plain", "error", "ready"]


class DialogHints(Vertical):
    """Up to three sentences, coloured by what they mean; what is empty takes no line."""

    def compose(self) -> ComposeResult:
        """Make room for the sentences."""
        for name in ("advice", "hint", "sample"):
            yield Static(markup=False, id=name)

    def show(self, advice: str, hint: str = "", sample: str = "", tone: Tone = "plain") -> None:
        """Show sentences in place of those before."""
        self.set_class(tone == "error", "-error")
        self.set_class(tone == "ready", "-ready")
        for line, text in zip(self.query(Static), (advice, hint, sample), strict=True):
            line.update(Content(harmless(text)))
            line.display = bool(text)

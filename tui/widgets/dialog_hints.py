"""`DialogHints`: up to three lines below a dialog's input: the hint, details, a sample. Never checks the input."""

from __future__ import annotations

from typing import Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from engine.text import sanitize_line

Tone = Literal["plain", "error", "ready"]


class DialogHints(Vertical):
    """Up to three sentences, coloured by `tone`; an empty one takes no line."""

    def compose(self) -> ComposeResult:
        """Lay out the lines, empty."""
        for name in ("hint", "details", "sample"):
            yield Static(markup=False, id=name)

    def show(self, hint: str, details: str = "", sample: str = "", tone: Tone = "plain") -> None:
        """Replace the sentences."""
        self.set_class(tone == "error", "-error")
        self.set_class(tone == "ready", "-ready")
        for line, text in zip(self.query(Static), (hint, details, sample), strict=True):
            line.update(Content(sanitize_line(text)))
            line.display = bool(text)

"""What `q` asks on a screen that shows a run of another process: end the run, or only close this screen."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from engine.text import harmless
from tui.screens.dialogs.base import Dialog


class LeaveDialog(Dialog[Literal["end", "leave"]]):
    """Ask whether to end a run that can go on without this screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "answer('end')", "end", show=False),
        Binding("d", "answer('leave')", "leave", show=False),
    ]
    KEYS_LINE = "e end the run · d leave · esc close"

    def __init__(self, run: str, num_screens: int) -> None:
        """Ask about the run, which so many screens show."""
        super().__init__("End the run?")
        others = "" if num_screens < 2 else f" {num_screens} screens show it."
        self._question = f"The run {harmless(run)} goes on in another process.{others} d leaves it going on."

    def compose_body(self) -> ComposeResult:
        """Show the question."""
        yield Static(self._question, markup=False, id="question")

    def action_answer(self, answer: Literal["end", "leave"]) -> None:
        """Answer this."""
        self.dismiss(answer)

"""The question of `q` on a screen attached to a run: end the run, or only close the screen."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from engine.text import harmless
from tui.screens.dialogs.base import Dialog


class LeaveDialog(Dialog[Literal["end", "leave"]]):
    """Ask whether to end a run that can continue without this screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "answer('end')", "end", show=False),
        Binding("d", "answer('leave')", "leave", show=False),
    ]
    KEYS_LINE = "e end the run · d leave · esc close"

    def __init__(self, run: str, num_screens: int) -> None:
        """Ask about a run with `num_screens` screens attached."""
        super().__init__("End the run?")
        others = "" if num_screens < 2 else f" {num_screens} screens are attached."
        self._question = f"The run {harmless(run)} trains in another process.{others} d leaves it running."

    def compose_body(self) -> ComposeResult:
        """Show the question."""
        yield Static(self._question, markup=False, id="question")

    def action_answer(self, answer: Literal["end", "leave"]) -> None:
        """Close with an answer."""
        self.dismiss(answer)

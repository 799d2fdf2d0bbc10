"""The batch of the last training step as a grid; further steps can be taken from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.protocol.insight import BatchShown, StepTaken
from engine.text import sanitize_line
from tui.dialogs.base import Dialog
from tui.widgets.bars import StepBar
from tui.widgets.batch_grid import BatchGrid
from tui.xray import batch_view

_WAITING = "Waiting for the batch…"


class BatchDialog(Dialog[None]):
    """Show a batch; `.` takes a step by `take_step`, after which another batch is shown."""

    AUTO_FOCUS = "BatchGrid"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("full_stop", "step", "step", show=False),
        Binding("question_mark", "explain", "explain", show=False),
    ]
    KEYS_LINE = ". step · ? explain · esc close"
    DEFAULT_CSS = """
    BatchDialog BatchGrid { height: 1fr; min-height: 1; }
    BatchDialog #note { height: auto; color: $text-muted; }
    BatchDialog #explanation { display: none; height: 1fr; }
    BatchDialog.-explains #explanation { display: block; }
    BatchDialog.-explains BatchGrid { display: none; }
    """

    def __init__(self, take_step: Callable[[], None]) -> None:
        """Show an empty grid until the first batch comes."""
        super().__init__("Batch")
        self._take_step = take_step
        # made here, not in compose: the answer may come before the dialog is laid out
        self._grid = BatchGrid()
        self._note = Static(_WAITING, markup=False, id="note")
        self._step = StepBar()

    def compose_body(self) -> ComposeResult:
        """Lay out the grid or its explanation, why there is no batch yet, and what the last single step did."""
        yield self._grid
        with VerticalScroll(id="explanation"):
            yield Static(markup=False, id="sentences")
        yield self._note
        yield self._step

    def on_mount(self) -> None:
        """Show the heading of an answer that came before the box."""
        self._show_heading()

    def _show_heading(self) -> None:
        for box in self.query("#box"):
            box.border_title = Content(self._heading)

    @property
    def is_waiting(self) -> bool:
        """Whether there is no batch yet."""
        return self._grid.shown_batch is None

    def show(self, batch: BatchShown) -> None:
        """Show a batch."""
        shown, total = len(batch.rows), batch.num_tweets
        part = f", the first {shown:,} of {total:,} tweets" if shown < total else ""
        self._heading = f"Batch of step {batch.batch_step:,}{part}"
        self._show_heading()
        self._note.display = False
        self._grid.show(batch)

    def show_step(self, taken: StepTaken | None, note: str) -> None:
        """Show what the last single step did, if it led here, or else a note."""
        self._step.show(taken, note)
        self.set_class(self._step.is_up, "-stepped")

    def show_refusal(self, reason: str) -> None:
        """Show why no batch will come."""
        self._note.update(sanitize_line(reason))
        self._note.display = True

    def action_step(self) -> None:
        """Take one step."""
        self._take_step()

    def action_close(self) -> None:
        """Close the explanation, or else the dialog."""
        if self.has_class("-explains"):
            self.action_explain()
        else:
            super().action_close()

    def action_explain(self) -> None:
        """Explain the grid in its place, or show it again."""
        self.toggle_class("-explains")
        explains = self.has_class("-explains")
        sentences = batch_view.explanation(self._grid.glyphs)
        self.query_one("#sentences", Static).update("\n\n".join(sentences))
        self.set_focus(self.query_one("#explanation") if explains else self._grid)

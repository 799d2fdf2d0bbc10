"""The batch of the last training step as a grid, which follows the single steps that can be taken from here."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.insight import BatchShown, ShowBatch
from engine.text import sanitize_line
from tui.dialogs.base import RunDialog
from tui.run.model import RunModel
from tui.widgets.bars import StepBar
from tui.widgets.batch_grid import BatchGrid
from tui.xray.batch import explanation


class BatchDialog(RunDialog[None]):
    """Show a batch, and after a step, which `.` takes, the next one."""

    AUTO_FOCUS = "BatchGrid"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("full_stop", "steering.step", "step", show=False),
        Binding("question_mark", "explain", "explain", show=False),
    ]
    ASKS = "ShowBatch"
    KEYS_LINE = ". step · ? explain · esc close"

    def __init__(self, run: RunModel) -> None:
        super().__init__("Batch", run)
        self._asked = (-1, 0)
        """The step and the number of gaps when the last question was sent: an answer within a gap is lost."""

    def compose_body(self) -> ComposeResult:
        yield BatchGrid()
        with VerticalScroll(id="explanation"):
            yield Static(markup=False, id="sentences")
        yield Static("Waiting for the batch…", markup=False, id="note")
        yield StepBar()

    def on_mount(self) -> None:
        self._ask()

    def _ask(self) -> None:
        self._asked = (self.run.view.step, self.run.num_gaps)
        self.run.send(ShowBatch())

    def receive(self, event: Event) -> None:
        grid = self.query_one(BatchGrid)
        if isinstance(event, BatchShown):
            shown, total = len(event.rows), event.num_tweets
            part = f", the first {shown:,} of {total:,} tweets" if shown < total else ""
            self.query_one("#box", Vertical).border_title = Content(f"Batch of step {event.batch_step:,}{part}")
            self.query_one("#note").display = False
            grid.show(event)
        elif isinstance(event, RunFinished | RunFailed) and grid.shown_batch is None:
            self.show_refusal("No model is running to show its batch.")

    def show_refusal(self, reason: str) -> None:
        note = self.query_one("#note", Static)
        note.update(sanitize_line(reason))
        note.display = True

    def tick(self) -> None:
        """Show the last single step; ask for the batch of each step of a paused run, and again if one was lost."""
        view = self.run.view
        if view.phase not in {"training", "paused"}:
            return
        bar = self.query_one(StepBar)
        bar.show(view.last_step_taken, self.run.step_note)
        self.set_class(bar.is_up, "-stepped")
        step, num_gaps = self._asked
        if (view.phase == "paused" and view.step != step) or self.run.num_gaps != num_gaps:
            self._ask()

    def action_close(self) -> None:
        if self.has_class("-explains"):
            self.action_explain()
        else:
            super().action_close()

    def action_explain(self) -> None:
        """Explain the grid in its place, or show it again."""
        self.toggle_class("-explains")
        grid = self.query_one(BatchGrid)
        self.query_one("#sentences", Static).update("\n\n".join(explanation(grid.glyphs)))
        self.set_focus(self.query_one("#explanation") if self.has_class("-explains") else grid)

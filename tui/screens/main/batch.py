"""The batch of the last step in a dialog, which follows the single steps taken while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.protocol.insight import BatchShown, ShowBatch
from tui.screens.main.run_control import Controller, RunControl
from tui.screens.main.steering import SteeringController

if TYPE_CHECKING:
    from tui.dialogs.batch import BatchDialog


class BatchController(Controller):
    """The key that shows a batch."""

    def __init__(self, run: RunControl, steering: SteeringController) -> None:
        """Show batches of this run; `steering` takes the steps."""
        super().__init__(run)
        self._steering = steering
        self._dialog: BatchDialog | None = None
        self._asked_at = -1
        self._num_gaps = 0
        """Of the run when the last question was sent: an answer in a gap is lost."""

    def action_show_batch(self) -> None:
        """Show the batch of the last step."""
        from tui.dialogs.batch import BatchDialog  # not at the start: it has some 10 modules

        if self._dialog is None and self._run.can_ask():
            self._dialog = BatchDialog(self._steering.action_step)
            self._run.app.push_screen(self._dialog, self._on_dialog_closed)
            self._ask()

    def tick(self) -> None:
        """Ask for the batch of each step that a paused run has taken since the last question; again if it was lost."""
        view = self._run.view
        if self._dialog is None or view.phase not in {"training", "paused"}:
            return
        self._dialog.show_step(view.last_step_taken, self._run.step_note)
        has_stepped = view.phase == "paused" and view.step != self._asked_at
        if has_stepped or self._run.num_gaps != self._num_gaps:
            self._ask()

    def show(self, batch: BatchShown) -> None:
        """Show a batch in its dialog, if that is still open."""
        if self._dialog is not None:
            self._dialog.show(batch)

    def show_refusal(self, reason: str) -> None:
        """Show why there is no batch, if the dialog is still open."""
        if self._dialog is not None:
            self._dialog.show_refusal(reason)

    def stop_waiting(self) -> None:
        """Expect no answer any more: the run has ended."""
        if self._dialog is not None and self._dialog.is_waiting:
            self._dialog.show_refusal("No model is running to show its batch.")

    def _ask(self) -> None:
        self._asked_at, self._num_gaps = self._run.view.step, self._run.num_gaps
        self._run.send(ShowBatch())

    def _on_dialog_closed(self, _answer: None) -> None:
        self._dialog = None

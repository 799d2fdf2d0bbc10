"""The batch of the last step in a dialog."""

from __future__ import annotations

from tui.screens.main.run_control import Controller


class BatchController(Controller):
    """The key that shows a batch."""

    def action_show_batch(self) -> None:
        """Show the batch of the last step."""
        from tui.dialogs.batch import BatchDialog  # not at the start: it has some 10 modules

        if self._run.can_ask():
            self._run.app.push_screen(BatchDialog(self._run))

"""`PauseNote`: at which step the model of the lesson is paused, and how to train on."""

from __future__ import annotations

from textual.widgets import Static

from tui.screens.lesson.lesson import Lesson


class PauseNote(Static):
    """One sentence at the stops that train the model; hidden while it trains, and before its first step."""

    DEFAULT_CSS = "PauseNote { height: auto; color: $text-muted; }"

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.display = False
        self._note = ""

    def show(self, lesson: Lesson, *, is_enough: bool) -> None:
        """Show the state of the run; `is_enough` adds that the steps are."""
        run, step = lesson.run, lesson.run.view.step
        note = ""
        if lesson.stop.train_to and step and run.is_ready and run.view.phase == "paused" and not run.is_training_wanted:
            reason = ": that is enough for this stop" if is_enough else ""
            note = f"Paused at step {step:,}{reason}; space trains on."
        if note != self._note:
            self._note = note
            self.display = bool(note)
            self.update(note)

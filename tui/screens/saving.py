"""The keys that save and load checkpoints."""

from __future__ import annotations

from engine.commands import LoadCheckpoint, SaveCheckpoint
from tui.screens.load_dialog import LoadDialog
from tui.screens.run_screen import RunScreen
from tui.screens.save_dialog import SaveDialog


class Saving(RunScreen):
    """Checkpoints."""

    def on_mount(self) -> None:
        """Begin without a name that is being saved."""
        self._names_to_save: set[str] = set()

    def action_save(self) -> None:
        """Ask for a name and save under it."""
        if self._can_command():
            self.app.push_screen(SaveDialog(f"step-{self.run_view.step}"), self._save)

    def _save(self, command: SaveCheckpoint | None) -> None:
        if command is not None and self._can_command():
            self._names_to_save.add(command.name)
            self._send(command)

    def action_load(self) -> None:
        """List the checkpoints and load the one chosen."""
        if self._can_command():
            self.app.push_screen(LoadDialog(self._runs.list_checkpoints), self._load)

    def _load(self, command: LoadCheckpoint | None) -> None:
        if command is not None and self._can_command():
            self._send(command)

"""The keys that change what holds for all runs: the settings, and what a change of them does to the run on screen."""

from __future__ import annotations

from engine.protocol.commands import SetIntervals
from tui.run.summary import ending_of
from tui.run.view import is_over
from tui.screens.dialogs.help import HelpScreen
from tui.screens.dialogs.settings import SettingsScreen
from tui.screens.main.run_screen import RunScreen
from tui.settings.key_table import MAIN_KEYS
from tui.settings.keymap import mapped
from tui.settings.store import Changes
from tui.widgets.key_bar import KeyBar


class Choosing(RunScreen):
    """Settings, and the help, which shows the keys as they are set."""

    def on_mount(self) -> None:
        """Show the keys as they are set."""
        self._show_keys()

    def tick(self) -> None:
        """Tell a user who looks elsewhere once the run has come to its end or failed, and not by their wish."""
        was_over = is_over(self.run_view)
        super().tick()
        if is_over(self.run_view) and not was_over and self._ending is None and not self.run_view.is_replay:
            self._runs.notify(ending_of(self.run_view))

    def action_settings(self) -> None:
        """Show the settings, to change them."""
        self.app.push_screen(SettingsScreen(self._runs.keeper))

    def action_help(self) -> None:
        """Show the help."""
        self.app.push_screen(HelpScreen(self.key_map))

    def follow_changes(self, changes: Changes) -> None:
        """Do what changes of the preferences mean for this screen and its run."""
        if any(name.startswith("keys.") for name in changes):
            self._show_keys()
        training = self.run_view.training
        chosen = {name: value for name, value in changes.items() if name in {"eval_every", "sample_every"}}
        is_live = self.run_view.phase in {"training", "paused"} and not self.run_view.is_replay
        is_live = is_live and not self._bridge.refusal
        if training is not None and is_live and any(value is not None for value in chosen.values()):
            now = {"eval_every": training.eval_every, "sample_every": training.sample_every}
            now |= {name: value for name, value in chosen.items() if isinstance(value, int)}
            self._send(SetIntervals(**now))

    def _show_keys(self) -> None:
        self.query_one(KeyBar).show_keys(mapped(MAIN_KEYS, self.key_map))

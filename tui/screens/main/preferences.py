"""Preferences: the settings for all runs, the help with the keys as set, and the notice that a run has ended."""

from __future__ import annotations

from engine.config.run import Setting
from engine.protocol.commands import ChangeSettings
from tui.dialogs.help import HelpScreen
from tui.dialogs.settings import SettingsScreen
from tui.run.pending import INTERVALS_IN_STEPS, other_interval
from tui.run.summary import ending_of
from tui.run.view import is_over
from tui.screens.main.run_control import Controller, RunControl
from tui.settings.key_table import BAR_KEYS
from tui.settings.keys import KeyMap, mapped
from tui.settings.preferences import Changes
from tui.widgets.bars import EndBar
from tui.widgets.plot.plot import LossPlot


class ScreenPreferencesController(Controller):
    """The keys for settings and help."""

    def __init__(self, run: RunControl) -> None:
        """Apply preferences to this run and its screen."""
        super().__init__(run)
        self._was_over = is_over(run.view)

    @property
    def key_map(self) -> KeyMap:
        """The user's keys in place of those of the key table."""
        return self._run.services.store.preferences.keys

    def mount(self) -> None:
        """Show the keys as they are set."""
        self._run.panels.map_keys(self.key_map)
        self._run.screen.query_one(EndBar).show_keys(mapped(BAR_KEYS, self.key_map))

    def tick(self) -> None:
        """Notify the user once the run has ended by itself."""
        was_over, self._was_over = self._was_over, is_over(self._run.view)
        if self._was_over and not was_over and not self._run.is_ending and not self._run.view.is_replay:
            self._run.services.notify(ending_of(self._run.view, self._run.loss_unit))

    def action_settings(self) -> None:
        """Show the settings, to change them."""
        self._run.app.push_screen(SettingsScreen(self._run.services.store))

    def action_help(self, first: str = "") -> None:
        """Show the help, the keys under the heading `first` before all else."""
        self._run.app.push_screen(HelpScreen(self.key_map, self._run.screen.query_one(LossPlot).glyphs, first))

    def apply(self, changes: Changes) -> None:
        """Apply changed preferences to this screen and its run."""
        if "levels" in changes:
            self._run.screen.query_one(LossPlot).shows_levels = self._run.services.store.preferences.levels
        view = self._run.view
        is_live = view.phase in {"training", "paused"} and not view.is_replay and not self._run.bridge.refusal
        if view.training is not None and is_live:
            settings: dict[str, Setting] = {}
            for name in INTERVALS_IN_STEPS:
                if isinstance(steps := changes.get(name), int):
                    settings |= other_interval(view.training, name, steps)
            if settings:
                self._run.send(ChangeSettings(settings=settings))

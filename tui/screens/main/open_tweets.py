"""The keys that lead from one run to another on other tweets."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from textual.events import Paste

from tui.files.dropped_path import config_for_new_data, dropped_path
from tui.screens.main.run_screen import RunScreen
from tui.screens.main.services import dialog_for_other_run


class Opening(RunScreen):
    """Other tweets, chosen in a dialog or dropped into the terminal."""

    def action_open(self) -> None:
        """Choose other tweets, and start a new run on them."""
        self._open()

    def on_paste(self, event: Paste) -> None:
        """Open what was dropped into the terminal; text that is no path is nothing to this screen."""
        path = dropped_path(event.text)
        if path is not None:
            self._open(path.absolute())

    def _open(self, dropped: Path | None = None) -> None:
        """Open the dialog for other tweets, at those dropped or beside those of this run."""
        if self._may_switch():
            dialog = dialog_for_other_run(self._runs.check, self._bridge.config, lambda: self.run_view, dropped)
            self.app.push_screen(dialog, self._start_other)

    def _start_other(self, path: Path | None) -> None:
        """End this run and start another."""
        if path is not None and self._ending is None:
            config = config_for_new_data(self._bridge.config, path)
            self._end_then(partial(self._runs.start, config), f"then a new run on {path.name}")

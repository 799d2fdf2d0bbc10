"""Other tweets, chosen in a dialog or dropped into the terminal: this run ends, and a new one starts on them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tui.dialogs.open import OpenDialog, OtherTweets
from tui.run.new_run import config_for_new_data, initial_path
from tui.screens.main.leaving import LeavingController
from tui.screens.main.run_control import Controller, RunControl
from tui.text.typed import dropped_path


class OpenTweetsController(Controller):
    """The key for a run on other tweets."""

    def __init__(self, run: RunControl, leaving: LeavingController) -> None:
        """Start a run after this one, which `leaving` ends."""
        super().__init__(run)
        self._leaving = leaving

    def action_open(self) -> None:
        """Choose other tweets, and start a new run on them."""
        self._open(None)

    def open_dropped(self, pasted: str) -> None:
        """Open what was dropped into the terminal, which pastes its path; ignore a text that is no path.

        A browser pastes no paths, and what is pasted into it must not show which files this machine has.
        """
        path = None if self._run.app.is_web else dropped_path(pasted)
        if path is not None:
            self._open(path.absolute())

    def _open(self, dropped: Path | None) -> None:
        """Open the dialog, at the tweets that were dropped or beside those of this run."""
        if not self._run.can_switch():
            return
        config, check = self._run.bridge.config, self._run.services.check
        dialog = OpenDialog(
            lambda tweets: check(config_for_new_data(config, tweets.path, tweets.options)),
            dropped or initial_path(config),
            self._outcome,
            is_dropped=dropped is not None,
        )
        self._run.app.push_screen(dialog, self._start_other)

    def _outcome(self) -> str:
        """Return what enter will do to this run."""
        view = self._run.view
        if view.ended is not None or view.started is None:
            return "enter starts a new run on it."
        return f"enter saves the run {view.started.run} and starts a new one on it."

    def _start_other(self, tweets: OtherTweets | None) -> None:
        if tweets is not None and not self._run.is_ending:
            config = config_for_new_data(self._run.bridge.config, tweets.path, tweets.options)
            self._leaving.end_then(partial(self._run.services.start, config), f"then a new run on {tweets.path.name}")

"""`Files`: the keys that save or open something: checkpoints, other tweets, and exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.protocol.commands import SaveCheckpoint, SaveLatest
from engine.protocol.events import CheckpointLoaded, CheckpointSaved
from engine.storage.folders import BEFORE_LOAD
from tui.dialogs.ask import ask_name_to_save
from tui.dialogs.checkpoints import CheckpointBrowser
from tui.dialogs.export import ExportDialog
from tui.dialogs.open import OpenDialog
from tui.terminal.private import Actions

if TYPE_CHECKING:
    from tui.app.app import TweetgenApp

_OF_FEED, _PINS = "tweets of the feed", "pinned tweets"


class Files(Actions):
    """The actions `files.…` of keys, for one run."""

    def __init__(self, app: TweetgenApp) -> None:
        self._app, self._screen, self._run = app, app.main, app.main.run
        self._names_to_save: set[str] = set()
        self._saved_before_load = ""
        """What the current weights were saved as, where a load is about to replace them."""

    def action_save(self) -> None:
        self._app.ask(ask_name_to_save(f"step-{self._run.view.step}"), self._save)

    def action_save_latest(self) -> None:
        self._save(SaveLatest())

    def _save(self, command: SaveCheckpoint | SaveLatest) -> None:
        if self._run.send(command):
            self._names_to_save.add("latest" if isinstance(command, SaveLatest) else command.name)

    def report(self, event: CheckpointSaved | CheckpointLoaded) -> None:
        """Show that a checkpoint was saved, if a key did that; or loaded, and where the weights before it are."""
        if isinstance(event, CheckpointLoaded):
            saved, self._saved_before_load = self._saved_before_load, ""
            before = f" The run before it is saved as {saved}." if saved else ""
            self._screen.toast(f"Loaded {event.name}: continuing from step {event.step:,}.{before}")
            return
        if BEFORE_LOAD in event.name:
            self._saved_before_load = event.name
        if event.name in self._names_to_save:
            self._names_to_save.discard(event.name)
            self._screen.toast(f"Saved as “{event.name}”.")

    def action_load(self) -> None:
        app = self._app
        browser = CheckpointBrowser(self._run, app.list_checkpoints, app.check, app.typing_ahead.drop)
        app.ask(browser, app.leaving.start_after)

    def action_open(self) -> None:
        self.open(None)

    def open(self, dropped: Path | None) -> None:
        """Open the dialog for other tweets at those that were dropped, or beside those of this run."""
        self._app.ask(OpenDialog(self._run, self._app.check, dropped), self._app.leaving.start_after)

    def action_export(self) -> None:
        view, note = self._run.view, ""
        choices = {_OF_FEED: view.tweets, _PINS: self._app.pins.tweets}
        if self._screen.feed.is_pins_only:
            choices = dict(reversed(choices.items()))
        if len(view.tweets) < view.num_tweets:
            note = "The feed lacks tweets of the run, thinned or taken back by a load; its events.jsonl has them all."
        self._app.push_screen(ExportDialog(f"{view.name or 'run'}-tweets.txt", choices, note))

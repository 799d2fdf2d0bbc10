"""`Files`: the keys that save or open something: checkpoints, other tweets, and exports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.protocol.commands import LoadCheckpoint, SaveCheckpoint, SaveLatest
from engine.protocol.events import CheckpointLoaded, CheckpointSaved
from engine.storage.folders import BEFORE_LOAD
from tui.dialogs.ask import ask_name_to_save
from tui.dialogs.checkpoints import CheckpointBrowser
from tui.dialogs.export import ExportDialog, Exported
from tui.dialogs.open import OpenDialog, OtherTweets
from tui.run.new_run import Branch, curve_of
from tui.text.typed import config_for_new_data, initial_path
from tui.widgets.feed.feed import TweetFeed

if TYPE_CHECKING:
    from tui.app.app import TweetgenApp
    from tui.app.main_screen import MainScreen

_OF_FEED, _PINS = "tweets of the feed", "pinned tweets"


class Files:
    """The actions `files.…` of keys, for one run."""

    def __init__(self, app: TweetgenApp, screen: MainScreen) -> None:
        """Act on the run of `screen`."""
        self._app, self._screen, self._run = app, screen, screen.run
        self._names_to_save: set[str] = set()
        self._saved_before_load = ""
        """What the current weights were saved as, where a load is about to replace them."""

    def check_action(self, _action: str, _parameters: tuple[object, ...]) -> bool:
        """Return that every action may run. Textual calls it on the target of an action."""
        return True

    def action_save(self) -> None:
        """Ask for a name and save under it."""
        self._app.push_screen(ask_name_to_save(f"step-{self._run.view.step}"), self._save)

    def action_save_latest(self) -> None:
        """Save the run now, without asking for a name."""
        self._save(SaveLatest())

    def _save(self, command: SaveCheckpoint | SaveLatest | None) -> None:
        if command is not None and self._run.send(command):
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
        """List the checkpoints in any phase; one can be loaded, or a new run started from it."""
        config = self._run.connection.config
        browser = CheckpointBrowser(
            self._app.list_checkpoints,
            lambda: self._run.view,
            lambda entry: self._app.check(Branch(entry).config_after(config)),
            self._app.typing_ahead.drop,
        )
        self._app.push_screen(browser, self._load_or_branch)

    def _load_or_branch(self, answer: LoadCheckpoint | Branch | None) -> None:
        if isinstance(answer, LoadCheckpoint):
            self._run.send(answer)
        elif answer is not None:
            config = answer.config_after(self._run.connection.config)
            notice = f"then a new run from “{answer.entry.name}”"
            self._app.leaving.start_after(config, notice, curve_of(self._run.view))

    def action_open(self) -> None:
        """Choose other tweets, and start a new run on them."""
        self.open(None)

    def open(self, dropped: Path | None) -> None:
        """Open the dialog for other tweets at those that were dropped, or beside those of this run."""
        config = self._run.connection.config

        def outcome() -> str:
            is_saved = self._run.name and self._run.view.ended is None
            saved = f"saves the run {self._run.name} and starts a new one" if is_saved else "starts a new run"
            return f"enter {saved} on it."

        dialog = OpenDialog(
            lambda tweets: self._app.check(config_for_new_data(config, tweets.path, tweets.options)),
            dropped or initial_path(config),
            outcome,
            is_dropped=dropped is not None,
        )
        self._app.push_screen(dialog, self._start_other)

    def _start_other(self, tweets: OtherTweets | None) -> None:
        if tweets is not None:
            config = config_for_new_data(self._run.connection.config, tweets.path, tweets.options)
            self._app.leaving.start_after(config, f"then a new run on {tweets.path.name}")

    def action_export(self) -> None:
        """Ask for a file, and write tweets to it."""
        view, note = self._run.view, ""
        choices = {_OF_FEED: view.tweets, _PINS: self._app.pins.tweets}
        if self._screen.query_one(TweetFeed).is_pins_only:
            choices = dict(reversed(choices.items()))
        if len(view.tweets) < view.num_tweets:
            note = "The feed lacks tweets of the run, thinned or taken back by a load; its events.jsonl has them all."
        self._app.push_screen(ExportDialog(f"{self._run.name or 'run'}-tweets.txt", choices, note), self._report_export)

    def _report_export(self, exported: Exported | None) -> None:
        if exported is not None:
            tweets = "1 tweet" if exported.num_tweets == 1 else f"{exported.num_tweets:,} tweets"
            self._screen.toast(f"Wrote {tweets} to {exported.path.absolute()}")

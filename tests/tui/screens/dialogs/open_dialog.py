"""The dialog for other tweets over a scripted run, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, screen_text, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.screens.dialogs.open import OpenDialog
from tui.widgets.input.file_list import FileList

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))


def on_first(folder: Path) -> RunConfig:
    """Return the config of a run on the first file."""
    return RunConfig(corpus=CorpusConfig(files=(str(folder / "first.csv"),)), settings={"hidden_size": 16})


def second_session() -> FakeSession:
    return FakeSession((steps_finished(1, [3.5]), tweet_sampled("second to none", 1)), run_started(run="second-run"))


async def started(app: TweetgenApp) -> None:
    await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")


async def open_dialog(app: TweetgenApp, pilot: Pilot[Outcome]) -> OpenDialog:
    """Open the dialog with its key, once the run is on screen."""
    await started(app)
    await pilot.press("o")
    await opened(app, OpenDialog)
    await wait_until(lambda: chosen(app) is not None, "the folder")
    dialog = app.screen
    assert isinstance(dialog, OpenDialog)
    return dialog


def chosen(app: TweetgenApp) -> str | None:
    """Return the name of the highlighted entry."""
    lists = list(app.screen.query(FileList))
    entry = lists[0].chosen if lists else None
    return None if entry is None else entry.path.name


def line(app: TweetgenApp) -> str:
    return app.screen.query_one(Input).value


def words(app: TweetgenApp) -> str:
    """Return the terminal's text without frames and line breaks."""
    return " ".join(screen_text(app).replace("│", " ").split())


async def says(app: TweetgenApp, text: str) -> None:
    """Wait until the terminal shows a text, wrapped or not."""
    await wait_until(lambda: text in words(app), text)


def type_at_once(app: TweetgenApp, text: str, *keys: str) -> None:
    """Clear the line, type a path and press further keys, without waiting in between."""
    app.post_message(events.Key("ctrl+a", None))
    app.post_message(events.Key("ctrl+k", None))
    for char in text:
        app.post_message(events.Key(char, char))
    for key in keys:
        app.post_message(events.Key(key, None))


def checked_names(stage: Stage) -> list[str]:
    """Return the names of the checked files."""
    return [Path(config.corpus.files[0]).name for config in stage.checked if config.corpus]


async def has_no_worker(screen: Screen[Any]) -> None:
    """Wait until each worker of a screen has ended or was cancelled."""
    await wait_until(
        lambda: not any(each.node is screen and not each.is_finished for each in screen.workers), "their end"
    )

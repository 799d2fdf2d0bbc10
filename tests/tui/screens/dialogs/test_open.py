"""Other tweets: chosen or dropped, checked, and then a new run; or the old run continues."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.errors import CorpusError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, RaisingSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, screen_text, shows, wait_until
from tui.app.app import TweetgenApp
from tui.files.folder_listing import FolderEntry
from tui.process.outcome import Outcome
from tui.process.threads import on_own_thread
from tui.screens.dialogs import path_browser
from tui.screens.dialogs.base import FailureDialog
from tui.screens.dialogs.help import HelpScreen
from tui.screens.dialogs.open import OpenDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.dialog_hints import DialogHints
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.input.file_list import FileList
from tui.widgets.plot.loss_plot import LossPlot

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of files to choose from, and a home elsewhere."""
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    folder = tmp_path / "in"
    (folder / "archive").mkdir(parents=True)
    (folder / "archive" / "tweets.js").touch()
    for name in ("first.csv", "second.csv", "third tweets.txt"):
        (folder / name).write_bytes(b"1234")
    return folder


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


async def test_a_file_is_chosen_and_checked_and_a_new_run_starts_on_it(stage: Stage, folder: Path) -> None:
    first = FakeSession(SCRIPT)
    app = stage.app(first, further=[second_session()], config=on_first(folder))
    async with app.run_test(size=(40, 12)) as pilot:
        await open_dialog(app, pilot)
        await shows(app, "Open other tweets")
        assert chosen(app) == "first.csv"
        await pilot.press("down")
        await wait_until(lambda: chosen(app) == "second.csv")
        await pilot.press("enter")
        await says(app, "second.csv can be used. Enter saves the run 2026-11-25-101112 and starts a new one on it.")
        assert first.received == []
        await pilot.press("enter")
        await shows(app, "second to none")
        assert "hello there" not in screen_text(app)
        assert isinstance(app.screen, MainScreen)
        assert [type(command) for command in first.received] == [c.Stop]
        assert isinstance(app.earlier_views[0].ended, e.RunFinished)
        assert app.summary_view.started == run_started(run="second-run")
        assert len(app.summary_view.train_losses) == 1
        other = RunConfig(corpus=CorpusConfig(files=(str(folder / "second.csv"),)), settings={"hidden_size": 16})
        assert stage.checked == [other]
        assert app.bridge.config == other
        await pilot.press("g")
        await shows(app, "asked-for tweet number 1")
        await pilot.press("q")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == 0
    assert not any(bridge.is_alive for bridge in app.bridges)


async def test_a_file_that_can_not_be_used_is_reported_with_a_hint_and_the_run_continues(
    stage: Stage, folder: Path
) -> None:
    stage.errors["second.csv"] = CorpusError("second.csv holds [/no] tweets at all.", "Give a file with tweets.")
    session = FakeSession(SCRIPT)
    app = stage.app(session, config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        await pilot.press("s", "enter")
        await says(app, "second.csv holds [/no] tweets at all. Give a file with tweets.")
        await pilot.press("escape")
        await opened(app, MainScreen)
        session.emit(tweet_sampled("still here", 4))
        await shows(app, "still here")
        app.post_message(events.Paste(f"'{folder / 'second.csv'}'"))
        await says(app, "second.csv holds [/no] tweets at all. Give a file with tweets.")
        app.post_message(events.Paste(str(folder / "third tweets.txt").replace(" ", "\\ ")))
        await says(app, "third tweets.txt can be used.")
        assert line(app) == str(folder / "third tweets.txt")
        assert session.received == []
        assert len(app.bridges) == 1


async def test_keys_and_fast_typing_navigate_folders_and_open_only_highlighted_files(
    stage: Stage, folder: Path
) -> None:
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        assert line(app) == f"{folder}/"
        await pilot.press("a", "tab")
        await wait_until(lambda: chosen(app) == "tweets.js")
        assert line(app) == f"{folder}/archive/"
        await pilot.press("up", "up", "enter")
        await wait_until(lambda: chosen(app) == "first.csv")
        assert line(app) == f"{folder}/"
        for slash in ("", "/"):
            type_at_once(app, f"{folder}/archive{slash}", "enter")
            await wait_until(lambda: chosen(app) == "tweets.js")
            assert line(app) == f"{folder}/archive/"
            await pilot.press("up", "up", "enter")
            await wait_until(lambda: chosen(app) == "first.csv")
        type_at_once(app, f"{folder}/archive/tw", "tab")
        await wait_until(lambda: line(app) == f"{folder}/archive/tweets.js")
        type_at_once(app, f"{folder}/nothing/", "tab")
        await shows(app, "No such file or directory")
        assert line(app) == f"{folder}/nothing/"
        assert stage.checked == []
        type_at_once(app, f"{folder}/archive/tweets.js", "enter")
        await says(app, "tweets.js can be used.")
        type_at_once(app, f"{folder}/archive/")
        await wait_until(lambda: line(app) == f"{folder}/archive/" and "can be used" not in screen_text(app))
        await pilot.press(".", "enter")
        await says(app, "archive can be used.")
        assert checked_names(stage) == ["tweets.js", "archive"]


async def test_a_click_chooses_and_hostile_names_are_shown_literally_and_can_be_opened(
    stage: Stage, folder: Path
) -> None:
    name = "a\x1b[31m[@click=app.bell]x[foo].csv"
    (folder / name).touch()
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_dialog(app, pilot)
        await shows(app, "second.csv", "a[@click=app.bell]x[foo].csv")
        await pilot.press("up")
        await wait_until(lambda: chosen(app) == name)
        await pilot.press("enter")
        await says(app, "a[@click=app.bell]x[foo].csv can be used.")
        assert [config.corpus and config.corpus.files for config in stage.checked] == [(str(folder / name),)]
        await pilot.click(FileList, offset=(12, 5))
        await says(app, "second.csv can be used.")


async def test_a_new_run_can_be_opened_after_one_failed_before_its_start(stage: Stage, folder: Path) -> None:
    error = CorpusError("first.csv changed while it was read.", "Try again.")
    app = stage.app(RaisingSession(error), further=[second_session()], config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, FailureDialog)
        await shows(app, "first.csv changed", "o open other tweets")
        await pilot.press("o")
        await opened(app, OpenDialog)
        await wait_until(lambda: chosen(app) == "first.csv")
        await pilot.press("down", "enter")
        await says(app, "second.csv can be used. Enter starts a new run on it.")
        await pilot.press("enter")
        await shows(app, "second to none")
        await pilot.press("q")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == 0


class LateSession(FakeSession):
    """Ends, after `Stop`, only once `may_end` is set."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.may_end = threading.Event()

    def answer(self, command: c.Command) -> e.Event:
        assert self.may_end.wait(10)
        return super().answer(command)


async def choose_next(app: TweetgenApp, pilot: Pilot[Outcome]) -> None:
    await open_dialog(app, pilot)
    await pilot.press("down", "enter")
    await says(app, "can be used")
    await pilot.press("enter")


async def test_the_old_run_is_saved_before_the_new_one_takes_its_place(stage: Stage, folder: Path) -> None:
    first = LateSession()
    app = stage.app(first, further=[second_session()], config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await choose_next(app, pilot)
        await shows(app, "saving…  then a new run on second.csv")
        await pilot.press("?")
        await opened(app, HelpScreen)
        assert len(app.bridges) == 1
        first.may_end.set()
        await shows(app, "second to none")
        assert isinstance(app.screen, MainScreen)


async def has_no_worker(screen: Screen[Any]) -> None:
    """Wait until each worker of a screen has ended or was cancelled."""
    await wait_until(
        lambda: not any(each.node is screen and not each.is_finished for each in screen.workers), "their end"
    )


async def test_a_folder_listed_while_the_dialog_closes_is_not_shown(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_be_read = threading.Event()

    def read_late(_: Path) -> list[FolderEntry]:
        assert may_be_read.wait(DEADLINE_SECONDS)
        return []

    async def go_late(advice: DialogHints) -> None:  # with the list; the dialog goes after them
        may_be_read.set()
        await has_no_worker(advice.screen)

    monkeypatch.setattr(path_browser, "list_folder", read_late)
    monkeypatch.setattr(DialogHints, "on_unmount", go_late, raising=False)
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("o")
        await opened(app, OpenDialog)
        dialog = app.screen
        await pilot.press("escape")
        await wait_until(lambda: may_be_read.is_set() and not dialog.is_attached and not dialog.is_running, "its end")
        assert app.failure is None
        assert app.is_running


async def test_results_of_workers_of_a_replaced_run_are_not_shown(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_be_read = threading.Event()

    async def show_late(screen: MainScreen) -> None:
        await on_own_thread(partial(may_be_read.wait, DEADLINE_SECONDS))
        screen.query_one(LossPlot)

    async def go_late(feed: TweetFeed) -> None:
        may_be_read.set()
        await has_no_worker(feed.screen)

    monkeypatch.setattr(TweetFeed, "on_unmount", go_late, raising=False)
    app = stage.app(FakeSession(SCRIPT), further=[second_session()], config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        first = app.screen
        assert isinstance(first, MainScreen)
        first.run_worker(show_late(first))
        await choose_next(app, pilot)
        await shows(app, "second to none")
        await wait_until(lambda: may_be_read.is_set() and not first.is_running, "its end")
        assert app.failure is None
        assert app.is_running


async def test_q_while_the_old_run_is_saved_quits_without_a_new_run(stage: Stage, folder: Path) -> None:
    first = LateSession()
    app = stage.app(first, config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await choose_next(app, pilot)
        await shows(app, "saving…")
        await pilot.press("q")
        first.may_end.set()
        await wait_until(lambda: not app.is_running)
    assert len(app.bridges) == 1
    assert app.return_code == 0

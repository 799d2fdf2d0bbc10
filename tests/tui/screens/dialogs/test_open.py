"""Other tweets: chosen or dropped, checked, and then a new run; or the old run continues."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview, SourceReport
from engine.errors import CorpusError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, RaisingSession, run_started, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, screen_text, shows, toasts, wait_until
from tests.tui.screens.dialogs.open_dialog import (
    SCRIPT,
    chosen,
    has_no_worker,
    line,
    on_first,
    open_dialog,
    says,
    second_session,
    started,
    type_at_once,
)
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.process.threads import on_own_thread
from tui.screens.dialogs.base import FailureDialog
from tui.screens.dialogs.help import HelpScreen
from tui.screens.dialogs.open import OpenDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.plot.loss_plot import LossPlot


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
        await says(app, "second.csv can be used; enter saves the run 2026-11-25-101112 and starts a new one on it.")
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
        await says(app, "third tweets.txt can be used;")
        assert line(app) == str(folder / "third tweets.txt")
        assert session.received == []
        assert len(app.bridges) == 1


async def test_a_browser_shows_for_no_pasted_path_whether_this_machine_has_it(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TweetgenApp, "is_web", True)
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "hello there")
        app.post_message(events.Paste(str(folder / "second.csv")))
        await pilot.press("question_mark")
        await opened(app, HelpScreen)
        assert toasts(app) == []
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_options_typed_after_the_path_are_those_of_the_new_run(stage: Stage, folder: Path) -> None:
    app = stage.app(FakeSession(SCRIPT), further=[second_session()], config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        type_at_once(app, f"{folder}/sec --column 2", "tab")
        await wait_until(lambda: line(app) == f"{folder}/second.csv --column 2")
        type_at_once(app, f"{folder}/sec --column 2 --label", "enter")
        await says(app, "--label has no value. Type it after the option: --label VALUE")
        assert line(app) == f"{folder}/second.csv --column 2 --label"
        assert stage.checked == []
        await pilot.press("=", "a", "l", "l", "enter")
        await says(app, "second.csv can be used; enter saves the run")
        await pilot.press("enter")
        await shows(app, "second to none")
    assert app.bridge.config.corpus == CorpusConfig(files=(str(folder / "second.csv"),), column="2", label="all")


async def test_an_error_that_names_an_option_says_where_it_is_typed(stage: Stage, folder: Path) -> None:
    stage.errors["second.csv"] = CorpusError("second.csv has no column of texts.", "Choose one with --column.")
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        await pilot.press("s", "enter")
        await says(app, "Choose one with --column. An option follows the path: second.csv --option VALUE")
        app.post_message(events.Paste(f"'{folder / 'third tweets.txt'}'"))
        await says(app, "third tweets.txt can be used;")


async def test_a_file_that_does_not_look_like_text_gets_no_other_verdict(stage: Stage, folder: Path) -> None:
    row = SourceReport(name="second.csv", format="text", num_rows=60, num_kept=60, dropped={}, examples={})
    doubted = replace(row, doubt="100 % of its rows are markup or code")
    stage.previews["second.csv"] = CorpusPreview(sources=(row, doubted), first_tweet="<p>", is_whole=True)
    app = stage.app(FakeSession(SCRIPT), config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, pilot)
        await pilot.press("s", "enter")
        await says(
            app,
            "second.csv does not look like text: 100 % of its rows are markup or code; "
            "enter saves the run 2026-11-25-101112 and starts a new one on it.",
        )
        assert "can be used" not in screen_text(app)


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
        await says(app, "second.csv can be used; enter starts a new run on it.")
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
        assert self.may_end.wait(DEADLINE_SECONDS)
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

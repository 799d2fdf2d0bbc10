"""Other tweets: chosen or dropped, checked, and then a new run; or the old run continues."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual import events

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview, SourceReport
from engine.errors import CorpusError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, RaisingSession, run_started, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, SCRIPT, Running, Stage, opened, shows, toasts, wait_until
from tests.tui.screens.dialogs.open_dialog import Opening, has_no_worker, on_first, opening, second_session
from tui.app.app import TweetgenApp
from tui.process.threads import on_own_thread
from tui.screens.dialogs.base import FailureDialog
from tui.screens.dialogs.help import HelpScreen
from tui.screens.dialogs.open import OpenDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.plot.loss_plot import LossPlot

NEW_RUN = "enter saves the run 2026-11-25-101112 and starts a new one on it."


async def quit_well(at: Running) -> None:
    await at.press("q")
    await wait_until(lambda: not at.app.is_running)
    assert at.app.return_code == 0


async def test_a_file_is_chosen_and_checked_and_a_new_run_starts_on_it(stage: Stage, folder: Path) -> None:
    async with opening(stage, folder, size=(40, 12), further=[second_session()]) as at:
        await at.press("down", shows="Open other tweets")
        await at.chooses("second.csv")
        await at.press("enter", shows=f"second.csv can be used; {NEW_RUN}")
        assert at.session.received == []
        await at.press("enter", shows="second to none", lacks="hello there", opens=MainScreen)
        app, other = at.app, CorpusConfig(files=(str(folder / "second.csv"),))
        assert [type(command) for command in at.session.received] == [c.Stop]
        assert isinstance(app.earlier_views[0].ended, e.RunFinished)
        assert app.summary_view.started == run_started(run="second-run")
        assert len(app.summary_view.train_losses) == 1
        assert stage.checked == [app.bridge.config] == [RunConfig(corpus=other, settings={"hidden_size": 16})]
        await at.press("g", shows="asked-for tweet number 1")
        await quit_well(at)
    assert not any(bridge.is_alive for bridge in at.app.bridges)


async def test_a_file_that_can_not_be_used_is_reported_with_a_hint_and_the_run_continues(
    stage: Stage, folder: Path
) -> None:
    stage.errors["second.csv"] = CorpusError("second.csv holds no tweets at all.", "Give a file with tweets.")
    stage.errors["first.csv"] = CorpusError("first.csv has no column of texts.", "Choose one with --column.")
    problem = "second.csv holds no tweets at all. Give a file with tweets."
    async with opening(stage, folder) as at:
        await at.press("s", "enter", shows=problem)
        await at.press("escape", opens=MainScreen)
        await at.emit(tweet_sampled("still here", 4))
        await at.press(shows="still here")
        await at.paste(f"'{folder / 'second.csv'}'", shows=problem)
        await at.paste(str(folder / "third tweets.txt").replace(" ", "\\ "), shows="third tweets.txt can be used;")
        assert at.line == str(folder / "third tweets.txt")
        where = "An option follows the path: first.csv --option VALUE"
        await at.paste(f"'{folder / 'first.csv'}'", shows=f"Choose one with --column. {where}")
        assert at.session.received == []
        assert len(at.app.bridges) == 1


async def test_a_browser_shows_for_no_pasted_path_whether_this_machine_has_it(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TweetgenApp, "is_web", True)
    async with stage.running(config=on_first(folder)) as at:
        at.app.post_message(events.Paste(str(folder / "second.csv")))
        await at.press("question_mark", opens=HelpScreen)
        assert toasts(at.app) == []
        await at.press("escape", opens=MainScreen)


async def test_options_typed_after_the_path_are_those_of_the_new_run(stage: Stage, folder: Path) -> None:
    async with opening(stage, folder, further=[second_session()]) as at:
        at.type_at_once(f"{folder}/sec --column 2", "tab")
        await wait_until(lambda: at.line == f"{folder}/second.csv --column 2")
        at.type_at_once(f"{folder}/sec --column 2 --label", "enter")
        await at.press(shows="--label has no value. Type it after the option: --label VALUE")
        assert at.line == f"{folder}/second.csv --column 2 --label"
        assert stage.checked == []
        await at.press("=", "a", "l", "l", "enter", shows="second.csv can be used; enter saves the run")
        await at.press("enter", shows="second to none")
    corpus = CorpusConfig(files=(str(folder / "second.csv"),), column="2", label="all")
    assert at.app.bridge.config.corpus == corpus


async def test_a_file_that_does_not_look_like_text_gets_no_other_verdict(stage: Stage, folder: Path) -> None:
    row = SourceReport(name="second.csv", format="text", num_rows=60, num_kept=60, dropped={}, examples={})
    doubted = replace(row, doubt="100 % of its rows are markup or code")
    stage.previews["second.csv"] = CorpusPreview(sources=(row, doubted), first_tweet="<p>", is_whole=True)
    async with opening(stage, folder) as at:
        doubt = f"second.csv does not look like text: 100 % of its rows are markup or code; {NEW_RUN}"
        await at.press("s", "enter", shows=doubt, lacks="can be used")


async def test_a_new_run_can_be_opened_after_one_failed_before_its_start(stage: Stage, folder: Path) -> None:
    error = CorpusError("first.csv changed while it was read.", "Try again.")
    second = second_session()
    app = stage.app(RaisingSession(error), further=[second], config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        at = Opening(app, pilot, second)
        await opened(app, FailureDialog)
        await at.press("o", opens=OpenDialog)
        await at.chooses("first.csv")
        await at.press("down", "enter", shows="second.csv can be used; enter starts a new run on it.")
        await at.press("enter", shows="second to none")
        await quit_well(at)


class LateSession(FakeSession):
    """Ends, after `Stop`, only once `may_end` is set."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.may_end = threading.Event()

    def answer(self, command: c.Command) -> e.Event:
        assert self.may_end.wait(DEADLINE_SECONDS)
        return super().answer(command)


async def replace_run(at: Opening) -> None:
    """Choose the second file, and do not wait for the end of the first run."""
    await at.press("down", "enter", shows="can be used")
    await at.pilot.press("enter")


async def test_the_old_run_is_saved_before_the_new_one_takes_its_place(stage: Stage, folder: Path) -> None:
    first = LateSession()
    async with opening(stage, folder, first, further=[second_session()]) as at:
        await replace_run(at)
        await shows(at.app, "saving…  then a new run on second.csv")
        await at.pilot.press("?")
        await opened(at.app, HelpScreen)
        assert len(at.app.bridges) == 1
        first.may_end.set()
        await at.press(shows="second to none", opens=MainScreen)


async def test_q_while_the_old_run_is_saved_quits_without_a_new_run(stage: Stage, folder: Path) -> None:
    first = LateSession()
    async with opening(stage, folder, first) as at:
        await replace_run(at)
        await shows(at.app, "saving…")
        await at.pilot.press("q")
        first.may_end.set()
        await wait_until(lambda: not at.app.is_running)
    assert len(at.app.bridges) == 1
    assert at.app.return_code == 0


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
    async with opening(stage, folder, further=[second_session()]) as at:
        first = at.app.screen_stack[-2]
        assert isinstance(first, MainScreen)
        await at.press("down", "enter", shows="can be used")
        first.run_worker(show_late(first))
        await at.pilot.press("enter")
        await shows(at.app, "second to none")
        await wait_until(lambda: may_be_read.is_set() and not first.is_running, "its end")
        assert at.app.failure is None
        assert at.app.is_running

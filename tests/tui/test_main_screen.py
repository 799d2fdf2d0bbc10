"""The main screen: its layout at every size, its way out, and what it tells without being asked."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest

from engine import commands as c
from engine import events as e
from engine.errors import CorpusError
from tests.fakes import FakeSession, RaisingSession, evaluated, run_started, steps_finished, tweet
from tests.tui.conftest import Stage, opened, screen_text, shows, toasts, until
from tui.app import TweetgenApp
from tui.run_view import RunView
from tui.screens.checkpoint_questions import YesDialog
from tui.screens.dialog import MessageDialog
from tui.state import apply
from tui.widgets.loss_plot import LossPlot
from tui.widgets.status_panel import StatusPanel
from tui.widgets.tweet_feed import TweetFeed

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), evaluated(3, 5.7), tweet("hello there", 3))
FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)


async def started(app: TweetgenApp) -> None:
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")


async def test_panels_are_whole_at_every_size(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(120, 40)) as pilot:
        await started(app)
        for width, height in ((120, 40), (80, 24), (60, 20), (40, 12)):
            await pilot.resize_terminal(width, height)
            await until(lambda height=height: len(screen_text(app).splitlines()) == height)  # type: ignore[misc]
            await shows(app, "hello there")
            assert screen_text(app).splitlines()[-1].split()[0] == "space"
            shown = [app.screen.query_one(kind) for kind in (TweetFeed, StatusPanel, LossPlot)]
            regions = [panel.region for panel in shown if panel.region.area]
            assert len(regions) == (2 if height < 18 else 3)
            for region in regions:
                assert app.screen.region.contains_region(region)
                assert not any(region.overlaps(other) for other in regions if other is not region)


async def test_a_very_small_terminal_shows_a_line_and_grows_back(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(39, 24)) as pilot:
        await started(app)
        await shows(app, "40 columns")
        await pilot.resize_terminal(80, 11)
        await shows(app, "12 rows")
        await pilot.resize_terminal(80, 24)
        await shows(app, "hello there")


async def test_a_resumed_run_opens_with_its_curve_and_tweets(stage: Stage) -> None:
    view = RunView()
    for event in (run_started(), *SCRIPT, FINISHED):
        view = apply(view, event)
    session = FakeSession((), run_started(step=3, resumed_from="latest"))
    app = stage.app(session, history=view)
    async with app.run_test(size=(80, 24)):
        await until(lambda: app.summary_view.phase == "training")
        assert len(app.summary_view.train_losses) == 3
        await shows(app, "hello there")


@pytest.mark.parametrize("key", ["t", "ctrl+p"])
async def test_ctrl_c_stops_the_session_and_leaves_with_130_from_every_dialog(stage: Stage, key: str) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test() as pilot:
        await started(app)
        main_screen = app.screen
        await pilot.press(key)
        await until(lambda: app.screen is not main_screen)
        await pilot.press("ctrl+c")
        await until(lambda: not app.is_running)
    assert app.return_code == 130
    assert isinstance(session.received[-1], c.Stop)
    assert app.summary_view.phase == "finished"


async def test_a_second_ctrl_c_leaves_a_session_that_does_not_end(stage: Stage) -> None:
    class DeafSession(FakeSession):
        def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
            for event in (run_started(), *SCRIPT):
                emit(event)
            assert may_end.wait(10)
            emit(FINISHED)

    may_end = threading.Event()
    app = stage.app(DeafSession())
    async with app.run_test() as pilot:
        await started(app)
        await pilot.press("q")
        await shows(app, "saving…")
        assert app.is_running
        await pilot.press("ctrl+c")
        await until(lambda: not app.is_running)
    assert app.return_code == 130
    may_end.set()


async def test_a_finished_run_stays_readable_and_keys_say_so(stage: Stage) -> None:
    app = stage.app(FakeSession((*SCRIPT, FINISHED)))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.summary_view.phase == "finished")
        await shows(app, "hello there")
        await pilot.press("g", "space", "+")
        await until(lambda: "The run is over; q leaves, o opens other tweets." in toasts(app))
        assert toasts(app).count("The run is over; q leaves, o opens other tweets.") == 1
        await pilot.press("q")
        await until(lambda: not app.is_running)
    assert app.return_code == 0


@pytest.mark.parametrize(
    ("error", "return_code"),
    [(ZeroDivisionError("oh no"), 3), (CorpusError("tweets.csv is empty.", "Give tweets."), 1)],
)
async def test_a_failed_session_is_told_in_a_dialog_and_by_the_return_code(
    stage: Stage, error: Exception, return_code: int
) -> None:
    app = stage.app(RaisingSession(error, [run_started(), *SCRIPT]))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MessageDialog)
        await shows(app, str(error))
        await pilot.press("q")
        await until(lambda: not isinstance(app.screen, MessageDialog))
        await shows(app, "hello there")
        await pilot.press("q")
        await until(lambda: not app.is_running)
    assert app.return_code == return_code


async def test_loading_an_earlier_checkpoint_takes_the_later_tweets_back(stage: Stage) -> None:
    session = FakeSession((*SCRIPT, steps_finished(4, [3.9] * 10), tweet("from the future", 13)))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)):
        await shows(app, "from the future")
        session.play(
            e.CheckpointLoaded(
                step=3, elapsed_seconds=1.0, name="happy", path="/tmp/happy.safetensors", bits_per_char=5.7
            )
        )
        await until(lambda: "from the future" not in screen_text(app))
        await shows(app, "hello there")


async def test_q_asks_first_where_steps_would_be_lost(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    session.loses_at_stop = "Only what was learned up to step 38 is saved: to leave now loses 1,406 steps."
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        await pilot.press("q")
        await opened(app, YesDialog)
        await shows(app, "Not saved", "1,406", "y leave and lose it")
        await pilot.press("q", "escape")
        await until(lambda: not isinstance(app.screen, YesDialog))
        await shows(app, "▶ training", "space pause")
        await pilot.press("q")
        await opened(app, YesDialog)
        await pilot.press("y")
        await until(lambda: not app.is_running, "the end")
    assert session.received == [
        c.Stop(reason="stopped by the user", unless_unsaved=True),
        c.Stop(reason="stopped by the user", unless_unsaved=True),
        c.Stop(reason="stopped by the user"),
    ]

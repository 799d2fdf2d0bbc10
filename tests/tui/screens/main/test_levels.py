"""The reference levels: when the screen asks for them, what it reports of them, and why there are none."""

from __future__ import annotations

from pathlib import Path

from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import RunFolder
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished
from tests.tui.conftest import Stage, opened, toasted, toasts, wait_until
from tui.app.app import TweetgenApp
from tui.run.folding import fold
from tui.run.replay import ReplaySession
from tui.run.view import RunView
from tui.screens.main.screen import MainScreen
from tui.settings.store import PreferencesStore
from tui.widgets.plot.loss_plot import LossPlot

NAMES, BITS = ("uniform", "unigram", "2-gram", "6-gram"), (6.6, 4.6, 3.7, 2.6)
BIGRAM, SIX_GRAM = "Now better than counting pairs of characters.", "Now better than counting six characters."


class Measuring(FakeSession):
    """Counts the questions for baselines, and answers none by itself."""

    num_asked = 0

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # those of FakeSession
        self.measures_baselines = True

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.MeasureBaselines):
            self.num_asked += 1
            return steps_finished(self._step + 1, [3.0])
        return super().answer(command)


def measured(step: int, num: int = len(NAMES)) -> e.BaselinesMeasured:
    return e.BaselinesMeasured(
        step=step, elapsed_seconds=1.0, request=0, names=NAMES[:num], bits_per_char=BITS[:num], is_complete=num == 4
    )


async def asked(session: Measuring, num: int = 1) -> None:
    await wait_until(lambda: session.num_asked == num, "the question")


def main(app: TweetgenApp) -> MainScreen:
    assert isinstance(app.screen, MainScreen)
    return app.screen


async def reached(app: TweetgenApp, step: int) -> None:
    """Wait until the screen shows the run at a step, and every tick up to it is over."""
    await wait_until(lambda: app.summary_view.step >= step, f"step {step}")
    main(app).tick()


async def test_the_levels_are_asked_for_once_as_soon_as_the_run_trains(stage: Stage) -> None:
    session = Measuring()
    app = stage.app(session)
    async with app.run_test():
        await opened(app, MainScreen)
        await wait_until(lambda: app.summary_view.started)
        main(app).tick()
        assert session.num_asked == 0
        session.emit(steps_finished(1, [3.0] * 10))
        await asked(session)
        session.emit(steps_finished(20, [3.0] * 10))
        await reached(app, 29)
        session.emit(measured(30, num=3))
        session.emit(measured(31))
        await wait_until(lambda: len(app.summary_view.levels) == 4)
        main(app).tick()
        assert session.num_asked == 1


async def test_the_crossing_of_a_level_is_reported_in_one_sentence_for_the_hardest(stage: Stage) -> None:
    session = Measuring((steps_finished(1, [3.0] * 10), measured(10)))
    app = stage.app(session)
    async with app.run_test():
        await wait_until(lambda: app.summary_view.levels)
        session.emit(eval_finished(20, 3.5))
        await toasted(app, BIGRAM)
        session.emit(eval_finished(30, 3.0))
        session.emit(eval_finished(40, 2.5))
        await toasted(app, SIX_GRAM)
        assert toasts(app) == [BIGRAM, SIX_GRAM]


async def test_of_the_levels_crossed_before_they_were_measured_only_the_hardest_is_reported(stage: Stage) -> None:
    session = Measuring((steps_finished(1, [3.0] * 10),))
    app = stage.app(session)
    async with app.run_test():
        await reached(app, 10)
        for step, bits in ((20, 5.0), (30, 4.0), (40, 3.0)):
            session.emit(eval_finished(step, bits))
        await reached(app, 40)
        session.emit(measured(41))
        await toasted(app, BIGRAM)
        assert toasts(app) == [BIGRAM]


async def test_crossings_of_a_session_before_are_not_reported_again(stage: Stage) -> None:
    before = (run_started(), steps_finished(1, [3.0] * 30), eval_finished(30, 3.0))
    resumed = run_started(step=30, resumed_from="2026-11-25-101112/latest")
    session = Measuring((measured(30), steps_finished(31, [3.0] * 10)), started=resumed)
    app = stage.app(session, history=fold(RunView(), before))
    async with app.run_test():
        await reached(app, 40)
        assert [level.crossed_at for level in app.summary_view.levels] == [30, 30, 30, None]
        session.emit(eval_finished(50, 2.0))
        await toasted(app, SIX_GRAM)
        assert toasts(app) == [SIX_GRAM]


async def test_hidden_levels_are_neither_asked_for_nor_reported_and_the_choice_is_saved(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[screen]\nlevels = false\n")
    session = Measuring((steps_finished(1, [3.0] * 10), measured(10, num=3), eval_finished(20, 3.0)))
    app = stage.app(session, store=PreferencesStore(path))
    async with app.run_test() as pilot:
        await reached(app, 20)
        assert not app.screen.query_one(LossPlot).shows_levels
        assert (session.num_asked, toasts(app)) == (0, [])
        await pilot.press("r")
        await asked(session)
        await wait_until(lambda: path.read_text() == "[screen]\nlevels = true\n", "the file")
        await pilot.press("r")
        await wait_until(lambda: path.read_text() == "[screen]\nlevels = false\n", "the file")
        assert toasts(app) == []


async def test_a_run_on_one_tweet_has_no_levels_and_the_key_reports_why(stage: Stage) -> None:
    session = Measuring((steps_finished(1, [3.0] * 10),), started=run_started(num_train_tweets=1, num_val_tweets=1))
    app = stage.app(session)
    async with app.run_test() as pilot:
        await reached(app, 10)
        await pilot.press("r", "r")
        await toasted(app, "Reference levels are off.", "A run on one tweet has no reference levels")
        assert session.num_asked == 0


async def test_a_replay_has_no_levels_and_the_key_reports_why(stage: Stage, home: Path) -> None:
    folder = RunFolder(home / "runs" / "old")
    folder.path.mkdir(parents=True)
    events = (run_started(run="old"), steps_finished(1, [3.0] * 10), eval_finished(10, 3.0))
    folder.journal_path.write_text("".join(e.to_json(event) + "\n" for event in events))
    app = stage.app(ReplaySession(folder.journal_path, 1e9, lambda: 0), history=RunView(is_replay=True))
    async with app.run_test() as pilot:
        await reached(app, 10)
        await pilot.press("r", "r")
        off, why = (
            "Reference levels are off.",
            "A replay has no reference levels: the journal of a run does not contain them.",
        )
        await toasted(app, off, why)
        assert toasts(app) == [off, why]


async def test_a_refusal_opens_nothing_and_the_key_reports_it_and_asks_again(stage: Stage) -> None:
    session = Measuring((steps_finished(1, [3.0] * 10),))
    app = stage.app(session)
    refusal = e.CommandRefused(
        step=10, elapsed_seconds=1.0, command="MeasureBaselines", title="Memory", detail="Too little memory.", hint=""
    )
    async with app.run_test() as pilot:
        await asked(session)
        session.emit(refusal)
        session.emit(steps_finished(20, [3.0]))
        await reached(app, 20)
        assert toasts(app) == []
        await pilot.press("r", "r")
        await toasted(app, "Reference levels are off.", "The reference levels were not measured: Too little memory.")
        await asked(session, 2)


async def test_the_settings_show_and_hide_the_levels(stage: Stage) -> None:
    app = stage.app(Measuring((steps_finished(1, [3.0] * 10), measured(10))))
    async with app.run_test():
        await reached(app, 10)
        app.store.change({"levels": False})
        assert not main(app).query_one(LossPlot).shows_levels
        app.store.change({"levels": None})
        assert main(app).query_one(LossPlot).shows_levels

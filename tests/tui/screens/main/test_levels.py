"""The reference levels: when the screen asks for them, what it reports of them, and why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished
from tests.tui.conftest import Running, Stage, opened, toasted, toasts
from tui.run.folding import fold
from tui.run.view import RunView
from tui.screens.main.screen import MainScreen
from tui.settings.store import PreferencesStore
from tui.widgets.plot.loss_plot import LossPlot

NAMES, BITS = ("uniform", "unigram", "2-gram", "6-gram"), (6.6, 4.6, 3.7, 2.6)
BIGRAM, SIX_GRAM = "Now better than counting pairs of characters.", "Now better than counting six characters."
OFF = "Reference levels are off."
TRAINED = steps_finished(1, [3.0] * 10)


class Measuring(FakeSession):
    """Counts the questions for baselines, and answers none by itself."""

    num_asked = 0

    def __init__(self, *script: e.Event, **options: Any) -> None:
        super().__init__(script, **options)
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


async def test_the_levels_are_asked_for_once_as_soon_as_the_run_trains_and_again_after_a_refusal(stage: Stage) -> None:
    session = Measuring()
    app = stage.app(session)
    refusal = e.CommandRefused(
        step=10, elapsed_seconds=1.0, command="MeasureBaselines", title="Memory", detail="Too little memory.", hint=""
    )
    async with app.run_test() as pilot:
        at = Running(app, pilot, session)
        await opened(app, MainScreen)
        await at.settle()
        assert session.num_asked == 0
        await at.emit(TRAINED)
        assert session.num_asked == 1
        await at.emit(refusal, steps_finished(20, [3.0] * 10))
        assert (session.num_asked, toasts(app)) == (1, []), "a refusal opens nothing"
        await at.press("r", "r")
        await toasted(app, OFF, "The reference levels were not measured: Too little memory.")
        assert session.num_asked == 2
        await at.emit(measured(30, num=3), measured(31))
        assert len(app.summary_view.levels) == 4
        assert session.num_asked == 2


RUN_BEFORE = (run_started(), steps_finished(1, [3.0] * 30), eval_finished(30, 3.0))


@pytest.mark.parametrize(
    ("history", "script", "later", "expected"),
    [
        (
            (),
            (TRAINED, measured(10)),
            (eval_finished(20, 3.5), eval_finished(30, 3.0), eval_finished(40, 2.5)),
            [BIGRAM, SIX_GRAM],
        ),
        (
            (),
            (TRAINED,),
            (eval_finished(20, 5.0), eval_finished(30, 4.0), eval_finished(40, 3.0), measured(41)),
            [BIGRAM],
        ),
        (
            RUN_BEFORE,
            (measured(30), steps_finished(31, [3.0] * 10)),
            (eval_finished(50, 2.0),),
            [SIX_GRAM],
        ),
    ],
    ids=["each once", "the hardest of those before the measurement", "none of a session before"],
)
async def test_the_crossing_of_a_level_is_reported_in_one_sentence(
    stage: Stage,
    history: tuple[e.Event, ...],
    script: tuple[e.Event, ...],
    later: tuple[e.Event, ...],
    expected: list[str],
) -> None:
    started = run_started(step=30, resumed_from="2026-11-25-101112/latest") if history else run_started()
    session = Measuring(*script, started=started)
    app = stage.app(session, history=fold(RunView(), history) if history else None)
    async with app.run_test() as pilot:
        at = Running(app, pilot, session)
        await at.settle()
        for event in later:
            await at.emit(event)
        assert toasts(app) == expected
        assert [level.crossed_at is None for level in app.summary_view.levels] == [False] * 3 + [expected == [BIGRAM]]


async def test_hidden_levels_are_neither_asked_for_nor_reported_and_the_choice_is_saved(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[screen]\nlevels = false\n")
    session = Measuring(TRAINED, measured(10, num=3), eval_finished(20, 3.0))
    app = stage.app(session, store=PreferencesStore(path))
    async with app.run_test() as pilot:
        at = Running(app, pilot, session)
        await at.settle()
        plot = app.screen.query_one(LossPlot)
        assert not plot.shows_levels
        assert (session.num_asked, toasts(app)) == (0, [])
        await at.press("r")
        assert (session.num_asked, path.read_text()) == (1, "[screen]\nlevels = true\n")
        await at.press("r")
        assert (toasts(app), path.read_text()) == ([], "[screen]\nlevels = false\n")
        for in_the_settings, is_shown in ((None, True), (False, False)):
            app.store.change({"levels": in_the_settings})
            assert plot.shows_levels is is_shown


@pytest.mark.parametrize(
    ("started", "history", "why"),
    [
        (run_started(num_train_tweets=1, num_val_tweets=1), None, "A run on one tweet has no reference levels"),
        (run_started(), RunView(is_replay=True), "A replay has no reference levels: the journal of a run does not"),
    ],
    ids=["one tweet", "replay"],
)
async def test_a_run_without_levels_is_not_asked_for_them_and_the_key_reports_why(
    stage: Stage, started: e.RunStarted, history: RunView | None, why: str
) -> None:
    session = Measuring(TRAINED, started=started)
    app = stage.app(session, history=history)
    async with app.run_test() as pilot:
        await Running(app, pilot, session).press("r", "r")
        await toasted(app, OFF, why)
        assert (session.num_asked, len(toasts(app))) == (0, 2)

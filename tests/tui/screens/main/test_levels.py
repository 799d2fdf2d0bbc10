"""The reference levels: when the screen asks for them, what it reports of them, and why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage
from tests.tui.transcripts import Step, transcript
from tui.run.folding import fold
from tui.run.view import RunView
from tui.settings.store import PreferencesStore
from tui.widgets.plot.loss_plot import LossPlot

NAMES, BITS = ("uniform", "unigram", "2-gram", "6-gram"), (6.6, 4.6, 3.7, 2.6)
TRAINED = steps_finished(1, [3.0] * 10)
AT_20 = steps_finished(11, [3.0] * 10)
REFUSED = e.CommandRefused(
    step=10, elapsed_seconds=1.0, command="MeasureBaselines", title="Memory", detail="Too little memory.", hint=""
)
BEFORE = fold(RunView(), (run_started(), steps_finished(1, [3.0] * 30), eval_finished(30, 3.0)))
RESUMED = run_started(step=30, resumed_from="2026-11-25-101112/latest")


class Measuring(FakeSession):
    """Takes questions for baselines, and answers none by itself."""

    def __init__(self, started: e.RunStarted | None = None) -> None:
        super().__init__([tweet_sampled("hello there", started.step if started else 0)], started)
        self.measures_baselines = True

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.MeasureBaselines):
            return steps_finished(self._step + 1, [3.0])
        return super().answer(command)


def measured(step: int, num: int = len(NAMES)) -> e.BaselinesMeasured:
    return e.BaselinesMeasured(
        step=step, elapsed_seconds=1.0, request=0, names=NAMES[:num], bits_per_char=BITS[:num], is_complete=num == 4
    )


def evaluated(*bits: float) -> tuple[e.Event, ...]:
    """Return evaluations at steps 20, 30 and so on."""
    return tuple(eval_finished(10 * number, each) for number, each in enumerate(bits, start=2))


PLAYS: dict[str, tuple[Measuring, dict[str, Any], tuple[Step, ...]]] = {
    "they are asked for once, as soon as the run trains, and after a refusal, which opens nothing, by the key": (
        Measuring(),
        {},
        ("", TRAINED, REFUSED, AT_20, "r", "r", measured(30, num=3), measured(31)),
    ),
    "the crossing of each is reported once in a sentence": (
        Measuring(),
        {},
        (TRAINED, measured(10), *evaluated(3.5, 3.0, 2.5)),
    ),
    "of those crossed before the measurement the hardest is reported": (
        Measuring(),
        {},
        (TRAINED, *evaluated(5.0, 4.0, 3.0), measured(41)),
    ),
    "a crossing of a session before is not reported": (
        Measuring(RESUMED),
        {"history": BEFORE},
        (measured(30), steps_finished(31, [3.0] * 10), eval_finished(50, 2.0)),
    ),
    "a run on one tweet has none": (
        Measuring(run_started(num_train_tweets=1, num_val_tweets=1)),
        {},
        (TRAINED, "r", "r"),
    ),
    "a replay has none": (Measuring(), {"history": RunView(is_replay=True)}, (TRAINED, "r", "r")),
}


def levels(at: Running) -> str:
    """Return which levels have been crossed and where."""
    return ", ".join(f"{level.name} at {level.crossed_at}" for level in at.app.summary_view.levels)


@pytest.mark.parametrize("claim", PLAYS)
async def test_levels_are_asked_for_and_reported_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    session, options, steps = PLAYS[claim]
    async with stage.running(session, (40, 12), **options) as at:
        assert await transcript(at, *steps, note=levels) == snapshot


async def test_hidden_levels_are_neither_asked_for_nor_reported_and_the_choice_is_saved(
    stage: Stage, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[screen]\nlevels = false\n")
    steps = (TRAINED, measured(10, num=3), eval_finished(20, 3.0), "r", "r")
    async with stage.running(Measuring(), (40, 12), store=PreferencesStore(path)) as at:
        plot = at.app.screen.query_one(LossPlot)
        assert not plot.shows_levels
        assert await transcript(at, *steps, note=lambda _: path.read_text()) == snapshot
        for in_the_settings, is_shown in ((None, True), (False, False)):
            at.app.store.change({"levels": in_the_settings})
            assert plot.shows_levels is is_shown

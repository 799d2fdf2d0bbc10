"""Learning rate, undo, batch size, intervals, alerts, reference levels and the prompt line on the screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, RuntimeConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from tests import fakes
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, text_completed, tweet_sampled
from tests.tui.conftest import SCRIPT, Answering, Running, Stage, opened, refused, shows, text_of, wait_until
from tests.tui.transcripts import plays, set_up, transcript
from tui.run.fold import fold
from tui.run.view import RunView
from tui.settings.preferences import PreferencesStore
from tui.text.cells import shown_char
from tui.widgets.plot.plot import LossPlot

RUN = "2026-11-25-101112"
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
FULL_DISK = e.Warned(message="No space left on device.", kind="disk", **NOW)
PAUSED = e.Paused(**NOW)
WARMING = (steps_finished(1, [4.5, 4.2, 4.0], learning_rates=(0.001,) * 3), tweet_sampled("hello there", 3))
GOOD = (steps_finished(1, [1.7] * 600), eval_finished(600, 2.4), tweet_sampled("hello there", 600))
DIVERGED = tuple(steps_finished(first_step, [4.2] * 150) for first_step in (601, 751, 901, 1051))
AT_600 = fakes.checkpoint_loaded(600, f"{fakes.run_started().run}/best", elapsed_seconds=70.0, bits_per_char=2.4)
AT_7 = steps_finished(6, [3.9, 3.8])
FASTER = "float32 on 2 threads in place of bfloat16 on 2, 1.2 times as fast"
IN_FLOAT32 = e.ThreadsChanged(num_threads=2, precision="float32", message=FASTER, **NOW)
NOT_FINITE = tuple(
    e.Warned(step=step, elapsed_seconds=1.0, message="not finite", kind="not-finite") for step in (4, 5, 6)
)


def asks(title: str) -> Callable[[Running], Awaitable[None]]:
    """Return the step that opens the dialog of that title from the palette."""

    async def ask(at: Running) -> None:
        await at.press("ctrl+p")
        await at.type_into(title)
        await wait_until(lambda: text_of(at.app).count(title) == 2, f"{title}, typed and found")
        await at.press("enter", opens="Ask")

    ask.__name__ = f"from the palette: {title}"
    return ask


def a_dot_held_down(at: Running) -> None:
    for _ in range(5):
        at.app.steering.action_step()


def a_toast_comes(at: Running) -> None:
    at.app.screen.notify("Saved as aaa.")


OUT_OF_MEMORY = fakes.run_failed(3, "The device is out of memory", detail="Tried to allocate 2 GiB.")


@pytest.mark.parametrize("is_closed_first", [False, True], ids=["in the dialog", "after it"])
async def test_a_run_that_is_out_of_memory_is_retried_from_its_latest_checkpoint(
    stage: Stage, is_closed_first: bool
) -> None:
    resumed = run_started(step=2, resumed_from=f"{RUN}/latest", elapsed_seconds=1.0)
    after = FakeSession([steps_finished(3, [3.9]), tweet_sampled("and on it goes", 3)], resumed)
    runtime = RuntimeConfig(device="cpu")
    config = RunConfig(settings={"hidden_size": 7}, runtime=runtime, run_name="mine")
    app = stage.app(FakeSession((*SCRIPT, OUT_OF_MEMORY)), further=[after], config=config)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, after)
        await opened(app, "Question")
        await shows(app, "Tried to allocate 2 GiB.", "a try again from latest")
        if is_closed_first:
            await pilot.press("escape")
            await opened(app, "MainScreen")
            await shows(app, "a try again from latest")
        await at.press("a", shows="and on it goes")
        assert app.connection.config == RunConfig(resume=RUN, runtime=runtime)
        view = app.summary_view
        assert (view.phase, view.train_losses.first_step, view.train_losses.last_step) == ("training", 1, 3)
        assert app.earlier_views == [], "it is the same run"


# Reference levels -----------------------------------------------------------------------------------------------------

NAMES, BITS = ("uniform", "unigram", "2-gram", "6-gram"), (6.6, 4.6, 3.7, 2.6)
TRAINED = steps_finished(1, [3.0] * 10)
AT_20, AT_40 = steps_finished(11, [3.0] * 10), steps_finished(31, [3.0] * 10)
LEARNED = eval_finished(50, 2.0)
REFUSED = refused("MeasureBaselines", "Too little memory.", step=10)
BEFORE = fold(RunView(), (run_started(), steps_finished(1, [3.0] * 30), eval_finished(30, 3.0)))
RESUMED = run_started(step=30, resumed_from="2026-11-25-101112/latest")


class Measuring(FakeSession):
    """Takes questions for baselines, and answers none by itself."""

    def __init__(self, started: e.RunStarted | None = None) -> None:
        super().__init__([tweet_sampled("hello there", started.step if started else 0)], started)
        self.measures_baselines = True

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, insight.MeasureBaselines):
            return steps_finished(self._step + 1, [3.0])
        return super().answer(command)


def measured(step_and_number: str) -> insight.BaselinesMeasured:
    step, num = map(int, step_and_number.split())
    return structs.replace(fakes.baselines_measured(step, NAMES[:num], BITS[:num]), is_complete=num == 4)


def evaluated(bits: str) -> tuple[e.Event, ...]:
    """Return evaluations at steps 20, 30 and so on."""
    return tuple(eval_finished(10 * number, each) for number, each in enumerate(map(float, bits.split()), start=2))


SMALL, WIDE = {"size": (40, 12)}, {"size": (120, 40)}
SET_UP: dict[str, tuple[FakeSession, dict[str, Any]]] = {
    "brackets change": (FakeSession(WARMING), WIDE),
    "a dot pauses": (FakeSession(SCRIPT), WIDE | {"draws_toasts": True}),
    "a full disk": (FakeSession(SCRIPT), SMALL),
    "a reloads best": (FakeSession(GOOD), {}),
    "a refused answer": (Answering(c.LoadCheckpoint, refused("LoadCheckpoint", "It is gone.", step=6)), {}),
    "the crossing of a level in a session before": (Measuring(RESUMED), SMALL | {"history": BEFORE}),
    "a run on one tweet": (Measuring(run_started(num_train_tweets=1, num_val_tweets=1)), SMALL),
    "a replay": (Measuring(), SMALL | {"history": RunView(is_replay=True)}),
}
STEERED = plays("steering", globals())
LEVELS = plays("levels", globals())


def levels(at: Running) -> str:
    """Return which levels have been crossed and where."""
    return ", ".join(f"{level.name} at {level.crossed_at}" for level in at.app.summary_view.baselines)


@pytest.mark.parametrize("claim", STEERED | LEVELS)
async def test_a_run_is_steered_by_keys_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    usual = (Measuring(), SMALL) if claim in LEVELS else (FakeSession(SCRIPT), {})
    session, options = set_up(SET_UP, claim, usual)
    async with stage.running(session, **options) as at:
        assert await transcript(at, *(STEERED | LEVELS)[claim], note=levels) == snapshot


async def test_hidden_levels_are_neither_asked_for_nor_reported_and_the_choice_is_saved(
    stage: Stage, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[screen]\nlevels = false\n")
    steps = (TRAINED, measured("10 3"), eval_finished(20, 3.0), "r", "r")
    async with stage.running(Measuring(), (40, 12), store=PreferencesStore(path)) as at:
        plot = at.app.screen.query_one(LossPlot)
        assert not plot.shows_levels
        assert await transcript(at, *steps, note=lambda _: path.read_text()) == snapshot
        for in_the_settings, is_shown in ((None, True), (False, False)):
            at.app.store.change({"levels": in_the_settings})
            assert plot.shows_levels is is_shown


# The prompt line ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("char", "label"),
    [(" ", "␣"), ("", "end"), ("雪", "雪"), ("\u0301", "U+0301"), ("\x1b", "U+001B"), ("\ud800", "U+D800")],
)
def test_the_label_of_a_character_is_visible_and_safe(char: str, label: str) -> None:
    assert shown_char(char) == label


AT_53 = steps_finished(4, [3.0] * 50)
ENDED = fakes.run_finished(9, "stopped")


class Ending(FakeSession):
    """Has ended, and answers nothing, once it has emitted `ENDED`."""

    def answer(self, command: c.Command) -> e.Event:
        return ENDED if self._step == ENDED.step else super().answer(command)


PROMPT_LINE = plays("prompt_line", globals())
PROMPTED: dict[str, FakeSession] = {
    "a line that can't be submitted": FakeSession(SCRIPT, run_started(sampling=SamplingConfig(max_length=10))),
    "after the end": Ending(SCRIPT),
}


def focused(at: Running) -> str:
    return f"focus on {type(at.app.screen.focused).__name__}"


@pytest.mark.parametrize("claim", PROMPT_LINE)
async def test_the_line_is_typed_into_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    async with stage.running(set_up(PROMPTED, claim, FakeSession(SCRIPT))) as at:
        assert await transcript(at, *PROMPT_LINE[claim], note=focused) == snapshot


async def test_only_the_answer_to_its_own_request_and_draw_is_shown_and_a_refusal_in_the_line(stage: Stage) -> None:
    session = Answering(c.CompleteText, *(steps_finished(step, [4.0]) for step in (4, 11, 12, 13)))
    async with stage.running(session) as at:
        await at.press("p", *"abc", shows="› abc")
        [first] = session.received
        request = getattr(first, "request", 0)
        await at.emit(text_completed("", request=request + 7, step=9))
        assert "and on" not in at.text
        await at.emit(text_completed("", request=request, step=10))
        assert session.received[1:] == [c.CompleteText(text="abc", request=request + 1)]
        await at.press("ctrl+r")
        await at.emit(text_completed("abc", request=request + 1, step=11))
        assert "and on" not in at.text, "what enter samples is not the answer to the request before"
        assert session.received[2:] == [c.CompleteText(text="abc", request=request + 2, draw=1)]
        await at.emit(text_completed("abc", request=request + 2, step=12))
        assert "› abc and on" in at.text
        await at.press("d")
        await at.emit(refused("CompleteText", "It has gone wrong.", step=13))
        await at.press(shows="It has gone wrong.")
        assert at.app.screen is at.app.main

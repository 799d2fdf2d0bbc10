"""Learning rate, undo, batch size, intervals, alerts, reference levels and the prompt line on the screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import (
    FakeSession,
    eval_finished,
    paused,
    run_finished,
    run_started,
    steps_finished,
    text_completed,
    tweet_sampled,
)
from tests.tui.conftest import SCRIPT, Running, Stage, opened, shows, wait_until
from tests.tui.transcripts import Size, Step, Typed, transcript
from tui.formatting.chances import shown_char
from tui.run.folding import fold
from tui.run.view import RunView
from tui.settings.store import PreferencesStore
from tui.widgets.alert_bar import AlertBar
from tui.widgets.plot.loss_plot import LossPlot

RUN = "2026-11-25-101112"
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
FULL_DISK = e.Warned(message="No space left on device.", kind="disk", **NOW)
PAUSED = e.Paused(**NOW)
WARMING = (steps_finished(1, [4.5, 4.2, 4.0], learning_rate=0.001), tweet_sampled("hello there", 3))
GOOD = (steps_finished(1, [1.7] * 600), eval_finished(600, 2.4), tweet_sampled("hello there", 600))
DIVERGED = tuple(steps_finished(first_step, [4.2] * 150) for first_step in (601, 751, 901, 1051))
AT_600 = e.CheckpointLoaded(step=600, elapsed_seconds=70.0, name="x", path="/x", bits_per_char=2.4, epochs=0.0)
NOT_FINITE = tuple(
    e.Warned(step=step, elapsed_seconds=1.0, message="not finite", kind="not-finite") for step in (4, 5, 6)
)


class RefusingLoads(FakeSession):
    """Loads no checkpoint."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.LoadCheckpoint):
            return self._refuse("LoadCheckpoint", "It is gone.")
        return super().answer(command)


def asks(title: str) -> Callable[[Running], Awaitable[None]]:
    """Return the step that opens the dialog of that title from the palette."""

    async def ask(at: Running) -> None:
        await at.press("ctrl+p")
        await at.type_into(title)
        await wait_until(lambda: at.text.count(title) == 2, f"{title}, typed and found")
        await at.press("enter", opens="NumberDialog")

    ask.__name__ = f"from the palette: {title}"
    return ask


def clicks(words: str) -> Callable[[Running], Awaitable[None]]:
    """Return the step that clicks on words of an alert at 40x12."""

    async def click(at: Running) -> None:
        await at.pilot.click(AlertBar, offset=(at.text.splitlines()[10].index(words), 0))

    click.__name__ = f"a click on {words}"
    return click


def a_dot_held_down(at: Running) -> None:
    for _ in range(5):
        at.app._main_screen.steering.action_step()


async def the_run_is_paused(at: Running) -> None:
    await wait_until(lambda: at.app.summary_view.phase == "paused", "the pause")


def a_toast_comes(at: Running) -> None:
    at.app.screen.notify("Saved as aaa.")


STEERED: dict[str, tuple[FakeSession, dict[str, Any], tuple[Step, ...]]] = {
    "brackets change the peak learning rate, which is shown beside the current one": (
        FakeSession(WARMING),
        {"size": (120, 40)},
        ("", "]", "]", "[", Size(80, 24)),
    ),
    "u undoes one change after the other": (FakeSession(SCRIPT), {}, ("+", "+", "]", "u", "u", "u", "u")),
    "batch size and intervals are asked for, validated and sent": (
        FakeSession(SCRIPT),
        {},
        (
            *(asks("Batch size"), Typed("abc"), "enter", Typed("0"), "enter", Typed("65537"), "enter"),
            *(Typed(""), "enter", Typed(" 1,024 "), "enter", "u"),
            *(asks("Steps between evaluations"), Typed("50"), "enter"),
            *(asks("Steps between tweets"), Typed("0"), "enter"),
            *(asks("Steps between evaluations"), "escape"),
        ),
    ),
    "a dot pauses, then takes a step, one at most while it is held down; its line stays until training goes on": (
        FakeSession(SCRIPT),
        {"size": (120, 40), "draws_toasts": True},
        (
            *(".", ".", a_dot_held_down, Size(80, 24), Size(40, 12), Size(80, 24)),
            *(a_toast_comes, "space", steps_finished(6, [3.9, 3.8])),
        ),
    ),
    "a dot takes no step of a run whose budget is used up": (
        FakeSession((*SCRIPT, PAUSED), started=run_started(training=TrainingConfig(max_steps=3))),
        {},
        (the_run_is_paused, "."),
    ),
    "a speed limit is asked for, shown and undone": (
        FakeSession(SCRIPT),
        {},
        (asks("Speed limit"), Typed("5"), "enter", "u"),
    ),
    "a full disk is an alert, and a or a click retries saving": (
        FakeSession(SCRIPT),
        {"size": (40, 12)},
        ("", FULL_DISK, "a", FULL_DISK, clicks("try saving"), FULL_DISK, clicks("esc no")),
    ),
    "escape dismisses an alert for good, and a without an alert is a toast": (
        FakeSession(SCRIPT),
        {},
        ("escape", "a", FULL_DISK, "escape", FULL_DISK),
    ),
    "a reloads best at half the rate after a divergence, and u restores the rate": (
        FakeSession(GOOD),
        {},
        (*DIVERGED, "a", AT_600, "u"),
    ),
    "a refused answer is shown, the alert returns, and u has nothing to undo": (
        RefusingLoads(SCRIPT),
        {},
        (*NOT_FINITE, "a", "escape", "u"),
    ),
}


OUT_OF_MEMORY = e.RunFailed(
    step=3,
    elapsed_seconds=1.0,
    title="The device is out of memory",
    detail="Tried to allocate 2 GiB.",
    hint="Try a smaller --batch-size or --hidden-size.",
)


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
        await opened(app, "FailureDialog")
        await shows(app, "Tried to allocate 2 GiB.", "a try again from latest")
        if is_closed_first:
            await pilot.press("escape")
            await opened(app, "MainScreen")
            await shows(app, "a try again from latest")
        await at.press("a", shows="and on it goes")
        assert app.bridge.config == RunConfig(resume=RUN, runtime=runtime)
        view = app.summary_view
        assert (view.phase, view.train_losses.first_step, view.train_losses.last_step) == ("training", 1, 3)
        assert app.earlier_views == [], "it is the same run"


# Reference levels -----------------------------------------------------------------------------------------------------

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


SMALL = {"size": (40, 12)}
LEVELS: dict[str, tuple[FakeSession, dict[str, Any], tuple[Step, ...]]] = {
    "levels are asked for once, as soon as the run trains, and after a refusal, which opens nothing, by the key": (
        Measuring(),
        SMALL,
        ("", TRAINED, REFUSED, AT_20, "r", "r", measured(30, num=3), measured(31)),
    ),
    "the crossing of each level is reported once in a sentence": (
        Measuring(),
        SMALL,
        (TRAINED, measured(10), *evaluated(3.5, 3.0, 2.5)),
    ),
    "of the levels crossed before the measurement the hardest is reported": (
        Measuring(),
        SMALL,
        (TRAINED, *evaluated(5.0, 4.0, 3.0), measured(41)),
    ),
    "the crossing of a level in a session before is not reported": (
        Measuring(RESUMED),
        SMALL | {"history": BEFORE},
        (measured(30), steps_finished(31, [3.0] * 10), eval_finished(50, 2.0)),
    ),
    "a run on one tweet has no levels": (
        Measuring(run_started(num_train_tweets=1, num_val_tweets=1)),
        SMALL,
        (TRAINED, "r", "r"),
    ),
    "a replay has no levels": (Measuring(), SMALL | {"history": RunView(is_replay=True)}, (TRAINED, "r", "r")),
}


def levels(at: Running) -> str:
    """Return which levels have been crossed and where."""
    return ", ".join(f"{level.name} at {level.crossed_at}" for level in at.app.summary_view.levels)


@pytest.mark.parametrize("claim", STEERED | LEVELS)
async def test_a_run_is_steered_by_keys_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    session, options, steps = (STEERED | LEVELS)[claim]
    async with stage.running(session, **options) as at:
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


# The prompt line ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("char", "label"),
    [(" ", "␣"), ("", "end"), ("雪", "雪"), ("\u0301", "U+0301"), ("\x1b", "U+001B"), ("\ud800", "U+D800")],
)
def test_the_label_of_a_character_is_visible_and_safe(char: str, label: str) -> None:
    assert shown_char(char) == label


LEARNED = steps_finished(4, [3.0] * 50)
ENDED = run_finished(9, "stopped")


class Ending(FakeSession):
    """Has ended, and answers nothing, once it has emitted `ENDED`."""

    def answer(self, command: c.Command) -> e.Event:
        return ENDED if self._step == ENDED.step else super().answer(command)


PLAYS: dict[str, tuple[FakeSession, tuple[Step, ...]]] = {
    "the model completes the line also while paused, and arrows change the temperature": (
        FakeSession(SCRIPT),
        (paused(3), "p", "t h e space c a t", "tab", "right", "up", "down"),
    ),
    "the completion stays while the model learns, until it is asked for again": (
        FakeSession(SCRIPT),
        ("p", "t h e", LEARNED, "left right", "ctrl+r"),
    ),
    "keys type letters, and enter samples each completion as it is shown": (
        FakeSession(SCRIPT),
        ("p", "q space g + - ? K p c", "enter", "enter", "escape", "g", "p"),
    ),
    "a line that can't be submitted says why": (
        FakeSession(SCRIPT, run_started(sampling=SamplingConfig(max_length=10))),
        ("p", "a ß 雪", "enter", "backspace backspace", "backspace 0 1 2 3 4 5 6 7 8 9", "backspace"),
    ),
    "after the end of the run the line stays open, and what is typed acts on nothing": (
        Ending(SCRIPT),
        ("p", ENDED, "q u i c k space", "enter", "escape", "p"),
    ),
}


def focused(at: Running) -> str:
    return f"focus on {type(at.app.screen.focused).__name__}"


@pytest.mark.parametrize("claim", PLAYS)
async def test_the_line_is_typed_into_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    session, steps = PLAYS[claim]
    async with stage.running(session) as at:
        assert await transcript(at, *steps, note=focused) == snapshot


class SlowSession(FakeSession):
    """Answers requests only when the test allows it."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.asked: list[c.CompleteText] = []

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.CompleteText):
            self.asked.append(command)
            return steps_finished(self._step + 1, [4.0])
        return super().answer(command)


async def test_only_the_answer_to_its_own_request_and_draw_is_shown_and_a_refusal_in_the_line(stage: Stage) -> None:
    session = SlowSession()
    async with stage.running(session) as at:
        await at.press("p", *"abc", shows="› abc")
        [first] = session.asked
        await at.emit(text_completed("", request=first.request + 7, step=9))
        assert "and on" not in at.text
        await at.emit(text_completed("", request=first.request, step=10))
        assert session.asked[1:] == [c.CompleteText(text="abc", request=first.request + 1)]
        await at.press("ctrl+r")
        await at.emit(text_completed("abc", request=first.request + 1, step=11))
        assert "and on" not in at.text, "what enter samples is not the answer to the request before"
        assert session.asked[2:] == [c.CompleteText(text="abc", request=first.request + 2, draw=1)]
        await at.emit(text_completed("abc", request=first.request + 2, step=12))
        assert "› abc and on" in at.text
        await at.press("d")
        refusal = {"command": "CompleteText", "title": "t", "detail": "It has gone wrong.", "hint": ""}
        await at.emit(e.CommandRefused(step=13, elapsed_seconds=1.0, **refusal))
        await at.press(shows="It has gone wrong.")
        assert at.app.screen is at.app._main_screen

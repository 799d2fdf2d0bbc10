"""Each stop of the lesson from its task to "done": what is done, what the sessions are asked, what the screen shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.protocol import commands as c
from tests.fakes import eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import screen_text, toasted, wait_until
from tests.tui.lesson.conftest import PROGRESS, LessonSession, Open, Visit
from tui.lesson.progress import Progress, read_progress
from tui.screens.lesson.screen import LessonText
from tui.widgets.key_bar import KeyBar


def not_done(at: Visit) -> bool:
    return not at.screen.lesson.is_done


async def picture(at: Visit, width: int, height: int) -> str:
    """Return the screen at a size, once all that happened so far is drawn; it is filled, keys at the bottom."""
    await at.resize(width, height)
    await wait_until(lambda: at.screen.query_one(KeyBar).region.bottom == height, "the layout")
    tick = at.screen._num_ticks
    await wait_until(lambda: at.screen._num_ticks > tick + 1, "what happened before")
    await at.pilot.pause()
    lines = screen_text(at.app).splitlines()
    assert {cell_len(line) for line in lines} == {width}
    assert len(lines) == height
    return "\n".join(map(str.rstrip, lines))


async def type_an_unknown_character(at: Visit, first: LessonSession, _: LessonSession) -> None:
    await at.shows("[1] 2 3", "Characters", "@anna happy friday!", "<EOS>", "a matrix of 20 x 40")
    await at.press("h", "backspace", shows="1 input from <BOS> on: a matrix of 1 x 40")
    await at.press(*"hi", shows="3 inputs from <BOS> on")
    assert not_done(at)
    await at.press("$", shows="4 inputs from <BOS> on, 1 of them <UNK>")
    texts = list(dict.fromkeys(each.text for each in first.commands(c.TraceText)))
    assert texts == ["@anna happy friday!", "h", "hi", "hi$"], "an empty text is not traced"


async def send_a_batch_through_the_model(at: Visit, first: LessonSession, _: LessonSession) -> None:
    await at.shows("ids        (B, T)     ?")
    await at.press(*["enter"] * 3, shows=("(2, 13, 128)", "3 x H x (E + H + 2) = 99,072 parameters"))
    assert not_done(at)
    await at.press("enter", shows=("(2, 13, 120)", "129,912 parameters in all"))
    assert first.received == [c.Pause(), c.ShowBatch()]


async def step_through_a_tweet_and_draw(at: Visit, first: LessonSession, _: LessonSession) -> None:
    first.emit(steps_finished(1, [3.0] * 300))
    await at.shows("good morning", "[1 step]")
    await at.press("tab")
    for place in range(len("good morning") + 1):
        await wait_until(lambda place=place: place in at.screen.lesson.facts.stepped, f"place {place}")  # type: ignore[misc]
        await at.press("right")
    await at.shows("one at a time", "at once", "weights of step 300")
    assert not_done(at)
    await at.press("home", "g", shows=("fed its draws", "g own draws", "n again"))


async def overfit_one_tweet(at: Visit, first: LessonSession, overfit: LessonSession) -> None:
    await at.shows("Nothing is trained yet")
    await at.press("tab", "enter")
    await wait_until(lambda: overfit.commands(c.Resume), "training after the first trace")
    assert not isinstance(at.screen.focused, LessonText)  # the view kept the focus while the run changed
    await at.press("escape")
    assert isinstance(at.screen.focused, LessonText)
    assert isinstance(first.received[-1], c.Stop)
    assert [type(each) for each in overfit.received] == [c.Pause, c.ShowBatch, c.TraceText, c.Resume]
    await at.shows("tweet:   good morning", "gates before training", "log2 V = log2 40 = 5.32")
    overfit.emit(steps_finished(1, [3.0, 1.0, 0.04]))
    await at.shows("loss 0.06 bits")
    assert not_done(at)
    overfit.emit(tweet_sampled("good morning", 3))
    await at.shows("written: good morning", "gates after training", "another:")
    assert at.app.bridges[-1].config.corpus is not None


async def sample_at_six_temperatures(at: Visit, first: LessonSession, _: LessonSession) -> None:
    await wait_until(lambda: first.commands(c.Resume), "training up to the first good tweets")
    first.emit(steps_finished(1, [2.0] * 1200))
    await wait_until(lambda: (at.view.step, at.view.phase) == (1200, "paused"), "enough steps")
    await at.shows("at temperature 1", "rest", "37 others, mean")
    await at.press("enter", shows=("rung 0.1 of seed 1", "rung 5 of seed 1"))
    await at.press(*["-"] * 5, shows="at temperature 0.1")
    assert not_done(at)
    await at.press(*["+"] * 9, shows="at temperature 5")


async def compare_batch_sizes(at: Visit, first: LessonSession, _: LessonSession) -> None:
    first.emit(steps_finished(1, [2.0] * 300))
    await at.shows("B 2, T 13")
    for size, speed, noise, first_step in ((1, 9_000.0, 1.0, 301), (32, 90_000.0, 0.25, 401)):
        assert not_done(at)
        await at.press("enter")
        command = c.SetBatchSize(batch_size=size)
        await wait_until(lambda command=command: command in first.received, "the size")  # type: ignore[misc]
        first.emit(steps_finished(first_step, [2.0, 2.0 + noise] * 20, chars_per_second=speed))
        await at.shows(f"▸ {size} a step")
    await at.shows("32 against 1: 10.0 times the characters a second")


async def train_past_the_bigram(at: Visit, first: LessonSession, further: LessonSession) -> None:
    await at.shows("log2 V: each character equally likely", "only how frequent each is", "No validation yet")
    first.emit(eval_finished(50, 2.0))
    await at.shows("it uses more of the tweet")
    assert not_done(at)
    await at.press("enter")
    await wait_until(lambda: further.commands(c.Resume), "training")
    further.emit(steps_finished(1, [4.7, 3.1]))
    further.emit(eval_finished(2, 4.2))
    await at.shows("It has passed the unigram; next is the bigram.")
    assert not_done(at)
    further.emit(eval_finished(3, 3.5))
    await at.shows("It has passed the bigram; next is the 5-gram.")
    assert at.app.bridges[-1].config.resume is None


async def look_at_three_views_and_hold_a_unit(at: Visit, first: LessonSession, _: LessonSession) -> None:
    first.emit(steps_finished(1, [3.0] * 2000))
    await at.shows("good morning", "[3 reach]", "weights of step 2,000")
    await at.press("tab", "5", shows="[5 map]")
    await at.press("4", shows=("in an @name", "esc text", "[ ] hold", "0 free", "q quit"))
    assert not_done(at)
    await at.press("]", shows="held at +1.00")
    await toasted(at.app, "All eight stops are done.")
    at.app.clear_notifications()


TASKS: tuple[Callable[[Visit, LessonSession, LessonSession], Awaitable[None]], ...] = (
    type_an_unknown_character,
    send_a_batch_through_the_model,
    step_through_a_tweet_and_draw,
    overfit_one_tweet,
    sample_at_six_temperatures,
    compare_batch_sizes,
    train_past_the_bigram,
    look_at_three_views_and_hold_a_unit,
)


@pytest.mark.parametrize(
    "number", range(1, len(TASKS) + 1), ids=lambda number: f"{number}-{TASKS[number - 1].__name__}"
)
async def test_a_stop_from_its_task_to_done(number: int, visit: Open, home: Path, snapshot: SnapshotAssertion) -> None:
    before = frozenset(range(1, 9)) - {number} if number == len(TASKS) else frozenset()
    first, further = LessonSession(), LessonSession("overfit" if number == 4 else "lesson")
    async with visit(first, further, LessonSession(), stop=number, done=before, size=(120, 40)) as at:
        await TASKS[number - 1](at, first, further)
        await at.shows(f"[{number}✓]")
        assert read_progress(home / PROGRESS) == Progress(number, before | {number})
        assert await picture(at, 120, 40) == snapshot(name="120x40")
        assert await picture(at, 80, 24) == snapshot(name="80x24")
        num_traces = len(first.commands(c.TraceText))
        if number == 6:
            await at.press("enter")
        at.screen.action_open_stop(1)
        at.screen.action_open_stop(number)
        if number == 3:
            await wait_until(lambda: len(first.commands(c.TraceText)) > num_traces, "the question once more")
        elif number == 4:
            await at.shows("written: good morning")  # a tweet that is known by heart is kept
            await wait_until(lambda: isinstance(further.received[-1], c.Stop), "the end of the run on one tweet")
        elif number == 6:
            await wait_until(lambda: first.commands(c.SetBatchSize)[-1].batch_size == 32, "the usual size")

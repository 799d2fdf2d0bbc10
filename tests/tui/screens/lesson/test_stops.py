"""Each stop of the lesson from its task to "done": what is done, what the sessions are asked, what the screen shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from engine.protocol import commands as c
from tests.fakes import eval_finished, steps_finished, tweet_sampled
from tests.tui.conftest import screen_text, shows, toasted, wait_until
from tests.tui.screens.lesson.conftest import PROGRESS, LessonSession, OpenLesson, ready
from tui.app.lesson_app import LessonApp
from tui.lesson.progress import Progress, read_progress
from tui.process.outcome import Outcome
from tui.screens.lesson.screen import LessonText
from tui.widgets.key_bar import KeyBar


class Visit:
    """A visit of a stop: the app, its keys, and the sessions of its first and its next run."""

    def __init__(self, app: LessonApp, pilot: Pilot[Outcome], first: LessonSession, further: LessonSession) -> None:
        self.app, self.first, self.further = app, first, further
        self._pilot = pilot

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self._pilot.press(key)

    async def shows(self, *words: str) -> None:
        await shows(self.app, *words)

    def assert_not_done(self) -> None:
        assert not self.app.lesson_screen.lesson.is_done

    async def picture(self, width: int, height: int) -> str:
        """Return the screen at a size, once all that happened so far is drawn; it is filled, keys at the bottom."""
        screen = self.app.lesson_screen
        await self._pilot.resize_terminal(width, height)
        await wait_until(lambda: screen.query_one(KeyBar).region.bottom == height, "the layout")
        tick = screen._num_ticks
        await wait_until(lambda: screen._num_ticks > tick + 1, "what happened before")
        await self._pilot.pause()
        lines = screen_text(self.app).splitlines()
        assert {cell_len(line) for line in lines} == {width}
        assert len(lines) == height
        return "\n".join(map(str.rstrip, lines))


async def type_an_unknown_character(visit: Visit) -> None:
    await visit.shows("[1] 2 3", "Characters", "@anna happy friday!", "<EOS>", "a matrix of 20 x 40")
    await visit.press("h", "backspace")
    await visit.shows("1 input from <BOS> on: a matrix of 1 x 40")
    await visit.press(*"hi")
    await visit.shows("3 inputs from <BOS> on")
    visit.assert_not_done()
    await visit.press("dollar_sign")
    await visit.shows("4 inputs from <BOS> on, 1 of them <UNK>")
    texts = list(dict.fromkeys(each.text for each in visit.first.commands(c.TraceText)))
    assert texts == ["@anna happy friday!", "h", "hi", "hi$"], "an empty text is not traced"


async def send_a_batch_through_the_model(visit: Visit) -> None:
    await visit.shows("ids        (B, T)     ?")
    await visit.press(*["enter"] * 3)
    await visit.shows("(2, 13, 128)", "3 x H x (E + H + 2) = 99,072 parameters")
    visit.assert_not_done()
    await visit.press("enter")
    await visit.shows("(2, 13, 120)", "129,912 parameters in all")
    assert visit.first.received == [c.Pause(), c.ShowBatch()]


async def step_through_a_tweet_and_draw(visit: Visit) -> None:
    visit.first.emit(steps_finished(1, [3.0] * 300))
    await visit.shows("good morning", "[1 step]")
    await visit.press("tab")
    lesson = visit.app.lesson_screen.lesson
    for place in range(len("good morning") + 1):
        await wait_until(lambda place=place: place in lesson.facts.stepped, f"place {place}")  # type: ignore[misc]
        await visit.press("right")
    await visit.shows("one at a time", "at once", "weights of step 300")
    visit.assert_not_done()
    await visit.press("home", "g")
    await visit.shows("fed its draws", "g own draws", "n again")


async def overfit_one_tweet(visit: Visit) -> None:
    overfit = visit.further
    await visit.shows("Nothing is trained yet")
    await visit.press("tab", "enter")
    await wait_until(lambda: overfit.commands(c.Resume), "training after the first trace")
    assert not isinstance(visit.app.screen.focused, LessonText)  # the view kept the focus while the run changed
    await visit.press("escape")
    await wait_until(lambda: isinstance(visit.app.screen.focused, LessonText), "the focus of the text")
    assert isinstance(visit.first.received[-1], c.Stop)
    assert [type(each) for each in overfit.received] == [c.Pause, c.ShowBatch, c.TraceText, c.Resume]
    await visit.shows("tweet:   good morning", "gates before training", "log2 V = log2 40 = 5.32")
    overfit.emit(steps_finished(1, [3.0, 1.0, 0.04]))
    await visit.shows("loss 0.06 bits")
    visit.assert_not_done()
    overfit.emit(tweet_sampled("good morning", 3))
    await visit.shows("written: good morning", "gates after training", "another:")
    assert visit.app.bridges[-1].config.corpus is not None


async def sample_at_six_temperatures(visit: Visit) -> None:
    await wait_until(lambda: visit.first.commands(c.Resume), "training up to the first good tweets")
    visit.first.emit(steps_finished(1, [2.0] * 1200))
    run = visit.app.lesson_screen.lesson.run
    await wait_until(lambda: (run.view.step, run.view.phase) == (1200, "paused"), "enough steps")
    await visit.shows("at temperature 1", "rest", "37 others, mean")
    await visit.press("enter")
    await visit.shows("rung 0.1 of seed 1", "rung 5 of seed 1")
    await visit.press(*["-"] * 5)
    await visit.shows("at temperature 0.1")
    visit.assert_not_done()
    await visit.press(*["+"] * 9)
    await visit.shows("at temperature 5")


async def compare_batch_sizes(visit: Visit) -> None:
    visit.first.emit(steps_finished(1, [2.0] * 300))
    await visit.shows("B 2, T 13")
    for size, speed, noise, first_step in ((1, 9_000.0, 1.0, 301), (32, 90_000.0, 0.25, 401)):
        visit.assert_not_done()
        await visit.press("enter")
        command = c.SetBatchSize(batch_size=size)
        await wait_until(lambda command=command: command in visit.first.received, "the size")  # type: ignore[misc]
        visit.first.emit(steps_finished(first_step, [2.0, 2.0 + noise] * 20, chars_per_second=speed))
        await visit.shows(f"▸ {size} a step")
    await visit.shows("32 against 1: 10.0 times the characters a second")


async def train_past_the_bigram(visit: Visit) -> None:
    await visit.shows("log2 V: each character equally likely", "only how frequent each is", "No validation yet")
    visit.first.emit(eval_finished(50, 2.0))
    await visit.shows("it uses more of the tweet")
    visit.assert_not_done()
    await visit.press("enter")
    await wait_until(lambda: visit.further.commands(c.Resume), "training")
    visit.further.emit(steps_finished(1, [4.7, 3.1]))
    visit.further.emit(eval_finished(2, 4.2))
    await visit.shows("It has passed the unigram; next is the bigram.")
    visit.assert_not_done()
    visit.further.emit(eval_finished(3, 3.5))
    await visit.shows("It has passed the bigram; next is the 5-gram.")
    assert visit.app.bridges[-1].config.resume is None


async def look_at_three_views_and_hold_a_unit(visit: Visit) -> None:
    visit.first.emit(steps_finished(1, [3.0] * 2000))
    await visit.shows("good morning", "[3 reach]", "weights of step 2,000")
    await visit.press("tab", "5")
    await visit.shows("[5 map]")
    await visit.press("4")
    await visit.shows("in an @name", "esc text", "[ ] hold", "0 free", "q quit")
    visit.assert_not_done()
    await visit.press("right_square_bracket")
    await visit.shows("held at +1.00")
    await toasted(visit.app, "All eight stops are done.")
    visit.app.clear_notifications()


TASKS: tuple[Callable[[Visit], Awaitable[None]], ...] = (
    type_an_unknown_character,
    send_a_batch_through_the_model,
    step_through_a_tweet_and_draw,
    overfit_one_tweet,
    sample_at_six_temperatures,
    compare_batch_sizes,
    train_past_the_bigram,
    look_at_three_views_and_hold_a_unit,
)


@pytest.mark.parametrize(("number", "task"), enumerate(TASKS, 1))
async def test_a_stop_from_its_task_to_done(
    number: int,
    task: Callable[[Visit], Awaitable[None]],
    open_lesson: OpenLesson,
    home: Path,
    snapshot: SnapshotAssertion,
) -> None:
    before = frozenset(range(1, 9)) - {number} if number == len(TASKS) else frozenset()
    first, further = LessonSession(), LessonSession("overfit" if number == 4 else "lesson")
    app = open_lesson(first, further, LessonSession(), stop=number, done=before)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app)
        visit = Visit(app, pilot, first, further)
        await task(visit)
        await shows(app, f"[{number}✓]")
        assert read_progress(home / PROGRESS) == Progress(number, before | {number})
        assert await visit.picture(120, 40) == snapshot(name="120x40")
        assert await visit.picture(80, 24) == snapshot(name="80x24")
        num_traces = len(first.commands(c.TraceText))
        if number == 6:
            await visit.press("enter")
        app.lesson_screen.action_open_stop(1)
        app.lesson_screen.action_open_stop(number)
        if number == 3:
            await wait_until(lambda: len(first.commands(c.TraceText)) > num_traces, "the question once more")
        elif number == 4:
            await visit.shows("written: good morning")  # a tweet that is known by heart is kept
            await wait_until(lambda: isinstance(further.received[-1], c.Stop), "the end of the run on one tweet")
        elif number == 6:
            await wait_until(lambda: first.commands(c.SetBatchSize)[-1].batch_size == 32, "the usual size")

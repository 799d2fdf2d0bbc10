"""What comes from outside a run: hostile text in the feed and in dialogs, and a flood of 10,000 events a second."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from textual import events as te
from textual.widgets import Input

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests import hostile
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, drawn, opened, screen_text, trained_by, wait_until
from tests.tui.dialogs.test_checkpoints import entry
from tui.app.app import TweetgenApp
from tui.run.fold import MAX_TWEETS, fold
from tui.run.new_run import OverlayCurve
from tui.run.series import MAX_BUCKETS, WINDOW_LENGTH, Series
from tui.run.view import RunView
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.plot.plot import LossPlot

# Hostile text: none of it reaches the terminal or acts as markup, in each segment that Textual would write ------------

TEXTS = list(hostile.TEXTS.values())
WORST = hostile.ALL_AT_ONCE
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
TWEETS = [tweet_sampled(text, number, char_bits=(1.5,) * (len(text) + 1)) for number, text in enumerate(TEXTS, start=3)]
SCROLL_BAR = {"grab", "release", "scroll_up", "scroll_down"}
"""What Textual's scroll bars do when they are pressed."""


def assert_harmless(at: Running) -> None:
    """Check each segment: no control character, no action, no link."""
    for text, style, control in (segment for strip in drawn(at.app) for segment in strip):
        assert control is None
        assert hostile.obeyed(text) == [], ascii(text)
        if style is not None:
            assert style.link is None, ascii(text)
            actions = {value for name, value in style.meta.items() if name.startswith("@")}
            assert actions <= SCROLL_BAR, ascii(text)


async def seen(at: Running, *keys: str, opens: str | None = None) -> None:
    """Press keys and wait until the screen shows hostile text; nothing on it may act then."""
    await at.press(*keys, opens=opens, shows="zqj")
    assert_harmless(at)


async def in_the_feed(at: Running) -> None:
    """Scroll through all tweets in their colours, below warnings and beside the names of run, corpus and device."""
    feed, plot = at.app.screen.query_one(TweetFeed), at.app.screen.query_one(LossPlot)
    plot.overlay = OverlayCurve(WORST, Series.empty().extended(1, [4.0] * 3))
    await seen(at, "c", "home")
    while feed.scroll_offset.y < feed.max_scroll_y:
        await at.press("pagedown")
        assert_harmless(at)
    for text in TEXTS:
        at.session.emit(e.Warned(message=text, **NOW))
    at.session.emit(e.Warned(message=WORST, kind="disk", **NOW))
    at.session.emit(e.CheckpointSaved(name=WORST, path=WORST, bits_per_char=2.0, weights_step=0, **NOW))
    await wait_until(lambda: at.app.summary_view.saved_by_name, "the last event")
    await seen(at, "i")


async def in_dialogs(at: Running) -> None:
    """Open each dialog that shows data or a line, paste into the lines, and let the run fail."""
    for key, dialog in (("enter", "TweetDialog"), ("e", "ExportDialog")):
        await at.press(key, opens=dialog)
        assert_harmless(at)
        await at.press("escape", opens="MainScreen")
    await seen(at, "l", opens="CheckpointBrowser")
    for keys, above in ((("=", "down", "="), "CompareDialog"), (("enter",), "Question"), (("delete",), "Question")):
        await seen(at, *keys, opens=above)
        await at.press("escape", opens="CheckpointBrowser")
    await at.press("escape", opens="MainScreen")
    await seen(at, "o", opens="OpenDialog")
    await at.press("escape", opens="MainScreen")
    for key, screen in (("s", "Ask"), ("o", "OpenDialog"), ("ctrl+p", "CommandPalette")):
        await at.press(key, opens=screen)
        await wait_until(lambda: isinstance(at.app.focused, Input), "a line to type in")
        line = at.app.focused
        assert isinstance(line, Input)
        for text in [*TEXTS[:: 6 if key == "s" else 30], WORST]:
            line.value = ""
            at.app.post_message(te.Paste(text))
            await at.pilot.pause()
            assert hostile.obeyed(line.value) == [], ascii(line.value)[:100]
            assert_harmless(at)
        await at.press("escape")
        await wait_until(lambda: not isinstance(at.app.focused, Input), "the end of the dialog")
    at.session.emit(e.RunFailed(title=WORST, detail=WORST, hint="[/foo] " + WORST, **NOW))
    await seen(at, opens="Question")


@pytest.mark.parametrize("place", [in_the_feed, in_dialogs])
async def test_hostile_text_is_shown_as_plain_text(
    stage: Stage, tmp_path: Path, place: Callable[[Running], Awaitable[None]]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in hostile.FILE_NAMES:
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).touch()
    texts: dict[str, Any] = {"run": WORST, "corpus_name": WORST, "device": WORST, "versions": {WORST: WORST}}
    training = replace(TrainingConfig(), preset=WORST)
    saved = [entry(f"zqj{number}{WORST[:400]}", training=training, step=9, **texts) for number in range(2)]
    started = run_started(corpus=WORST, device=WORST, resumed_from=WORST)
    if place is in_the_feed:
        started = structs.replace(started, run=WORST)
    session = FakeSession((steps_finished(1, [4.5, 4.2, 4.0]), *TWEETS), started)
    config = RunConfig(corpus=CorpusConfig(files=(str(folder / "x.csv"),)))
    app = stage.app(session, config=config, entries=lambda: saved)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        at = Running(app, pilot, session)
        if place is in_the_feed:  # no run can have that name
            await seen(at, opens="Question")
            await at.press("escape")
        await opened(app, "MainScreen")
        feed = app.screen.query_one(TweetFeed)
        await wait_until(lambda: feed.chosen == TWEETS[-1], "all tweets in the feed")
        await place(at)


# A flood: the screen keeps up, keys act meanwhile, and memory is bounded, however busy the machine is -----------------

EVENTS_PER_SECOND = 12_000
NUM_EVENTS = EVENTS_PER_SECOND
FIRST_STEP = MAX_TWEETS
PAST = tuple(tweet_sampled(f"an earlier tweet, number {step}", step) for step in range(1, FIRST_STEP))
"""As many as a view keeps, so that the flood pushes them out."""


def flood() -> Iterator[e.Event]:
    """Yield the events: mostly single steps, every 20th a tweet, now and then an evaluation."""
    step = FIRST_STEP
    for number in range(1, NUM_EVENTS + 1):
        if number % 20 == 0:
            yield tweet_sampled(f"tweet {number} of a flood, long enough for more than a line where it is narrow", step)
        elif number % 1000 == 1:
            yield eval_finished(step, 4.0, is_best=number == 1)
        else:
            step += 1
            yield steps_finished(step, [3.0 + step % 7 / 10])


class FloodSession(FakeSession):
    """Emits all events at their pace, answers commands in between, and rests until `Stop`."""

    def __init__(self) -> None:
        super().__init__(started=run_started(step=FIRST_STEP))
        self.flood = list(flood())
        self.num_told = 0

    def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
        self._emit = emit
        self.emit(run_started(step=FIRST_STEP))
        started = time.monotonic()
        is_wanted = True
        while is_wanted:
            due = min(round((time.monotonic() - started) * EVENTS_PER_SECOND), NUM_EVENTS)
            for event in self.flood[self.num_told : due]:
                self.emit(event)
            self.num_told = due
            is_wanted = self._answers(commands)

    def _answers(self, commands: queue.SimpleQueue[c.Command]) -> bool:
        """Answer a command if one arrives within a moment; return whether to continue."""
        try:
            command = commands.get(timeout=0.005)
        except queue.Empty:
            return True
        self.received.append(command)
        self.emit(self.answer(command))
        return not isinstance(command, c.Stop)


async def press_and_wait(app: TweetgenApp, key: str, is_answered: Callable[[], bool]) -> None:
    """Press a key and wait for its effect. `Pilot.press` would wait for the end of the flood."""
    app.post_message(te.Key(key, key))
    await wait_until(is_answered, f"the answer to {key}")


async def test_a_flood_is_drained_while_keys_act_and_the_view_stays_bounded(stage: Stage) -> None:
    session = FloodSession()
    last_step = session.flood[-1].step
    app = stage.app(session, history=RunView(tweets=PAST, num_tweets=len(PAST)))
    async with app.run_test(size=(120, 40)):
        await wait_until(lambda: session.num_told > NUM_EVENTS // 4, "the middle of the flood")
        plot, feed = app.screen.query_one(LossPlot), app.screen.query_one(TweetFeed)
        unit = plot.picture.options.unit
        await press_and_wait(app, "b", lambda: plot.picture.options.unit != unit)
        await press_and_wait(app, "c", lambda: feed.is_coloured)
        await press_and_wait(app, "minus", lambda: app.summary_view.sampling.temperature < 0.8)
        await wait_until(lambda: session.num_told == NUM_EVENTS, "the end of the flood")
        await wait_until(lambda: app.summary_view.step == last_step and not trained_by(app)._events, "the last event")
        view = app.summary_view
        assert view.num_tweets == len(PAST) + NUM_EVENTS // 20
        assert len(view.tweets) <= MAX_TWEETS
        assert view.tweets[-1] == session.flood[-1]
        assert len(view.train_losses) == last_step - FIRST_STEP
        assert (last_step - FIRST_STEP) // view.train_losses.stride <= MAX_BUCKETS
        assert len(view.train_losses.singles(0)[0]) <= WINDOW_LENGTH
        assert len(view.val_points) == NUM_EVENTS // 1000
        await wait_until(lambda: f"tweet {NUM_EVENTS} of a flood" in screen_text(app), "the last tweet on the screen")
        await wait_until(lambda: f"{last_step:,}" in screen_text(app), "the last step on the screen")


def test_folding_a_flood_at_once_equals_applying_its_events_one_by_one() -> None:
    told = list(islice(flood(), 1002))
    view = fold(RunView(), [run_started(step=FIRST_STEP)])
    at_once, one_by_one = fold(view, told), reduce(lambda before, event: fold(before, [event]), told, view)
    for name in ("step", "elapsed_seconds", "tweets", "num_tweets", "val_points", "learning_rate", "phase"):
        assert getattr(at_once, name) == getattr(one_by_one, name), name
    for found, expected in zip(at_once.train_losses.singles(0), one_by_one.train_losses.singles(0), strict=True):
        assert found.tolist() == expected.tolist()

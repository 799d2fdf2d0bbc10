"""A flood of 10,000 events a second: the screen keeps up, keys act meanwhile, and memory is bounded.

No figure is asserted that a busy machine could miss: what is waited for has the usual deadline.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import islice

from textual import events

from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, screen_text, wait_until
from tui.app.app import TweetgenApp
from tui.run.folding import fold
from tui.run.reducer import apply
from tui.run.series.series import MAX_BUCKETS, WINDOW_LENGTH
from tui.run.training_events import MAX_TWEETS
from tui.run.view import RunView
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.plot.loss_plot import LossPlot

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


async def press(app: TweetgenApp, key: str, is_answered: Callable[[], bool]) -> None:
    """Press a key and wait for its effect. `Pilot.press` would wait for the end of the flood."""
    app.post_message(events.Key(key, key))
    await wait_until(is_answered, f"the answer to {key}")


async def test_a_flood_is_drained_while_keys_act_and_the_view_stays_bounded(stage: Stage) -> None:
    session = FloodSession()
    last_step = session.flood[-1].step
    app = stage.app(session, history=RunView(tweets=PAST, num_tweets=len(PAST)))
    async with app.run_test(size=(120, 40)):
        await wait_until(lambda: session.num_told > NUM_EVENTS // 4, "the middle of the flood")
        plot, feed = app.screen.query_one(LossPlot), app.screen.query_one(TweetFeed)
        unit = plot.unit
        await press(app, "b", lambda: plot.unit != unit)
        await press(app, "c", lambda: feed.is_coloured)
        await press(app, "minus", lambda: app.summary_view.sampling.temperature < 0.8)
        await wait_until(lambda: session.num_told == NUM_EVENTS, "the end of the flood")
        await wait_until(lambda: app.summary_view.step == last_step and not app.bridge.num_undrained, "the last event")
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
    view = apply(RunView(), run_started(step=FIRST_STEP))
    at_once, one_by_one = fold(view, told), reduce(apply, told, view)
    for name in ("step", "elapsed_seconds", "tweets", "num_tweets", "val_points", "learning_rate", "phase"):
        assert getattr(at_once, name) == getattr(one_by_one, name), name
    for found, expected in zip(at_once.train_losses.singles(0), one_by_one.train_losses.singles(0), strict=True):
        assert found.tolist() == expected.tolist()

"""When a run ends, and how it goes on: the estimate, epochs as steps, and the choices beyond its budget."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, TrainingConfig
from engine.corpus.arrays import EncodedTweets
from engine.corpus.batches import BatchStream
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.progress import BatchCursor
from engine.training.schedule import exhausted_budget
from tests.fakes import eval_finished, paused, run_finished, run_started, steps_finished, tweet_sampled
from tui.run.ending import NO_LIMIT, Choice, Eta, amount_choice, choices, eta_of, limit_text
from tui.run.fold import fold, with_changes
from tui.run.new_run import config_at_start
from tui.run.view import EpochCount, RunView, is_over
from tui.text.typed import Amount, amount_in


def started(num_train_tweets: int = 19_000, **training: Any) -> e.RunStarted:
    return run_started(num_train_tweets=num_train_tweets, training=TrainingConfig(**training))


def a_steady_run(num_batches: int, first_step: int = 1, begin: float = 0.0, tenth: float = 0.5) -> list[e.Event]:
    """Return steps in tens, each ten taking `tenth` seconds, with a tweet between that must not count as a pace."""
    events: list[e.Event] = []
    for batch in range(num_batches):
        step, seconds = first_step + 10 * batch, begin + tenth * batch
        events += [
            tweet_sampled("x", step, elapsed_seconds=seconds + 0.8 * tenth),
            steps_finished(step, [2.0] * 10, elapsed_seconds=seconds + tenth),
        ]
    return events


def eta_after(*events: e.Event) -> Eta:
    eta = eta_of(fold(RunView(), events))
    assert eta is not None
    return eta


STEADY, SLOW = a_steady_run(10), a_steady_run(10, tenth=5.0)
FAST = a_steady_run(1, first_step=101, begin=50.0)
OTHER_WORK = e.SettingsChanged(step=100, elapsed_seconds=50.0, settings={"batch_size": 8}, epochs=0.1)
RESUMED = structs.replace(started(max_steps=1000), step=600, elapsed_seconds=300.0, resumed_from="latest")
ETAS: dict[str, tuple[list[e.Event], float | None]] = {
    "steps": ([started(max_steps=1000), *STEADY], 900 / 20),
    "the shorter of steps and time": ([started(max_steps=1000, max_seconds=25.0), *STEADY], 20.0),
    "epochs": ([started(320, epochs=15), *STEADY], 50 / 20),
    "time before the first step": ([started(max_seconds=25.0)], 25.0),
    "right after a resume of a run at another pace": (
        [started(max_steps=1000), *a_steady_run(60, tenth=5.0), RESUMED, *a_steady_run(1, 601, 300.0)],
        390 / 20,
    ),
    "right after a change of the work per step": ([started(max_steps=1000), *SLOW, OTHER_WORK, *FAST], 890 / 20),
    "no budget": ([run_started(), *a_steady_run(2)], None),
    "before the pace is known": ([started(max_steps=20)], None),
    "after the end": ([started(max_steps=20), *a_steady_run(2), run_finished(20)], None),
}


@pytest.mark.parametrize("name", ETAS)
def test_the_eta_is_the_shortest_of_all_budgets_and_that_of_time_is_exact(name: str) -> None:
    events, seconds = ETAS[name]
    eta = eta_of(fold(RunView(), events))
    assert (eta and eta.seconds) == (seconds and pytest.approx(seconds))
    assert eta is None or "time" not in name or eta.spread_seconds == 0.0


def test_the_pace_changes_slowly_where_the_work_per_step_does_not() -> None:
    assert eta_after(started(max_steps=1000), *SLOW, *FAST).seconds > 890 / 10


@pytest.mark.parametrize("num_steps", [600, 635, 670, 695])
def test_the_eta_includes_evaluations_at_every_position_in_their_interval(num_steps: int) -> None:
    """Steps take 0.05 s, and an evaluation behind each hundred 3 s."""
    events: list[e.Event] = []
    seconds = 0.0
    for step in range(1, num_steps + 1, 5):
        seconds += 0.25
        events.append(steps_finished(step, [2.0] * 5, elapsed_seconds=seconds))
        if (step + 4) % 100 == 0:
            seconds += 3.0
            events.append(eval_finished(step + 4, 2.5))
    eta = eta_after(started(max_steps=num_steps + 1000, eval_every=100), *events)
    assert eta.seconds == pytest.approx(10 * (5 + 3), rel=0.06)
    assert eta.seconds + eta.spread_seconds > 80


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1e4)), max_size=20), st.integers(1, 500))
def test_the_eta_is_a_number_for_any_journal(reports: list[tuple[int, float]], eval_every: int) -> None:
    events = [steps_finished(step, [2.0], elapsed_seconds=seconds) for step, seconds in reports]
    eta = eta_of(fold(RunView(), [started(max_steps=1000, eval_every=eval_every), *events]))
    assert eta is None or (eta.seconds >= 0 and eta.spread_seconds >= 0)


@pytest.mark.parametrize("first_batch_size", [0, 8])
@pytest.mark.parametrize(("num_tweets", "step"), [(96, 0), (96, 5), (12_000, 0), (12_000, 700), (12_000, 1100)])
def test_steps_and_epochs_agree_with_the_batches(num_tweets: int, step: int, first_batch_size: int) -> None:
    tweets = EncodedTweets(np.full(num_tweets, 5, np.uint8), np.arange(num_tweets + 1))
    stream = BatchStream(tweets, 32, 1, BatchCursor(), first_batch_size=first_batch_size)
    for _ in islice(stream, step):
        pass
    training = TrainingConfig(batch_size=32, first_batch_size=first_batch_size)
    count = EpochCount.of(training, num_tweets, stream.epochs)
    for steps in range(1200):
        assert count.epochs_after(steps) == pytest.approx(stream.epochs)
        assert count.steps_until(stream.epochs) == pytest.approx(steps)
        next(stream)


# Beyond the budget ----------------------------------------------------------------------------------------------------

LIMITS = ("max_steps", "max_seconds", "epochs")


def run_of(num_steps: int, seconds: float, *, is_paused: bool = True, rate: float = 0.004, **budget: Any) -> RunView:
    """Return the view of a run after some steps, with 10 steps an epoch."""
    steps = steps_finished(num_steps, [2.0], elapsed_seconds=seconds, learning_rates=(rate,))
    pauses = [paused(num_steps, seconds)] if is_paused else []
    return fold(RunView(), [started(320, **budget), steps, *pauses])


VIEWS = {
    "training up to a step": run_of(40, 2.0, is_paused=False, max_steps=100),
    "training up to a time": run_of(40, 2.0, is_paused=False, max_seconds=9.0),
    "training without a limit": run_of(40, 2.0, is_paused=False),
    "finishing": replace(run_of(40, 2.0, is_paused=False, max_steps=100), finishes_at=60),
    "out of steps": run_of(100, 5.2, max_steps=100),
    "out of time": run_of(100, 5.2, max_steps=500, max_seconds=5.0),
    "out of epochs": run_of(100, 5.2, epochs=10.0),
    "far beyond its steps": run_of(300, 5.0, max_steps=100),
    "finished": replace(run_of(44, 2.0, max_steps=1000), finishes_at=44),
    "three limits": run_of(1000, 60.0, max_steps=1000, max_seconds=90.0, epochs=1.0),
    "on a cosine schedule": run_of(1000, 60.0, rate=0.0002, max_steps=1000, schedule="cosine"),
    "on a cooldown schedule": run_of(1000, 60.0, rate=0.0002, max_steps=1000, schedule="cooldown"),
}


def row(choice: Choice) -> str:
    """Return a row of the dialog, what it sends, and its note."""
    sent = [re.sub(r"(, )?\w+=None", "", str(command)).replace("(, ", "(") for command in choice.commands]
    return "\n    ".join(filter(None, [f"{choice.label}: {choice.effect}", *sent, choice.note]))


@pytest.mark.parametrize("name", VIEWS)
def test_the_choices_of_the_dialog_and_the_budget_of_each(name: str, snapshot: SnapshotAssertion) -> None:
    rows = choices(VIEWS[name], {**NO_LIMIT, "max_steps": 9, "epochs": 1.5})
    assert "\n".join(map(row, (*rows, amount_choice(VIEWS[name], Amount(2, "epochs"))))) == snapshot
    assert limit_text({**NO_LIMIT, "max_steps": 2000, "max_seconds": 185.0}) == "until step 2,000 or 3:05 of training"


@given(
    num_steps=st.integers(1, 5000),
    seconds=st.floats(0.5, 1e5),
    budget=st.fixed_dictionaries(
        {},
        optional={
            "max_steps": st.integers(1, 4000),
            "max_seconds": st.floats(0.1, 1e5),
            "epochs": st.floats(0.001, 400),
        },
    ),
    is_paused=st.booleans(),
)
def test_after_every_choice_the_run_goes_on_whatever_its_budget_was(
    num_steps: int, seconds: float, budget: dict[str, Any], is_paused: bool
) -> None:
    view = run_of(num_steps, seconds, is_paused=is_paused, **budget)
    budgets = [
        command for choice in choices(view) for command in choice.commands if isinstance(command, c.ChangeSettings)
    ]
    assert len(budgets) >= 4
    for command in budgets:
        limits = command.settings
        after = with_changes(view, limits)
        assert after.training is not None
        assert {name: getattr(after.training, name) for name in LIMITS} == limits
        assert exhausted_budget(after.training, after.step, after.epoch, after.elapsed_seconds) is None
        assert not is_over(after)


TYPED = ("2,500", " 2 500 steps", "1 step", "90s", "90 sec", "1,5 MIN", "1:30", "1:00:00", "2 h", "0.5 epochs")
NO_AMOUNTS = ("", "x", "0", "-5", "1.5", "2 weeks", "1.2.3 h", "0 s", "1:75", "9" * 40, "1e9")


def test_a_typed_amount_is_steps_or_has_a_unit(snapshot: SnapshotAssertion) -> None:
    amounts = {text: amount_in(text) for text in TYPED}
    assert (
        "\n".join(f"{text!r}: {amount and f'{amount.number:g} {amount.unit}'}" for text, amount in amounts.items())
        == snapshot
    )
    assert not any(map(amount_in, NO_AMOUNTS))


@given(text=st.text(max_size=20))
def test_whatever_is_typed_is_an_amount_or_none(text: str) -> None:
    amount = amount_in(text)
    assert amount is None or amount.number > 0


@pytest.mark.parametrize("is_warm_start", [False, True])
def test_a_new_run_after_a_resumed_one_has_its_sizes_unless_they_exclude_a_warm_start(
    home: Path, is_warm_start: bool
) -> None:
    start = run_started(is_warm_start=is_warm_start)
    settings = config_at_start(RunConfig(resume="last"), start).settings
    assert settings["learning_rate"] == start.training.learning_rate
    assert ("hidden_size" in settings) is not is_warm_start

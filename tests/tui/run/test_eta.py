"""The estimated end of a run and its uncertainty: the shortest budget, at the pace of the whole run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished, tweet_sampled
from tui.run.eta import Eta, eta_of
from tui.run.folding import fold
from tui.run.view import RunView


def started(**training: Any) -> e.RunStarted:
    return run_started(training=TrainingConfig(**training))


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


def test_the_eta_is_the_shortest_of_all_budgets() -> None:
    assert eta_after(started(max_steps=1000), *a_steady_run(10)).seconds == pytest.approx(900 / 20)
    by_time = eta_after(started(max_steps=1000, max_seconds=25.0), *a_steady_run(10))
    assert by_time.seconds == pytest.approx(20.0)
    by_epochs = eta_after(run_started(num_train_tweets=320, training=TrainingConfig(epochs=15)), *a_steady_run(10))
    assert by_epochs.seconds == pytest.approx(50 / 20)


def test_the_eta_of_a_budget_of_seconds_is_exact_and_known_before_the_first_step() -> None:
    assert eta_after(started(max_seconds=25.0)) == Eta(25.0, 0.0)
    assert eta_after(started(max_seconds=25.0, max_steps=1000), *a_steady_run(10)).spread_seconds == 0.0


def test_there_is_no_eta_without_a_budget_nor_before_the_pace_is_known_nor_after_the_end() -> None:
    assert eta_of(fold(RunView(), [run_started(), *a_steady_run(2)])) is None
    assert eta_of(fold(RunView(), [started(max_steps=20)])) is None
    finished = e.RunFinished(step=20, elapsed_seconds=1.0, reason="done", total_seconds=1.0, total_chars=1)
    assert eta_of(fold(RunView(), [started(max_steps=20), *a_steady_run(2), finished])) is None


def test_the_eta_is_right_at_once_after_a_resume_whatever_the_pace_before_it() -> None:
    before = a_steady_run(60, tenth=5.0)
    resumed = run_started(
        step=600, elapsed_seconds=300.0, resumed_from="latest", training=TrainingConfig(max_steps=1000)
    )
    eta = eta_after(started(max_steps=1000), *before, resumed, *a_steady_run(1, first_step=601, begin=300.0))
    assert eta.seconds == pytest.approx(390 / 20)


def test_the_pace_is_reset_when_the_work_per_step_changes() -> None:
    slow, fast = a_steady_run(10, tenth=5.0), a_steady_run(1, first_step=101, begin=50.0)
    change = e.BatchSizeChanged(step=100, elapsed_seconds=50.0, batch_size=8, epochs=0.1)
    assert eta_after(started(max_steps=1000), *slow, change, *fast).seconds == pytest.approx(890 / 20)
    assert eta_after(started(max_steps=1000), *slow, *fast).seconds > 890 / 10


def with_evaluations(num_steps: int, interval: int = 100, cost: float = 3.0) -> list[e.Event]:
    """Return steps of 0.05 s, with an evaluation that takes `cost` seconds behind each interval."""
    events: list[e.Event] = []
    seconds = 0.0
    for step in range(1, num_steps + 1, 5):
        seconds += 0.25
        events.append(steps_finished(step, [2.0] * 5, elapsed_seconds=seconds))
        if (step + 4) % interval == 0:
            seconds += cost
            events.append(eval_finished(step + 4, 2.5))
    return events


@pytest.mark.parametrize("num_steps", [600, 635, 670, 695])
def test_the_eta_includes_evaluations_at_every_position_in_their_interval(num_steps: int) -> None:
    eta = eta_after(started(max_steps=num_steps + 1000, eval_every=100), *with_evaluations(num_steps))
    assert eta.seconds == pytest.approx(10 * (5 + 3), rel=0.06)
    assert eta.seconds + eta.spread_seconds > 80


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1e4)), max_size=20), st.integers(1, 500))
def test_the_eta_is_a_number_for_any_journal(reports: list[tuple[int, float]], eval_every: int) -> None:
    events = [steps_finished(step, [2.0], elapsed_seconds=seconds) for step, seconds in reports]
    eta = eta_of(fold(RunView(), [started(max_steps=1000, eval_every=eval_every), *events]))
    assert eta is None or (eta.seconds >= 0 and eta.spread_seconds >= 0)

"""How a run continues: the budget of each choice, and what the dialog says about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import Schedule, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.training.schedule import exhausted_budget
from tests.fakes import run_started, steps_finished
from tui.run.amounts import Amount
from tui.run.continuation import budget_after, choices, doubled_budget, finish_choice, limit_text
from tui.run.reducer import apply
from tui.run.view import RunView, is_over

STEPS_PER_EPOCH = 10


def run_of(num_steps: int, seconds: float, *, is_paused: bool = False, rate: float = 0.004, **budget: Any) -> RunView:
    """Return the view of a run after some steps, with 10 steps an epoch."""
    started = run_started(num_train_tweets=320, training=TrainingConfig(**budget))
    steps = steps_finished(num_steps, [2.0], elapsed_seconds=seconds, learning_rate=rate)
    view = apply(apply(RunView(), started), steps)
    return apply(view, e.Paused(step=num_steps, elapsed_seconds=seconds)) if is_paused else view


@pytest.mark.parametrize(
    ("view", "amount", "budget"),
    [
        (run_of(100, 5.0, max_steps=100, is_paused=True), Amount(50, "steps"), c.SetBudget(max_steps=150)),
        (run_of(100, 5.2, max_steps=100, is_paused=True), Amount(60, "seconds"), c.SetBudget(max_seconds=65.0)),
        (run_of(100, 5.2, max_seconds=5.0, is_paused=True), Amount(60, "seconds"), c.SetBudget(max_seconds=65.0)),
        (run_of(100, 5.2, max_seconds=5.0, is_paused=True), Amount(1000, "steps"), c.SetBudget(max_steps=1100)),
        (run_of(100, 5.2, epochs=10.0, is_paused=True), Amount(2, "epochs"), c.SetBudget(epochs=12.0)),
        (run_of(40, 2.0, max_steps=100), Amount(50, "steps"), c.SetBudget(max_steps=150)),
        (run_of(40, 2.0, max_seconds=9.0), Amount(50, "steps"), c.SetBudget(max_steps=90)),
        (run_of(40, 2.0), Amount(60, "seconds"), c.SetBudget(max_seconds=62.0)),
    ],
)
def test_an_extension_counts_from_the_limit_ahead_or_else_from_now(
    view: RunView, amount: Amount, budget: c.SetBudget
) -> None:
    assert budget_after(view, amount) == budget


@pytest.mark.parametrize(
    ("view", "budget"),
    [
        (run_of(100, 5.0, max_steps=100, is_paused=True), c.SetBudget(max_steps=200)),
        (run_of(100, 5.1, max_steps=500, max_seconds=5.0, is_paused=True), c.SetBudget(max_seconds=10.0)),
        (run_of(100, 5.1, epochs=10.0, is_paused=True), c.SetBudget(epochs=20.0)),
        (run_of(300, 5.0, max_steps=100, is_paused=True), c.SetBudget(max_steps=600)),
        (run_of(40, 2.0, max_steps=100), c.SetBudget(max_steps=200)),
        (run_of(40, 2.0), c.SetBudget(max_steps=80)),
        (
            apply(
                run_of(44, 2.0, max_steps=1000, is_paused=True),
                e.FinishPlanned(step=44, elapsed_seconds=2.0, last_step=44),
            ),
            c.SetBudget(max_steps=88),
        ),
    ],
    ids=["steps", "seconds", "epochs", "far beyond", "while training", "without a limit", "after a finish"],
)
def test_as_much_again_doubles_what_ended_the_run_or_will(view: RunView, budget: c.SetBudget) -> None:
    assert doubled_budget(view) == budget


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
    budgets = [command for choice in choices(view) for command in choice.commands if isinstance(command, c.SetBudget)]
    assert len(budgets) >= 4
    for command in budgets:
        changed = e.BudgetChanged(
            step=view.step,
            elapsed_seconds=view.elapsed_seconds,
            max_steps=command.max_steps,
            max_seconds=command.max_seconds,
            epochs=command.epochs,
        )
        after = apply(view, changed)
        assert after.training is not None
        assert (after.training.max_steps, after.training.max_seconds) == (command.max_steps, command.max_seconds)
        assert exhausted_budget(after.training, after.step, after.epoch, after.elapsed_seconds) is None
        assert not is_over(after)


def test_each_limit_is_in_words() -> None:
    assert limit_text(c.SetBudget(max_steps=2000)) == "until step 2,000"
    assert limit_text(c.SetBudget(max_seconds=185.0)) == "until 3:05 of training"
    assert limit_text(c.SetBudget(epochs=2.5)) == "until epoch 2.5"
    assert limit_text(c.SetBudget()) == "until you quit"
    assert limit_text(c.SetBudget(max_steps=9, max_seconds=60.0)) == "until step 9 or 1:00 of training"


def notes_of(view: RunView) -> dict[str, str]:
    return {choice.name: choice.note for choice in choices(view)}


@pytest.mark.parametrize(
    ("schedule", "note"),
    [
        ("constant", ""),
        ("cosine", "The learning rate goes from 0.0002 to 0.0021, its place on the longer cosine schedule."),
        ("cooldown", "The learning rate goes from 0.0002 to 0.004, its place on the longer cooldown schedule."),
    ],
)
def test_a_choice_names_the_learning_rate_that_follows(schedule: Schedule, note: str) -> None:
    rate = 0.004 if schedule == "constant" else 0.0002
    view = run_of(1000, 60.0, is_paused=True, rate=rate, max_steps=1000, schedule=schedule)

    assert notes_of(view)["double"] == note
    assert notes_of(view)["time"].startswith("The limit of 1,000 steps is lifted.")


def test_without_a_limit_a_schedule_ends_at_the_peak_rate() -> None:
    view = run_of(1000, 60.0, is_paused=True, rate=0.0002, max_steps=1000, schedule="cosine")
    assert notes_of(view)["unlimited"] == "The learning rate goes from 0.0002 to 0.004."


def test_every_lifted_limit_is_named() -> None:
    view = run_of(1000, 60.0, is_paused=True, max_steps=1000, max_seconds=90.0, epochs=1.0)
    assert notes_of(view)["steps"] == "The limit of 1:30 and of 1 epoch is lifted."


def test_finishing_a_run_that_is_over_gives_it_the_steps_that_this_takes() -> None:
    over = run_of(1000, 60.0, is_paused=True, max_seconds=60.0)
    assert finish_choice(over).commands == (c.SetBudget(max_steps=1100), c.Finish())
    assert finish_choice(over).effect == "until step 1,100, annealing the rate to zero"
    assert finish_choice(run_of(1000, 30.0, max_seconds=60.0)).commands == (c.Finish(),)


def test_a_run_that_trains_has_no_new_run_among_its_choices_and_one_that_finishes_no_finish() -> None:
    training = run_of(40, 2.0, max_steps=100)
    finishing = replace(training, finishes_at=60)
    budgets = ["steps", "time", "double", "amount", "unlimited"]
    assert [choice.name for choice in choices(training)] == [*budgets, "finish"]
    assert [choice.name for choice in choices(finishing)] == budgets
    over = run_of(100, 5.0, max_steps=100, is_paused=True)
    assert [choice.name for choice in choices(over)] == [*budgets, "finish", "new run"]

"""How a run continues beyond its budget: typed amounts, and the choices of the dialog with what it says of them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.training.schedule import exhausted_budget
from tests.fakes import run_started, steps_finished
from tui.run.amounts import Amount, amount_in
from tui.run.continuation import Choice, amount_choice, choices, limit_text
from tui.run.folding import fold
from tui.run.view import RunView, is_over

LIMITS = ("max_steps", "max_seconds", "epochs")


def run_of(num_steps: int, seconds: float, *, is_paused: bool = True, rate: float = 0.004, **budget: Any) -> RunView:
    """Return the view of a run after some steps, with 10 steps an epoch."""
    started = run_started(num_train_tweets=320, training=TrainingConfig(**budget))
    steps = steps_finished(num_steps, [2.0], elapsed_seconds=seconds, learning_rate=rate)
    paused = e.Paused(step=num_steps, elapsed_seconds=seconds)
    return fold(RunView(), (started, steps, paused) if is_paused else (started, steps))


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
    rows = choices(VIEWS[name], c.SetBudget(max_steps=9, epochs=1.5))
    assert "\n".join(map(row, (*rows, amount_choice(VIEWS[name], Amount(2, "epochs"))))) == snapshot


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
        limits = {name: getattr(command, name) for name in LIMITS}
        changed = e.BudgetChanged(step=view.step, elapsed_seconds=view.elapsed_seconds, **limits)
        after = fold(view, [changed])
        assert after.training is not None
        assert {name: getattr(after.training, name) for name in LIMITS} == limits
        assert exhausted_budget(after.training, after.step, after.epoch, after.elapsed_seconds) is None
        assert not is_over(after)


def test_two_limits_in_words() -> None:
    assert limit_text(c.SetBudget(max_steps=2000, max_seconds=185.0)) == "until step 2,000 or 3:05 of training"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2,500", Amount(2500, "steps")),
        (" 2 500 steps", Amount(2500, "steps")),
        ("1 step", Amount(1, "steps")),
        ("90s", Amount(90, "seconds")),
        ("90 sec", Amount(90, "seconds")),
        ("1,5 MIN", Amount(90, "seconds")),
        ("1:30", Amount(90, "seconds")),
        ("1:00:00", Amount(3600, "seconds")),
        ("2 h", Amount(7200, "seconds")),
        ("0.5 epochs", Amount(0.5, "epochs")),
        *((text, None) for text in ("", "x", "0", "-5", "1.5", "2 weeks", "1.2.3 h", "0 s", "1:75", "9" * 40, "1e9")),
    ],
)
def test_a_typed_amount_is_steps_or_has_a_unit(text: str, amount: Amount | None) -> None:
    assert amount_in(text) == amount


@given(text=st.text(max_size=20))
def test_whatever_is_typed_is_an_amount_or_none(text: str) -> None:
    amount = amount_in(text)
    assert amount is None or amount.number > 0

"""`SetBudget` moves the end of a run: while it trains, while it is paused, and after its end."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from engine.config.run import RunConfig, TrainingConfig
from engine.errors import ConfigError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.state import require_unspent_budget
from engine.training.schedule import FINAL_LEARNING_RATE_SHARE
from tests.engine.helpers import (
    TickingClock,
    assert_same_tensors,
    home_at,
    latest,
    losses,
    of_type,
    only,
    rates,
    resume_config,
    run_session,
    tiny_config,
    write_corpus,
)
from tests.engine.session.ranks.shared_runs import run_shared
from tests.engine.session.saved_runs import tensors_of
from tests.engine.session.stream_rules import assert_valid_stream


def run_extended(config: RunConfig, sent: list[c.Command], **options: Any) -> list[e.Event]:
    """Run a session that pauses at its end, send these commands at its first end, and stop it at its second."""
    ends = iter((sent, list[c.Command]([c.Stop()])))

    def on_event(event: e.Event) -> Iterable[c.Command]:
        return next(ends) if isinstance(event, e.Warned) and event.kind == "finished" else []

    return run_session(config, on_event=on_event, pauses_at_end=True, **options)


@pytest.mark.parametrize(
    ("before", "budget"),
    [
        pytest.param({"max_steps": 6}, {"max_steps": 10}, id="steps"),
        pytest.param({"max_steps": 100, "epochs": 1.0}, {"epochs": 2.0}, id="epochs"),
        pytest.param({"max_steps": 10**6, "max_seconds": 2.0}, {"max_seconds": 4.0}, id="seconds"),
        pytest.param({"max_steps": 10**6, "max_seconds": 2.0}, {"epochs": 50.0}, id="seconds to epochs"),
        pytest.param({"max_steps": 6, "epochs": 50.0}, {"max_seconds": 4.0}, id="steps to seconds"),
    ],
)
def test_a_run_with_a_used_up_budget_continues_to_the_end_of_a_larger_one(
    corpus: Path, before: dict[str, Any], budget: dict[str, Any]
) -> None:
    config = tiny_config(corpus, **before)

    emitted = run_extended(config, [c.SetBudget(**budget), c.Resume()], clock=TickingClock(0.01))

    first, second = (event.step for event in of_type(emitted, e.Warned))
    assert 0 < first < second == only(emitted, e.RunFinished).step
    assert sorted(losses(emitted)) == list(range(1, second + 1))
    changed = only(emitted, e.BudgetChanged)
    assert (changed.max_steps, changed.max_seconds, changed.epochs) == tuple(
        budget.get(name) for name in ("max_steps", "max_seconds", "epochs")
    )
    assert_valid_stream(emitted)


def test_a_larger_budget_leaves_a_paused_run_paused(corpus: Path) -> None:
    emitted = run_extended(tiny_config(corpus, max_steps=6), [c.SetBudget(max_steps=9), c.SampleNow(), c.Stop()])

    assert not of_type(emitted, e.Resumed)
    assert (only(emitted, e.RunFinished).step, only(emitted, e.RunFinished).reason) == (6, "stopped")
    assert latest().training.max_steps == 9


def test_a_run_extended_while_it_trains_equals_one_that_had_the_budget_from_the_start(corpus: Path) -> None:
    whole = run_session(tiny_config(corpus, run_name="whole", max_steps=14))

    emitted = run_session(tiny_config(corpus, max_steps=8), {4: [c.SetBudget(max_steps=14)]})

    assert losses(emitted) == losses(whole)
    assert only(emitted, e.RunFinished).reason == "max_steps"


def test_a_smaller_budget_ends_the_run_earlier_and_a_used_up_one_is_refused(corpus: Path) -> None:
    script: dict[int, list[c.Command]] = {5: [c.SetBudget(max_steps=5), c.SetBudget(max_steps=8)]}

    emitted = run_session(tiny_config(corpus, max_steps=12), script)

    refused = only(emitted, e.CommandRefused)
    assert refused.detail == "The run has taken 5 steps already; it would end at once, by --max-steps 5."
    assert refused.hint == "Set a larger --max-steps."
    assert only(emitted, e.RunFinished).step == 8


def test_a_refused_budget_is_named_to_the_last_digit() -> None:
    with pytest.raises(ConfigError, match=r"it would end at once, by --max-steps 1234567\.$"):
        require_unspent_budget(TrainingConfig(max_steps=1_234_567), 1_234_567, 0.0, 0.0)


def test_without_a_limit_the_run_continues_until_it_is_stopped(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, max_steps=6), {3: [c.SetBudget()], 40: [c.Stop()]})

    assert only(emitted, e.RunFinished).reason == "stopped"
    assert (latest().training.max_steps, latest().training.max_seconds, latest().training.epochs) == (None,) * 3


def test_a_budget_replaces_a_planned_finish_and_one_that_is_over(corpus: Path) -> None:
    planned = run_session(
        tiny_config(corpus, run_name="planned", max_steps=10**6), {30: [c.Finish()], 35: [c.SetBudget(max_steps=60)]}
    )
    script: dict[int, list[c.Command]] = {5: [c.Finish()]}
    over = run_extended(tiny_config(corpus, max_steps=10**6), [c.SetBudget(max_steps=30), c.Resume()], script=script)

    assert only(planned, e.RunFinished).step == 60
    assert [event.step for event in of_type(over, e.Warned)] == [25, 30]
    assert rates(over)[25] < rates(over)[26] == 0.004
    assert not latest().finish


def test_a_finish_after_the_end_anneals_the_rate_over_the_steps_that_a_larger_budget_allows(corpus: Path) -> None:
    sent: list[c.Command] = [c.SetBudget(max_steps=26), c.Finish(), c.Resume()]

    emitted = run_extended(tiny_config(corpus, max_steps=6), sent)

    assert [event.step for event in of_type(emitted, e.Warned)] == [6, 26]
    assert rates(emitted)[6] == rates(emitted)[7] == 0.004
    assert 0 < rates(emitted)[26] < 0.0002


def test_the_rate_of_an_extended_cosine_run_rises_to_its_place_on_the_longer_schedule(corpus: Path) -> None:
    """As documented: a function of the used share of the budget, so that a resumed run has the same rates."""
    config = tiny_config(corpus, schedule="cosine", max_steps=10)
    whole = run_session(tiny_config(corpus, run_name="whole", schedule="cosine", max_steps=20))

    extended = run_extended(config, [c.SetBudget(max_steps=20), c.Resume()])

    assert rates(extended)[10] < 0.004 * 2 * FINAL_LEARNING_RATE_SHARE
    after = {step: rate for step, rate in rates(extended).items() if step > 10}
    assert after == {step: rate for step, rate in rates(whole).items() if step > 10}


def test_an_extended_run_that_is_stopped_and_resumed_equals_one_that_was_not_bit_for_bit(tmp_path: Path) -> None:
    def run(folder: str, *, has_stop: bool) -> tuple[list[e.Event], dict[str, Any]]:
        with home_at(tmp_path / folder):
            (tmp_path / folder).mkdir(exist_ok=True)
            config = tiny_config(write_corpus(tmp_path / folder), schedule="cosine", max_steps=10, dropout=0.2)
            script: dict[int, list[c.Command]] = {6: [c.SetBudget(max_steps=24)]}
            emitted = run_session(config, script | ({12: [c.Stop()]} if has_stop else {}))
            emitted += run_session(resume_config()) if has_stop else []
            return emitted, tensors_of("tiny")

    (whole, tensors), (parts, resumed) = run("whole", has_stop=False), run("parts", has_stop=True)

    assert only(whole, e.RunFinished).step == of_type(parts, e.RunFinished)[-1].step == 24
    assert (losses(parts), rates(parts)) == (losses(whole), rates(whole))
    assert_same_tensors(resumed, tensors)


def test_a_new_budget_is_saved_with_the_run_and_an_option_of_a_resume_replaces_it(corpus: Path) -> None:
    run_session(tiny_config(corpus, max_steps=8), {4: [c.SetBudget(max_steps=14, max_seconds=1e6)], 6: [c.Stop()]})

    emitted = run_session(resume_config(max_steps=9))

    assert only(emitted, e.RunStarted).training.max_seconds == 1e6
    assert only(emitted, e.RunFinished).step == 9


def test_several_ranks_continue_to_the_end_of_a_larger_budget_together(corpus: Path) -> None:
    end_of_an_epoch = 6  # where a lease ends, however many steps of it fit its time
    shared = run_shared(tiny_config(corpus, max_steps=12), script={end_of_an_epoch: [c.SetBudget(epochs=10.0)]})

    assert_valid_stream(shared)
    assert only(shared, e.RunFinished).reason == "epochs"
    assert only(shared, e.RunFinished).step > 12

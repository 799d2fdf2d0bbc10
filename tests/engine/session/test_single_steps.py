"""A single step while paused: the events that answer it, its losses, and the steps that it equals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch

from engine.config.run import RunConfig, Setting
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.training.trainer import Trainer
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.engine.helpers import losses, names, of_type, only, resume_config, run_session, tiny_config
from tests.engine.session.stream_rules import assert_valid_stream
from tests.fakes import FakeClock

DROPOUT: dict[str, Setting] = {"num_layers": 2, "dropout": 0.4, "average_lag": 0.2}


def with_changes(config: RunConfig, changes: dict[str, Setting]) -> RunConfig:
    return replace(config, settings={**config.settings, **changes})


def step_by_step(event: e.Event) -> Iterable[c.Command]:
    """Pause at the start, and take a single step at each pause."""
    return [c.Pause()] if isinstance(event, e.RunStarted) else [c.TakeStep()] if isinstance(event, e.Paused) else []


def test_a_single_step_is_answered_between_resumed_and_paused_and_the_commands_after_it_are_executed_after_it(
    corpus: Path,
) -> None:
    sent: list[c.Command] = [c.Pause(), c.TakeStep(), c.SetLearningRate(learning_rate=0.01), c.TakeStep(), c.Stop()]

    emitted = run_session(tiny_config(corpus), {3: sent})

    assert_valid_stream(emitted)
    first = names(emitted).index("Paused")
    expected = ["Paused", "Resumed", "StepsFinished", "StepTaken", "Paused"]
    assert names(emitted)[first : first + 5] == expected
    assert [event.step for event in emitted[first : first + 5]] == [3, 3, 4, 4, 4]
    assert emitted[-1].step == 5
    taken = of_type(emitted, e.StepTaken)
    assert [step.learning_rate for step in taken] == [0.004, 0.01]
    # the losses of a step are those of its batch before and after the update
    assert [step.loss_before for step in taken] == pytest.approx([losses(emitted)[4], losses(emitted)[5]], rel=1e-5)
    assert all(step.loss_after < step.loss_before for step in taken)
    reports = {event.step: event for event in of_type(emitted, e.StepsFinished)}
    assert taken[0].grad_norm == reports[4].grad_norms[0]
    assert taken[0].num_tweets == 8
    assert 8 < taken[0].num_targets < 8 * 21


def test_the_losses_of_a_step_are_measured_without_dropout(corpus: Path) -> None:
    emitted = run_session(
        with_changes(tiny_config(corpus), DROPOUT), {0: [c.Pause(), c.TakeStep(), c.TakeStep(), c.Stop()]}
    )

    assert [step.loss_before for step in of_type(emitted, e.StepTaken)] != pytest.approx(list(losses(emitted).values()))


@pytest.mark.parametrize("way", ["cpu", "device"])
@pytest.mark.parametrize("settings", [pytest.param({}, id="plain"), pytest.param(DROPOUT, id="with dropout")])
def test_single_steps_do_and_give_exactly_what_a_run_without_pauses_does(
    corpus: Path, settings: dict[str, Setting], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def config(name: str) -> RunConfig:
        return with_changes(tiny_config(corpus, run_name=name, sample_every=3, eval_every=4), settings)

    def outcome(emitted: list[e.Event]) -> list[object]:
        facts: list[object] = [losses(emitted)]
        facts += [(tweet.step, tweet.text) for tweet in of_type(emitted, e.TweetSampled)]
        return [*facts, *((found.step, found.val_loss) for found in of_type(emitted, e.EvalFinished))]

    if way == "device":
        use_device_step(monkeypatch, None)
    whole = run_session(config("whole"))
    torch.manual_seed(5)
    stepped = run_session(config("stepped"), {}, step_by_step)

    assert_valid_stream(stepped)
    assert len(of_type(stepped, e.StepTaken)) == 12
    assert outcome(stepped) == outcome(whole)
    assert isinstance(stepped[-1], e.RunFinished)


def test_measuring_the_losses_takes_no_training_time(corpus: Path) -> None:
    clock = FakeClock()

    def slow(*_: object) -> float:
        clock.advance(100.0)
        return 1.0

    with mock.patch("engine.session.memory_fallback.batch_loss", slow):
        emitted = run_session(tiny_config(corpus), {3: [c.Pause(), c.TakeStep(), c.Stop()]}, clock=clock)

    assert (only(emitted, e.StepTaken).step, emitted[-1].elapsed_seconds) == (4, 0.0)


def test_a_step_is_refused_while_the_run_is_not_paused_and_once_the_budget_is_used_up(corpus: Path) -> None:
    def once_finished(event: e.Event) -> Iterable[c.Command]:
        return [c.TakeStep(), c.Stop()] if isinstance(event, e.Paused) else []

    emitted = run_session(tiny_config(corpus), {3: [c.TakeStep()]}, once_finished, pauses_at_end=True)

    early, late = of_type(emitted, e.CommandRefused)
    assert (early.step, early.command, early.detail) == (3, "TakeStep", "The run is not paused.")
    assert "--max-steps is reached" in late.detail
    assert not of_type(emitted, e.StepTaken)
    assert emitted[-1].step == 12


def test_the_last_single_step_of_a_budget_ends_the_run_as_without_pauses(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, eval_every=100), {11: [c.Pause(), c.TakeStep()]})

    assert only(emitted, e.EvalFinished).step == 12
    assert names(emitted)[-1] == "RunFinished"
    assert len(of_type(emitted, e.Paused)) == 1


def test_a_step_that_is_not_finite_is_warned_of_as_ever_and_not_taken(corpus: Path) -> None:
    def poison(event: e.Event) -> Iterable[c.Command]:
        if not isinstance(event, e.Paused) or event.step != 3:
            return []
        with torch.no_grad():
            trainers[-1].model.proj.bias.fill_(math.inf)
        return [c.TakeStep(), c.Stop()]

    trainers: list[Trainer] = []
    make = Trainer.__init__

    def noting(self: Trainer, *args: object, **kwargs: object) -> None:
        trainers.append(self)
        make(self, *args, **kwargs)  # type: ignore[arg-type] # passed on

    with mock.patch.object(Trainer, "__init__", noting):
        emitted = run_session(tiny_config(corpus), {3: [c.Pause()]}, poison)

    assert not of_type(emitted, e.StepTaken)
    assert of_type(emitted, e.Warned)[0].kind == "not-finite"
    assert of_type(emitted, e.Warned)[0].step == 4
    assert names(emitted).count("Paused") == 2


def test_a_step_that_makes_the_loss_of_its_batch_infinite_is_warned_of(corpus: Path) -> None:
    with mock.patch("engine.session.memory_fallback.batch_loss", side_effect=[2.0, math.inf]):
        emitted = run_session(tiny_config(corpus), {3: [c.Pause(), c.TakeStep(), c.Stop()]})

    assert_valid_stream(emitted)
    assert not of_type(emitted, e.StepTaken)
    assert only(emitted, e.Warned).kind == "not-finite"


def test_a_stop_during_what_is_due_comes_before_the_step_and_a_resume_does_what_was_due(corpus: Path) -> None:
    def stop_in_time(event: e.Event) -> Iterable[c.Command]:
        return [c.Stop()] if isinstance(event, e.Resumed) else []

    emitted = run_session(tiny_config(corpus, eval_every=3), {3: [c.Pause(), c.TakeStep()]}, stop_in_time)
    again = run_session(resume_config())

    assert names(emitted)[-4:] == ["Resumed", "Paused", "CheckpointSaved", "RunFinished"]
    assert not of_type(emitted, e.StepTaken)
    assert of_type(again, e.EvalFinished)[0].step == 3

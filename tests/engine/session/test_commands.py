"""Commands: the order of their execution, and what the recorded runs can't show: files, shares, times and losses."""

from __future__ import annotations

import math
import queue
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session import insight_service, speed_limit
from engine.session.command_queue import MAX_CHANGES_BEFORE_STOP, CommandQueue
from engine.training.schedule import MIN_FINISH_STEPS, finish_after
from tests.engine.helpers import (
    AnsweringInbox,
    Script,
    TickingClock,
    latest,
    losses,
    of_type,
    only,
    rates,
    resume_config,
    run_session,
    run_stopped_within_a_tweet,
    tiny_config,
)
from tests.fakes import FakeClock

# The order of their execution -----------------------------------------------------------------------------------------


def queue_of(*commands: c.Command) -> tuple[CommandQueue, queue.SimpleQueue[c.Command]]:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    for command in commands:
        inbox.put(command)
    return CommandQueue(inbox), inbox


def received(commands: CommandQueue) -> list[c.Command]:
    """Receive all commands and return them in the order of their execution."""
    executed: list[c.Command] = []
    commands.receive(executed.append)
    return [*executed, *(commands.pop() for _ in range(len(commands)))]


def test_a_stop_comes_before_questions_and_after_the_first_changes() -> None:
    save, question = c.SaveLatest(), c.SampleNow()
    commands, _ = queue_of(question, *[save] * (MAX_CHANGES_BEFORE_STOP + 1), question, c.Stop())

    assert received(commands) == [*[save] * MAX_CHANGES_BEFORE_STOP, c.Stop(), question, save, question]


def test_sampling_settings_and_questions_about_the_weights_are_executed_at_once_and_interrupt_nothing() -> None:
    at_once: list[c.Command] = [c.SetSampling(sampling=SamplingConfig(temperature=0.5)), c.TraceText(text="hi")]
    commands, inbox = queue_of(c.Pause(), *at_once)

    assert received(commands) == [*at_once, c.Pause()]
    inbox.put(c.ScoreUnits())
    commands.receive(lambda _: None)
    assert len(commands) == 0


def test_commands_of_the_setup_come_first_and_a_stop_ends_it() -> None:
    commands, inbox = queue_of(c.Pause())
    assert commands.early_stop() is None
    inbox.put(c.Resume())
    assert received(commands) == [c.Pause(), c.Resume()]

    inbox.put(c.Stop(reason="enough"))
    assert commands.early_stop() == c.Stop(reason="enough")


# Effects --------------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_on_disk_before_its_event(corpus: Path) -> None:
    found: list[bool] = []

    def look(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.CheckpointSaved):
            found.append(load_checkpoint(Path(event.path)).info.step == event.step)
        return ()

    run_session(tiny_config(corpus, eval_every=6), {4: [c.SaveCheckpoint(name="mine")]}, look)

    assert len(found) > 3
    assert all(found)


@pytest.mark.parametrize(
    ("sampling", "num_polls"),
    [
        pytest.param(SamplingConfig(max_length=100_000, top_k=1), 50, id="an endless tweet"),
        pytest.param(SamplingConfig(max_length=20, must_contain="the the the"), 30, id="drafts that do not pass"),
    ],
)
def test_a_stop_abandons_a_due_tweet_which_is_due_again_after_a_resume(
    corpus: Path, sampling: SamplingConfig, num_polls: int
) -> None:
    emitted = run_stopped_within_a_tweet(tiny_config(corpus, hidden_size=16, sample_every=4), 4, sampling, num_polls)

    assert only(emitted, e.RunFinished).step == 4
    assert [event.step for event in of_type(emitted, e.TweetSampled)] == [0]
    assert latest().last_sample_step == 0


@pytest.mark.parametrize(("before", "after"), [(8, 16), (8, 5), (5, 8), (8, 60_000)])
def test_a_changed_batch_size_keeps_the_share_of_the_epoch_to_within_half_a_batch(
    corpus: Path, before: int, after: int
) -> None:
    script: Script = {9: [c.SetBatchSize(batch_size=after), c.Stop()]}
    emitted = run_session(tiny_config(corpus, batch_size=before, max_steps=13), script)

    epochs_there = 1.5 if before == 8 else 0.9
    steps_per_epoch = math.ceil(48 / after)  # tweets to train on
    changed = only(emitted, e.BatchSizeChanged)
    assert changed.batch_size == latest().training.batch_size == after
    assert abs(changed.epochs - epochs_there) <= 0.5 / steps_per_epoch + 1e-9
    assert latest().position.epoch + latest().position.batch / steps_per_epoch == pytest.approx(changed.epochs)


@pytest.mark.parametrize("is_paused", [False, True], ids=["training", "paused"])
def test_changes_are_saved_two_seconds_after_the_first_of_them_and_not_before(corpus: Path, is_paused: bool) -> None:
    clock = TickingClock(0.02)
    changed_at: list[float] = []
    saved_at: list[float] = []

    def note(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.BatchSizeChanged | e.LearningRateChanged):
            changed_at.append(clock.now)
        if isinstance(event, e.CheckpointSaved) and event.step and event.name == "latest":
            saved_at.append(clock.now)
            return [c.Stop()]
        return []

    script: Script = {2: [c.Pause(), c.SetBatchSize(batch_size=4)]}
    if not is_paused:  # continual changes postpone nothing
        script = {step: [c.SetLearningRate(learning_rate=0.1)] for step in range(2, 200)}
    run_session(tiny_config(corpus, max_steps=200), script, note, clock)

    assert 1.9 <= saved_at[0] - changed_at[0] <= 2.5
    assert is_paused or len(changed_at) > 3


@given(step=st.integers(0, 10**7))
def test_a_finish_takes_a_tenth_of_the_steps_so_far_and_anneals_the_rate_to_zero(step: int) -> None:
    finish = finish_after(step)
    num_steps = finish.last_step - finish.first_step

    assert finish.first_step == step
    assert num_steps == max(MIN_FINISH_STEPS, math.ceil(step / 10))
    assert finish.rate_factor(step) == 1
    shares = [finish.rate_factor(step + taken) for taken in range(min(num_steps, 200))]
    assert shares == sorted(shares, reverse=True)
    assert finish.rate_factor(finish.last_step - 1) > 0 == finish.rate_factor(finish.last_step)


def test_a_run_stopped_while_finishing_resumes_bit_for_bit(corpus: Path) -> None:
    whole = run_session(tiny_config(corpus, run_name="whole", max_steps=10**6), {30: [c.Finish()]})

    first = run_session(tiny_config(corpus, max_steps=10**6), {30: [c.Finish()], 37: [c.Stop()]})
    rest = run_session(resume_config())

    assert {**losses(first), **losses(rest)} == losses(whole)
    assert {**rates(first), **rates(rest)} == rates(whole)
    assert only(rest, e.FinishPlanned).last_step == 50
    assert only(rest, e.RunFinished).reason == "finished"


# The speed limit ------------------------------------------------------------------------------------------------------


def test_steps_are_spaced_by_the_limit_which_changes_no_loss_and_no_time_of_steps_and_is_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(insight_service, "time", SimpleNamespace(sleep=clock.advance))  # only naps move the clock
    script: Script = {4: [c.SetSpeedLimit(steps_per_second=0)], 7: [c.SetSpeedLimit(steps_per_second=0.5)]}

    emitted = run_session(tiny_config(corpus, steps_per_second=4.0), script, clock=clock, times_seconds=0.0)

    assert only(emitted, e.RunStarted).training.steps_per_second == 4.0
    times = [event.elapsed_seconds for event in of_type(emitted, e.StepsFinished)]
    gaps = [later - earlier for earlier, later in pairwise([0.0, *times])]
    assert gaps == pytest.approx([0.0] + [0.25] * 3 + [0.0] * 3 + [2.0] * 5)
    assert sum(event.seconds for event in of_type(emitted, e.StepTimes)) == 0.0
    assert [event.steps_per_second for event in of_type(emitted, e.SpeedLimitChanged)] == [0.0, 0.5]
    assert latest().training.steps_per_second == 0.5
    assert losses(emitted) == losses(run_session(tiny_config(corpus, run_name="free")))


def test_commands_are_executed_while_the_next_step_waits(corpus: Path) -> None:
    """The clock stands, so that no second step is ever due."""
    commands: list[c.Command | None] = [c.SetSpeedLimit(steps_per_second=0.01), *[None] * 9]
    inbox = AnsweringInbox([None, None, *commands, c.SetLearningRate(learning_rate=0.1), None, c.Stop()])

    with mock.patch.object(speed_limit, "NAP_SECONDS", 0.0):
        emitted = run_session(tiny_config(corpus), clock=FakeClock(), inbox=inbox)

    assert only(emitted, e.LearningRateChanged).learning_rate == 0.1
    assert len(losses(emitted)) == only(emitted, e.SpeedLimitChanged).step > 0

"""Each command during a run: its effect, its events, and what is saved."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.metadata import read_info
from engine.config.run import TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.position import Position
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.storage.folders import named_checkpoint_path
from tests.engine.helpers import (
    Script,
    TickingClock,
    latest,
    losses,
    names,
    of_type,
    only,
    resume_config,
    run_session,
    run_stopped_within_a_tweet,
    stop_at,
    tiny_config,
)
from tests.fakes import FakeClock


def test_a_paused_run_takes_no_step_and_its_clock_stands_until_it_resumes(corpus: Path) -> None:
    clock = FakeClock(50.0)

    def time_passes(event: Event) -> Iterable[Command]:
        clock.advance(3600.0 if isinstance(event, e.TweetSampled) else 0.125)
        return ()

    emitted = run_session(
        tiny_config(corpus, max_steps=6), {3: [c.Pause(), c.SampleNow(), c.Resume()]}, time_passes, clock
    )

    first = names(emitted).index("Paused")
    assert names(emitted)[first : first + 3] == ["Paused", "TweetSampled", "Resumed"]
    assert [event.step for event in emitted[first : first + 3]] == [3, 3, 3]
    assert emitted[first].elapsed_seconds == emitted[first + 2].elapsed_seconds
    assert emitted[-1].elapsed_seconds < 60
    assert list(losses(emitted)) == list(range(1, 7))


def test_a_changed_sampling_config_applies_to_the_next_tweet_and_is_saved(corpus: Path) -> None:
    cold = SamplingConfig(temperature=0.0, prime="the ", max_length=15)

    emitted = run_session(tiny_config(corpus, sample_every=1, max_steps=5), {2: [c.SetSampling(sampling=cold)]})

    assert only(emitted, e.SamplingChanged).sampling == cold
    assert [tweet.temperature for tweet in of_type(emitted, e.TweetSampled)] == [0.8, 0.8, 0.0, 0.0, 0.0]
    assert all(tweet.text.startswith("the") for tweet in of_type(emitted, e.TweetSampled)[2:])
    assert latest().sampling == cold


def test_a_checkpoint_is_on_disk_before_its_event(corpus: Path) -> None:
    found: list[bool] = []

    def look(event: Event) -> Iterable[Command]:
        if isinstance(event, e.CheckpointSaved):
            found.append(load_checkpoint(Path(event.path)).info.step == event.step)
        return ()

    run_session(tiny_config(corpus, eval_every=6), {4: [c.SaveCheckpoint(name="mine")]}, look)

    assert found
    assert all(found)


def test_an_existing_name_is_refused_without_replace(corpus: Path) -> None:
    script: Script = {
        2: [c.SaveCheckpoint(name="mine")],
        4: [c.SaveCheckpoint(name="mine")],
        6: [c.SaveCheckpoint(name="mine", replace=True)],
    }

    emitted = run_session(tiny_config(corpus), script)

    refused = only(emitted, e.CommandRefused)
    assert (refused.step, refused.command) == (4, "SaveCheckpoint")
    assert "already a checkpoint called mine" in refused.detail
    assert [event.step for event in of_type(emitted, e.CheckpointSaved) if event.name == "mine"] == [2, 6]
    assert read_info(named_checkpoint_path("mine"))[0].step == 6


def test_an_endless_tweet_does_not_prevent_a_stop(corpus: Path) -> None:
    """A due tweet that is abandoned is sampled after the resume."""
    endless = SamplingConfig(max_length=100_000, top_k=1)
    config = tiny_config(corpus, hidden_size=16, sample_every=4)

    emitted = run_stopped_within_a_tweet(config, 4, endless, num_polls=50)

    assert only(emitted, e.RunFinished).step == 4
    assert [event.step for event in of_type(emitted, e.TweetSampled)] == [0]
    assert latest().last_sample_step == 0


# Steering -------------------------------------------------------------------------------------------------------------


NUM_TRAIN = 48  # of the 60 small tweets


@pytest.mark.parametrize(("before", "after"), [(8, 16), (8, 5), (5, 8), (8, 60_000)])
def test_a_changed_batch_size_keeps_the_share_of_the_epoch_to_within_half_a_batch(
    corpus: Path, before: int, after: int
) -> None:
    emitted = run_session(
        tiny_config(corpus, batch_size=before, max_steps=13), {9: [c.SetBatchSize(batch_size=after), c.Stop()]}
    )

    epochs_there = 1 + (9 - math.ceil(NUM_TRAIN / before)) / math.ceil(NUM_TRAIN / before) if before == 8 else 0.9
    steps_per_epoch = math.ceil(NUM_TRAIN / after)
    changed = only(emitted, e.BatchSizeChanged)
    assert changed.batch_size == after
    assert abs(changed.epochs - epochs_there) <= 0.5 / steps_per_epoch + 1e-9
    assert latest().training.batch_size == after
    assert latest().position.epoch + latest().position.batch / steps_per_epoch == pytest.approx(changed.epochs)


def test_a_resume_with_another_batch_size_keeps_the_share_of_the_epoch(corpus: Path) -> None:
    run_session(tiny_config(corpus, batch_size=4), stop_at(9))

    emitted = run_session(resume_config(batch_size=16, max_steps=12), stop_at(9))

    assert only(emitted, e.RunStarted).epochs == pytest.approx(2 / 3)
    assert latest().position == Position(epoch=0, batch=2)


def test_a_batch_size_that_is_set_ends_the_small_batches_of_the_start(corpus: Path) -> None:
    small = tiny_config(corpus, batch_size=8, first_batch_size=2, max_steps=13)
    emitted = run_session(small, {6: [c.SetBatchSize(batch_size=16), c.Stop()]})
    assert only(emitted, e.BatchSizeChanged).epochs == pytest.approx(1 / 3)  # 12 of 48 tweets, in whole batches
    assert (latest().training.batch_size, latest().training.first_batch_size) == (16, 0)

    run_session(replace(small, run_name="other"), stop_at(8))
    resumed = run_session(resume_config("other", batch_size=8, max_steps=12), stop_at(9))
    assert only(resumed, e.RunStarted).epochs == pytest.approx(1 / 3)
    assert latest().training.first_batch_size == 0


def test_changed_intervals_apply_from_the_next_step_and_0_disables(corpus: Path) -> None:
    script: dict[int, list[Command]] = {
        5: [c.SetIntervals(eval_every=3, sample_every=0)],
        10: [c.SetIntervals(eval_every=0, sample_every=5)],
    }
    emitted = run_session(tiny_config(corpus, sample_every=2, eval_every=4, max_steps=16), script)

    assert [event.step for event in of_type(emitted, e.EvalFinished)] == [4, 6, 9]
    assert [event.step for event in of_type(emitted, e.TweetSampled)] == [0, 2, 4, 10, 15]
    assert (latest().training.eval_every, latest().training.sample_every) == (0, 5)


@pytest.mark.parametrize("command", [c.SetBatchSize(batch_size=4), c.SetLearningRate(learning_rate=0.1)], ids=repr)
@pytest.mark.parametrize("is_paused", [False, True], ids=["training", "paused"])
def test_a_change_is_saved_two_seconds_later_and_not_before(corpus: Path, command: Command, is_paused: bool) -> None:
    clock = TickingClock(0.02)
    changed_at: list[float] = []
    saved_at: list[float] = []

    def note(event: Event) -> Iterable[Command]:
        if isinstance(event, e.BatchSizeChanged | e.IntervalsChanged | e.LearningRateChanged):
            changed_at.append(clock.now)
        if isinstance(event, e.CheckpointSaved) and event.step and event.name == "latest":
            saved_at.append(clock.now)
            return [c.Stop()]
        return []

    first: list[Command] = [c.Pause(), command] if is_paused else [command]
    run_session(tiny_config(corpus, max_steps=200), {2: first}, note, clock)

    assert 1.9 <= saved_at[0] - changed_at[0] <= 2.5


def test_continual_changes_do_not_postpone_their_saving(corpus: Path) -> None:
    script: dict[int, list[Command]] = {step: [c.SetLearningRate(learning_rate=0.001)] for step in range(2, 100)}

    emitted = run_session(tiny_config(corpus, max_steps=100), script, clock=TickingClock(0.02))

    assert len({event.step for event in of_type(emitted, e.CheckpointSaved)} - {0, 100}) >= 2


def test_the_peak_learning_rate_is_changed_and_warmup_still_multiplies_it(corpus: Path) -> None:
    training = TrainingConfig(learning_rate=0.01)
    emitted = run_session(
        tiny_config(corpus, learning_rate=0.01, warmup_steps=10, max_steps=8),
        {4: [c.SetLearningRate(learning_rate=0.02)]},
    )

    rates = {event.step: event.learning_rate for event in of_type(emitted, e.StepsFinished)}
    assert rates[4] == pytest.approx(training.learning_rate * 0.4)
    assert rates[5] == pytest.approx(0.02 * 0.5)

"""Commands during a run: what they change, what is saved, and when."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.sampling import SamplingConfig
from engine.corpus.position import Position
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from tests.engine.helpers import (
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

    script = {3: [c.Pause(), c.SampleNow(), c.Resume()]}
    emitted = run_session(tiny_config(corpus, max_steps=6), script, time_passes, clock)

    first = names(emitted).index("Paused")
    assert names(emitted)[first : first + 3] == ["Paused", "TweetSampled", "Resumed"]
    assert {(event.step, event.elapsed_seconds) for event in emitted[first : first + 3]} == {
        (3, emitted[first].elapsed_seconds)
    }
    assert emitted[-1].elapsed_seconds < 60
    assert list(losses(emitted)) == list(range(1, 7))


def test_a_checkpoint_is_on_disk_before_its_event(corpus: Path) -> None:
    found: list[bool] = []

    def look(event: Event) -> Iterable[Command]:
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


# Settings -------------------------------------------------------------------------------------------------------------


NUM_TRAIN = 48  # of the 60 small tweets


@pytest.mark.parametrize(("before", "after"), [(8, 16), (8, 5), (5, 8), (8, 60_000)])
def test_a_changed_batch_size_keeps_the_share_of_the_epoch_to_within_half_a_batch(
    corpus: Path, before: int, after: int
) -> None:
    script = {9: [c.SetBatchSize(batch_size=after), c.Stop()]}
    emitted = run_session(tiny_config(corpus, batch_size=before, max_steps=13), script)

    epochs_there = 1.5 if before == 8 else 0.9
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


@pytest.mark.parametrize("is_paused", [False, True], ids=["training", "paused"])
def test_changes_are_saved_two_seconds_after_the_first_of_them_and_not_before(corpus: Path, is_paused: bool) -> None:
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

    rate = c.SetLearningRate(learning_rate=0.1)
    script: dict[int, list[Command]] = {2: [c.Pause(), c.SetBatchSize(batch_size=4)]}
    if not is_paused:  # continual changes postpone nothing
        script = {step: [rate] for step in range(2, 200)}
    run_session(tiny_config(corpus, max_steps=200), script, note, clock)

    assert 1.9 <= saved_at[0] - changed_at[0] <= 2.5
    assert is_paused or len(changed_at) > 3

"""Tweets are due at the first steps and then by time, at a small share of it; by steps alone where runs must repeat."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from engine.config.corpus import CorpusConfig
from engine.config.fields import with_settings
from engine.config.run import Pacing, RunConfig, RuntimeConfig, SamplePacing, Setting, TrainingConfig
from engine.corpus.encoded_tweets import Batch
from engine.protocol import commands
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.session.pace import MAX_SAMPLE_SHARE, MAX_SHARE, SAMPLE_SECONDS, Pace
from engine.session.startup.chosen_settings import _paced
from engine.training.step_report import StepReport
from engine.training.trainer import Trainer
from tests.engine.helpers import (
    CPU,
    OnEvent,
    TickingClock,
    latest,
    losses,
    of_type,
    run_session,
    tiny_config,
    write_corpus,
)
from tests.fakes import FakeClock

ON_GPU = replace(CPU, device=torch.device("cuda"))


def test_the_first_work_is_allowed_at_once_and_the_next_after_the_least_time() -> None:
    clock = FakeClock()
    pace = Pace(clock, min_seconds=1.0)
    allowed = [pace.allows_work]
    with pace.working():
        clock.advance(0.01)
    for seconds in (0.9, 0.1):
        clock.advance(seconds)
        allowed.append(pace.allows_work)
    assert allowed == [True, False, True]


@pytest.mark.parametrize("fails", [False, True])
def test_work_takes_at_most_its_share_of_the_time_also_if_it_fails(fails: bool) -> None:
    clock = FakeClock()
    pace = Pace(clock)
    worked = 0.0
    while clock.now < 1000.0:
        clock.advance(0.25)
        if pace.allows_work:
            worked += 0.5
            try:
                with pace.working():
                    clock.advance(0.5)
                    if fails:
                        raise KeyError
            except KeyError:
                pass
    assert 0.9 * MAX_SHARE < worked / clock.now <= 1.01 * MAX_SHARE


@pytest.mark.parametrize(("pacing", "expected"), [("steps", [0, 2, 4, 6, 8, 10]), ("seconds", [0])])
def test_samples_are_skipped_only_if_they_are_paced_by_seconds(
    tmp_path: Path, pacing: Pacing, expected: list[int]
) -> None:
    config = tiny_config(write_corpus(tmp_path), sample_every=2, eval_every=2, pacing=pacing)
    emitted = run_session(config, clock=TickingClock(1e-5))
    assert [event.step for event in of_type(emitted, e.TweetSampled)][: len(expected)] == expected
    assert (len(of_type(emitted, e.EvalFinished)) < 6) is (pacing == "seconds")
    assert latest().training.pacing == pacing


def steps_of_tweets(emitted: list[Event]) -> list[int]:
    return [event.step for event in of_type(emitted, e.TweetSampled)]


def taking(clock: FakeClock, seconds_per_step: float, seconds_per_tweet: float = 0.0) -> OnEvent:
    """Return a subscriber that lets this time pass on each step and tweet."""

    def on_event(event: Event) -> tuple[Command, ...]:
        clock.advance(seconds_per_step if isinstance(event, e.StepsFinished) else 0.0)
        clock.advance(seconds_per_tweet if isinstance(event, e.TweetSampled) else 0.0)
        return ()

    return on_event


def test_tweets_are_sampled_at_doubling_steps_and_then_every_two_seconds(tmp_path: Path) -> None:
    clock = FakeClock()
    config = tiny_config(write_corpus(tmp_path), sample_every=50, sample_pacing="seconds", max_steps=120)
    emitted = run_session(config, on_event=taking(clock, 0.125), clock=clock)
    assert steps_of_tweets(emitted) == [0, 1, 2, 4, 8, 16, 32, 48, 64, 80, 96, 112]
    assert latest().training.sample_pacing == "seconds"


def test_a_slow_tweet_takes_at_most_its_share_of_the_time(tmp_path: Path) -> None:
    clock = FakeClock()
    config = tiny_config(write_corpus(tmp_path), sample_every=50, sample_pacing="seconds", max_steps=500)
    emitted = run_session(config, on_event=taking(clock, 0.1, 0.1), clock=clock)
    late = [event for event in of_type(emitted, e.TweetSampled) if event.step > 256]
    gaps = {round(after.elapsed_seconds - before.elapsed_seconds, 1) for before, after in pairwise(late)}
    assert gaps == {0.1 / MAX_SAMPLE_SHARE}


def test_waiting_for_steps_queued_on_a_device_makes_tweets_no_less_frequent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, step, drain_report = FakeClock(), Trainer.step, Trainer.drain_report

    def slow_step(trainer: Trainer, batch: Batch, learning_rate: float) -> None:
        step(trainer, batch, learning_rate)
        clock.advance(0.25)

    def wait_and_drain(trainer: Trainer) -> StepReport:
        report = drain_report(trainer)
        clock.advance(0.25 if report.train_losses else 0.0)
        return report

    monkeypatch.setattr(Trainer, "step", slow_step)
    monkeypatch.setattr(Trainer, "drain_report", wait_and_drain)
    config = tiny_config(write_corpus(tmp_path), sample_every=50, sample_pacing="seconds", max_steps=120)
    emitted = run_session(config, clock=clock, report_seconds=math.inf)
    times = [event.elapsed_seconds for event in of_type(emitted, e.TweetSampled)]
    assert max(after - before for before, after in pairwise(times)) < 2 * SAMPLE_SECONDS


def test_a_pause_brings_no_tweet_sooner(tmp_path: Path) -> None:
    clock = FakeClock()
    paced = taking(clock, 0.125)

    def on_event(event: Event) -> Iterable[Command]:
        if isinstance(event, e.Paused):
            clock.advance(10 * SAMPLE_SECONDS)
            return [commands.Resume()]
        return paced(event)

    config = tiny_config(write_corpus(tmp_path), sample_every=50, sample_pacing="seconds", max_steps=60)
    emitted = run_session(config, {40: [commands.Pause()]}, on_event, clock)
    assert steps_of_tweets(emitted) == [0, 1, 2, 4, 8, 16, 32, 48]


def test_tweets_by_time_leave_the_training_bit_for_bit_as_it_is_without_any(tmp_path: Path) -> None:
    def losses_with(name: str, **settings: Setting) -> dict[int, float]:
        config = tiny_config(write_corpus(tmp_path), run_name=name, dropout=0.3, max_steps=40, **settings)
        return losses(run_session(config, clock=TickingClock(0.3)))

    assert losses_with("with", sample_every=50, sample_pacing="seconds") == losses_with("without", sample_every=0)


@pytest.mark.parametrize(
    ("sample_pacing", "expected"),
    [("interval", [0, 12, 24]), ("doubling", [0, 1, 2, 4, 8, 12, 24])],
)
def test_by_steps_alone_no_clock_changes_when_tweets_are_sampled(
    tmp_path: Path, sample_pacing: SamplePacing, expected: list[int]
) -> None:
    config = tiny_config(write_corpus(tmp_path), sample_every=12, sample_pacing=sample_pacing, max_steps=26)
    assert steps_of_tweets(run_session(config, clock=TickingClock(3.0))) == expected


@pytest.mark.parametrize("sample_pacing", ["interval", "doubling", "seconds"])
def test_an_interval_of_0_samples_nothing(tmp_path: Path, sample_pacing: SamplePacing) -> None:
    config = tiny_config(write_corpus(tmp_path), sample_every=0, sample_pacing=sample_pacing)
    assert steps_of_tweets(run_session(config, clock=TickingClock(3.0))) == []


@pytest.mark.parametrize("before", ["interval", "seconds"])
def test_intervals_that_a_user_sets_are_followed_to_the_step(tmp_path: Path, before: SamplePacing) -> None:
    config = tiny_config(write_corpus(tmp_path), sample_every=20, sample_pacing=before, pacing="seconds")
    emitted = run_session(config, {1: [commands.SetIntervals(eval_every=0, sample_every=3)]}, clock=TickingClock(1e-5))
    assert [step for step in steps_of_tweets(emitted) if step > 1] == [3, 6, 9]
    assert (latest().training.pacing, latest().training.sample_pacing) == ("steps", "interval")


def test_a_change_of_the_evaluations_leaves_the_tweets_paced_by_time(tmp_path: Path) -> None:
    config = tiny_config(write_corpus(tmp_path), sample_every=3, sample_pacing="seconds")
    command = commands.SetIntervals(eval_every=2, sample_every=3, sample_pacing="seconds")
    assert steps_of_tweets(run_session(config, {1: [command]})) == [0, 1, 2, 4, 8]


def chosen(
    given: dict[str, Setting], *, is_on_gpu: bool = False, overfit: int | None = None, **before: Setting
) -> TrainingConfig:
    """Return the settings of a run with these options, `before` those of its preset or checkpoint."""
    training = with_settings(TrainingConfig(), before)
    runtime = ON_GPU if is_on_gpu else CPU
    return _paced(training, RunConfig(settings=given), runtime, CorpusConfig(overfit=overfit))


@pytest.mark.parametrize(
    ("given", "is_on_gpu", "before", "expected"),
    [
        ({}, True, "seconds", "seconds"),
        ({}, False, "seconds", "steps"),
        ({}, True, "steps", "steps"),
        ({"seed": 3}, True, "seconds", "steps"),
        ({"sample_every": 10}, True, "seconds", "steps"),
        ({"eval_every": 10}, True, "seconds", "steps"),
    ],
)
def test_evaluations_are_paced_by_seconds_on_a_device_only_and_unless_a_run_must_repeat(
    given: dict[str, Setting], is_on_gpu: bool, before: Pacing, expected: Pacing
) -> None:
    assert chosen(given, is_on_gpu=is_on_gpu, pacing=before).pacing == expected
    deterministic = RunConfig(settings=given, runtime=RuntimeConfig(deterministic=True))
    assert _paced(TrainingConfig(pacing=before), deterministic, ON_GPU, CorpusConfig()).pacing == "steps"


@pytest.mark.parametrize("is_on_gpu", [False, True])
@pytest.mark.parametrize(
    ("given", "before", "expected"),
    [
        ({}, "seconds", "seconds"),
        ({}, "interval", "interval"),
        ({"seed": 3}, "seconds", "doubling"),
        ({"seed": 3}, "interval", "interval"),
        ({"eval_every": 10}, "seconds", "seconds"),
        ({"sample_every": 10}, "seconds", "interval"),
        ({"sample_every": 10, "seed": 3}, "seconds", "interval"),
    ],
)
def test_tweets_are_paced_by_time_on_any_machine_unless_a_run_must_repeat_or_the_user_sets_an_interval(
    given: dict[str, Setting], is_on_gpu: bool, before: SamplePacing, expected: SamplePacing
) -> None:
    assert chosen(given, is_on_gpu=is_on_gpu, sample_pacing=before).sample_pacing == expected


def test_a_run_on_a_single_tweet_which_its_samples_end_is_sampled_by_steps_alone() -> None:
    assert chosen({}, overfit=0, sample_pacing="seconds").sample_pacing == "interval"

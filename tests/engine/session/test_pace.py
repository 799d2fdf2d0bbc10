"""On a device, samples and evaluations take a limited share of the time; steps alone rule where runs must repeat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.config.run import Pacing, RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.protocol import commands
from engine.protocol import events as e
from engine.session.chosen_settings import _paced
from engine.session.pace import MAX_SHARE, Pace
from tests.engine.helpers import CPU, TickingClock, latest, of_type, run_session, tiny_config, write_corpus
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


def test_intervals_that_a_user_sets_are_followed_to_the_step(tmp_path: Path) -> None:
    config = tiny_config(write_corpus(tmp_path), sample_every=2, pacing="seconds")
    emitted = run_session(config, {1: [commands.SetIntervals(eval_every=0, sample_every=3)]}, clock=TickingClock(1e-5))
    assert [event.step for event in of_type(emitted, e.TweetSampled)][1:] == [3, 6, 9]
    assert latest().training.pacing == "steps"


@pytest.mark.parametrize(
    ("settings", "is_on_gpu", "before", "expected"),
    [
        ({}, True, "seconds", "seconds"),
        ({}, False, "seconds", "steps"),
        ({}, True, "steps", "steps"),
        ({"seed": 3}, True, "seconds", "steps"),
        ({"sample_every": 10}, True, "seconds", "steps"),
        ({"eval_every": 10}, True, "seconds", "steps"),
    ],
)
def test_seconds_pace_a_run_on_a_device_unless_it_must_repeat(
    settings: dict[str, Setting], is_on_gpu: bool, before: Pacing, expected: Pacing
) -> None:
    runtime = ON_GPU if is_on_gpu else CPU
    assert _paced(TrainingConfig(), RunConfig(settings=settings), runtime, before).pacing == expected
    repeatable = RunConfig(settings=settings, runtime=RuntimeConfig(deterministic=True))
    assert _paced(TrainingConfig(), repeatable, runtime, before).pacing == "steps"

"""Threads, precision and device of a run: by config, checkpoint or simulated timings; measuring has no side effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from engine.compute import device
from engine.compute.device import Runtime
from engine.config.run import RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.corpus.arrays import CorpusBatch
from engine.errors import DeviceError
from engine.protocol import events as e
from engine.session.startup import setup
from engine.storage.folders import find_run
from engine.training import thread_tuner, tuning
from engine.training.thread_tuner import SlowdownDetector, ThreadTuner
from engine.training.trainer import Trainer
from engine.training.tuning import Choices
from tests.engine import helpers as h
from tests.engine.checkpoints.saved import checkpoint_info
from tests.engine.session.recorded import record
from tests.fakes import FakeClock

BOTH = ("float32", "bfloat16")


# The start of a run ---------------------------------------------------------------------------------------------------
def start_of(
    cores: int = 6,
    *,
    has_bfloat16: bool = True,
    is_shared: bool = False,
    checkpoint: dict[str, Any] | None = None,
    settings: dict[str, Setting] | None = None,
    **runtime: Any,
) -> str:
    """Return how a run starts on a machine, and what it measures."""
    config = RunConfig(settings=settings or {}, runtime=RuntimeConfig(**{"device": "cpu", **runtime}))
    before = None if checkpoint is None else checkpoint_info(**checkpoint).computation
    with (
        mock.patch.object(device, "available_cores", return_value=cores),
        mock.patch.object(device, "is_available", return_value=True),
        mock.patch.object(device, "cpu_has_bfloat16", return_value=has_bfloat16),
        mock.patch.object(device, "cudnn_supports_bfloat16", return_value=has_bfloat16),
    ):
        start = tuning.initial_runtime(config, before, is_shared=is_shared)
        tuner = ThreadTuner.for_run(config, before, start, list)
    measured = "nothing" if tuner is None else f"{tuner._choices.counts} in {', '.join(tuner._choices.precisions)}"
    return f"{start.num_threads} in {start.precision}, {start.tuning}; measures {measured}"


SEEDED: dict[str, Setting] = {"seed": 0}
STARTS: dict[str, dict[str, Any]] = {
    "a new run": {},
    "a new run without bfloat16": {"has_bfloat16": False},
    "a new run on one core": {"cores": 1},
    "a new run on one core in float32": {"cores": 1, "precision": "float32"},
    "a new run in float32": {"precision": "float32"},
    "a new run in bfloat16": {"precision": "bfloat16"},
    "a new run on 5 threads": {"threads": 5},
    "a new run on 5 threads in float32": {"threads": 5, "precision": "float32"},
    "a new run with a seed": {"settings": SEEDED},
    "a new run with deterministic kernels": {"deterministic": True},
    "a new run of several processes": {"is_shared": True},
    "a checkpoint saved before any measurement": {"checkpoint": {"tuning": "due", "num_threads": 3}},
    "such a checkpoint with a seed": {"checkpoint": {"tuning": "due", "num_threads": 3}, "settings": SEEDED},
    "such a checkpoint of several processes": {"checkpoint": {"tuning": "due", "num_threads": 3}, "is_shared": True},
    "a checkpoint saved after it": {"checkpoint": {"tuning": "measured", "precision": "bfloat16"}},
    "a checkpoint of more threads than cores": {"checkpoint": {"tuning": "measured", "num_threads": 9}},
    **{
        f"a checkpoint in bfloat16 on {device_type} {'with' if has_it else 'without'} it": {
            "checkpoint": {"precision": "bfloat16"},
            "device": device_type,
            "has_bfloat16": has_it,
        }
        for device_type in ("cpu", "cuda", "mps")
        for has_it in (True, False)
    },
    "a checkpoint in bfloat16, continued in float32": {"checkpoint": {"precision": "bfloat16"}, "precision": "float32"},
}


def test_a_run_starts_on_two_threads_in_float32_and_measures_what_is_not_set(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(f"{name}: {start_of(**case)}" for name, case in STARTS.items()) == snapshot


def test_bfloat16_is_refused_on_a_gpu_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    with pytest.raises(DeviceError, match="no bfloat16"):
        tuning.initial_runtime(RunConfig(runtime=RuntimeConfig(device="cuda", precision="bfloat16")), None)


def test_another_computation_than_the_checkpoints_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    changes: dict[str, dict[str, Any]] = {
        "": {},
        "float32 in place of bfloat16": {"precision": "bfloat16"},
        "cpu in place of cuda": {"device": "cuda", "num_threads": 9},
        "1 thread in place of 2": {"num_threads": 2},
    }
    for expected, each in changes.items():
        assert setup._computation_changes(checkpoint_info(**each).computation, h.CPU.computation(1)) == expected


# Threads and precision ------------------------------------------------------------------------------------------------
ONE, TWO, FOUR = (replace(h.CPU, num_threads=number) for number in (1, 2, 4))
BFLOAT16, ONE_BFLOAT16 = (replace(each, precision="bfloat16") for each in (TWO, ONE))
LIMIT = 0.35


def compared(speeds: dict[Runtime, float]) -> tuple[dict[Runtime, list[tuple[float, float]]], list[Runtime]]:
    """Run trials at made-up speeds, in characters per second; return their seconds, and the trials."""
    clock, trials = FakeClock(), list[Runtime]()

    def run(candidate: Runtime) -> None:
        trials.append(candidate)
        clock.advance(2400 / speeds[candidate])

    return tuning.compare(run, list(speeds), LIMIT, clock, clock), trials


def test_another_number_of_threads_or_precision_is_chosen_only_if_it_is_clearly_faster() -> None:
    assert [tuning.thread_counts(cores) for cores in (1, 6, 64)] == [[1], [1, 2, 4, 6], [1, 2, 4, 8]]
    counts = {
        "more threads gain little": ({TWO: 108e3, FOUR: 108e3}, ONE, ONE),
        "threads that block each other": ({TWO: 10e3, FOUR: 5e3}, TWO, ONE),
        "two in use gain little": ({TWO: 105e3}, TWO, TWO),
        "two in use lose": ({TWO: 93e3}, TWO, ONE),
        "one in use, two clearly gain": ({TWO: 125e3}, ONE, TWO),
        "bfloat16 gains on one thread only": ({TWO: 105e3, BFLOAT16: 110e3, ONE_BFLOAT16: 140e3}, TWO, ONE_BFLOAT16),
    }
    for name, (speeds, in_use, expected) in counts.items():
        assert tuning.best_of(compared({ONE: 100e3, **speeds})[0], in_use) == expected, name
    for rate, expected in {80e3: TWO, 70e3: ONE}.items():
        seconds, _ = compared({ONE: 100e3, TWO: rate})
        assert tuning.best_of(seconds, TWO, tuning.FEWER_THREADS_AT_START) == expected
    for rate, expected in {110e3: TWO, 120e3: BFLOAT16, 50e3: TWO}.items():
        assert tuning.best_of(compared({TWO: 100e3, BFLOAT16: rate})[0], TWO) == expected
    seconds, trials = compared({ONE: 100e3, TWO: 1e3})
    assert len(seconds[TWO]) == 1  # threads that block each other run one trial, after the one that is not timed
    assert trials.count(TWO) == 2


@given(st.lists(st.floats(1e3, 1e6), min_size=1, max_size=8), st.floats(1e-4, 1.0))
def test_it_ends_in_time_or_after_the_fewest_rounds_and_chooses_no_slower_one(rates: list[float], share: float) -> None:
    speeds = {replace(h.CPU, num_threads=1 + number): rate * share for number, rate in enumerate(rates)}
    seconds, _ = compared(speeds)
    round_seconds = sum(2400 / speed for speed in speeds.values())
    assert (
        sum(on_clock for each in seconds.values() for on_clock, _ in each) <= LIMIT * len(rates) + round_seconds + 1e-6
        or len(seconds[ONE]) <= tuning.MIN_ROUNDS
    )
    assert tuning.speedup(seconds, tuning.best_of(seconds, ONE), ONE) >= 1.0


# Slowdowns ------------------------------------------------------------------------------------------------------------
MEASURED = 100_000.0
STEP_SECONDS = 0.05


def train(detector: SlowdownDetector, rate: float, seconds: float = 1e9) -> float:
    """Run steps at `rate` characters per second until it is time to measure; return the seconds until then."""
    for number in count():
        if detector.should_measure or number * STEP_SECONDS >= seconds:
            return number * STEP_SECONDS
        detector.add_step(STEP_SECONDS, round(rate * STEP_SECONDS))
    raise AssertionError


def test_a_collapse_is_detected_within_seconds_and_the_wait_doubles_while_measuring_changes_nothing() -> None:
    detector = SlowdownDetector()
    detector.restart(MEASURED, has_changed=True)
    # a whole step is slower than the measured passes
    assert train(detector, 0.72 * MEASURED) >= thread_tuner.MIN_CHECK_SECONDS
    detector.restart(MEASURED, has_changed=True)
    train(detector, 80_000, seconds=8)
    train(detector, 5_000, seconds=thread_tuner.WINDOW_SECONDS)  # a short dip is no slowdown
    train(detector, 80_000, seconds=2 * thread_tuner.WINDOW_SECONDS)
    assert not detector.should_measure
    waits = []
    for _ in range(4):
        waits.append(train(detector, 8_000))
        assert detector.has_dropped
        detector.restart(MEASURED, has_changed=False)

    assert waits[0] <= (thread_tuner.MAX_LOW_WINDOWS + 1) * thread_tuner.WINDOW_SECONDS
    expected = [times * thread_tuner.MIN_DROP_SECONDS for times in (1, 2, 4)]
    assert waits[1:] == pytest.approx(expected, abs=thread_tuner.WINDOW_SECONDS + STEP_SECONDS)


# A measurement --------------------------------------------------------------------------------------------------------
def trainer_with_all(precision: str = "float32") -> tuple[Trainer, list[CorpusBatch]]:
    """Return a trainer of two layers with dropout and an n-gram input, and batches."""
    torch.manual_seed(0)
    trainer = Trainer(
        h.model_with_table(4, 8, num_layers=2, dropout=0.3),
        TrainingConfig(weight_decay=0.1, ngram_decay=0.1, max_grad_norm=0.5),
        replace(h.CPU, precision=precision),
    )
    return trainer, h.some_batches(6)


def everything(trainer: Trainer) -> dict[str, Tensor]:
    """Return copies of all that a step depends on or changes."""
    return h.copy_of_state(trainer) | {"generator": torch.get_rng_state()}


def tuner_of(batches: Sequence[CorpusBatch], counts: tuple[int, ...], precisions: tuple[str, ...]) -> ThreadTuner:
    return ThreadTuner(Choices(counts=counts, precisions=precisions), lambda: batches, is_due=True)


def is_due_after(tuner: ThreadTuner, seconds: float, *, is_small: bool = False) -> bool:
    """Record a step of so many seconds; return whether a measurement is due."""
    tuner.record_step(seconds, 100, is_small=is_small)
    return tuner.should_measure


@pytest.mark.parametrize("precision", BOTH)
def test_a_measurement_changes_no_state_and_no_later_step(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_tuner, "START_SECONDS", 0.0)  # the fewest rounds
    states = []
    for is_measured in (False, True):
        trainer, batches = trainer_with_all(precision)
        for number, batch in enumerate(batches):
            if is_measured and number == 3:
                before, tuner = everything(trainer), tuner_of(batches, (1, 2), BOTH)
                chosen, _ = tuner.retune(trainer, replace(h.CPU, precision=precision, tuning="due"), lambda: False)
                assert (chosen.tuning, torch.get_num_threads()) == ("measured", chosen.num_threads)
                h.assert_same_tensors(everything(trainer), before)
                trainer.use_precision(precision)
                h.CPU.apply()
            trainer.step(batch, 0.004)
        states.append(everything(trainer))
    h.assert_same_tensors(*states)


def test_after_a_change_of_precision_the_steps_are_those_of_a_trainer_in_it() -> None:
    trainer, batches = trainer_with_all("float32")
    other, _ = trainer_with_all("bfloat16")
    trainer.use_precision("bfloat16")
    for each in (trainer, other):
        torch.manual_seed(0)
        for batch in batches:
            each.step(batch, 0.004)
    h.assert_same_tensors(trainer.state(), other.state())


def test_the_first_measurement_follows_the_first_step_and_is_due_again_if_abandoned() -> None:
    trainer, batches = trainer_with_all()
    tuner = tuner_of(batches, (1, 2), ("float32",))
    assert not tuner.should_measure
    trainer.step(batches[0], 0.004)
    assert is_due_after(tuner, 0.01, is_small=True)
    before, turns = everything(trainer), iter(range(1))
    chosen, _ = tuner.retune(trainer, h.CPU, lambda: next(turns, None) is None)
    assert (chosen, torch.get_num_threads()) == (h.CPU, 1)
    h.assert_same_tensors(everything(trainer), before)
    assert not tuner.should_measure
    assert is_due_after(tuner, thread_tuner.RETRY_SECONDS + 0.01)


def test_where_memory_runs_out_the_runtime_stays() -> None:
    trainer, batches = trainer_with_all()
    tuner = tuner_of(batches, (1,), BOTH)
    with mock.patch.object(trainer, "forward_backward", side_effect=torch.OutOfMemoryError("CUDA out of memory.")):
        assert tuner.retune(trainer, h.CPU, lambda: False) == (replace(h.CPU, tuning="measured"), 1.0)
    assert not tuner.should_measure


# Runs -----------------------------------------------------------------------------------------------------------------
Speeds = dict[int, float]
"""Characters per second by number of threads."""


def pretend(monkeypatch: pytest.MonkeyPatch, speeds: Speeds, num_cores: int = 2, bfloat16: float = 1.0) -> None:
    """Fake the number of cores, their speeds, and the speedup of bfloat16; a trial of each still runs, on one thread.

    Two threads on busy cores wait for each other at every small operation: seconds for a run of twelve steps.
    """
    in_use = [1]

    def compare(
        run: Callable[[Runtime], None], candidates: Sequence[Runtime], _: float
    ) -> dict[Runtime, list[tuple[float, float]]]:
        gains = {"float32": 1.0, "bfloat16": bfloat16}
        for candidate in candidates:
            run(candidate)
        return {each: [(1000 / speeds[each.num_threads] / gains[each.precision],) * 2] for each in candidates}

    monkeypatch.setattr(torch, "set_num_threads", lambda number: in_use.__setitem__(0, number))
    monkeypatch.setattr(torch, "get_num_threads", lambda: in_use[0])
    monkeypatch.setattr(device, "available_cores", lambda: num_cores)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: bfloat16 > 1)
    monkeypatch.setattr(tuning, "compare", compare)


def measure_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WINDOW_SECONDS", "MIN_CHECK_SECONDS", "MAX_CHECK_SECONDS"):
        monkeypatch.setattr(thread_tuner, name, 0.0)


def on(config: RunConfig, **runtime: Any) -> RunConfig:
    """Return the config with nothing fixed but these options."""
    return replace(config, runtime=RuntimeConfig(**{"device": "cpu", **runtime}))


def test_measured_threads_and_precision_are_in_events_and_files(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds: Speeds = {1: 200.0, 2: 100.0}
    pretend(monkeypatch, speeds, bfloat16=1.5)
    measure_after_every_step(monkeypatch)
    another_process: h.Script = {6: [lambda: speeds.update({1: 10.0})]}
    emitted = h.run_session(on(h.tiny_config(corpus)), another_process, clock=h.TickingClock(0.001))
    config = json.loads(find_run("tiny").config_path.read_text())
    assert (config["num_threads"], config["precision"]) == (2, "float32")
    measured, later = h.of_type(emitted, e.ThreadsChanged)
    assert 0 < measured.step < later.step == 6
    assert measured.message == "bfloat16 on 1 thread in place of float32 on 2, 3.0 times as fast"
    assert later.message == "bfloat16 on 2 threads in place of bfloat16 on 1, 10.0 times as fast"
    started, saved = h.only(emitted, e.RunStarted), h.latest().computation
    found = [(each.num_threads, each.precision) for each in (started, measured, later, saved)]
    assert found == [(2, "float32"), (1, "bfloat16"), *[(2, "bfloat16")] * 2]
    assert (started.tuning, saved.tuning) == ("due", "measured")
    assert torch.get_num_threads() == 2
    assert list(h.losses(emitted)) == list(range(1, 13))


def test_a_run_of_auto_starts_with_what_was_fastest_for_it(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {1: 200.0, 2: 100.0}, bfloat16=1.5)
    emitted = h.run_session(replace(on(h.tiny_config(corpus, max_seconds=1e6)), preset="auto"))
    started, saved = h.only(emitted, e.RunStarted), h.latest().computation
    found = [(each.num_threads, each.precision, each.tuning) for each in (started, saved)]
    assert found == [(1, "bfloat16", "measured")] * 2
    assert not h.of_type(emitted, e.ThreadsChanged)


def test_a_run_stopped_before_the_measurement_measures_when_resumed_and_one_that_changes_nothing_is_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 150.0}, bfloat16=1.1)
    parts = [record(on(h.tiny_config(corpus)), h.stop_at(1))]
    parts += [record(on(h.resume_config())), record(on(h.resume_config(max_steps=14)))]
    assert "\n\n".join(parts) == snapshot


def test_a_run_with_a_seed_is_not_calibrated_and_repeats_exactly(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_after_every_step(monkeypatch)
    config, found = on(h.tiny_config(corpus, seed=11, dropout=0.3, sample_every=4)), []
    for faster in (1, 2):
        pretend(monkeypatch, {faster: 900.0, 3 - faster: 100.0}, bfloat16=2.0)
        emitted = h.run_session(replace(config, run_name=f"run {faster}"))
        started = h.only(emitted, e.RunStarted)
        assert (started.num_threads, started.precision, started.tuning) == (1, "float32", "fixed")
        texts = [tweet.text for tweet in h.of_type(emitted, e.TweetSampled)]
        found.append((started.model, h.losses(emitted), texts))
    assert found[0] == found[1]


@pytest.mark.parametrize("threads", [0, 1], ids=["fewer cores", "set"])
def test_a_run_resumed_on_fewer_threads_warns_that_it_is_exact_to_rounding_only(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion, threads: int
) -> None:
    pretend(monkeypatch, {}, 4)
    h.run_session(on(h.tiny_config(corpus, max_steps=3), precision="float32", threads=4), h.stop_at(1))
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    assert record(on(h.resume_config(), precision="float32", threads=threads)) == snapshot


# The device -----------------------------------------------------------------------------------------------------------
def test_a_run_warns_of_a_gpu_that_does_not_train_it_in_bfloat16() -> None:
    asked = replace(h.CPU, device=torch.device("cuda"), precision="bfloat16")
    for runtime, num_warnings in ((asked, 0), (replace(asked, precision="float32"), 1), (h.CPU, 0)):
        state = mock.Mock(runtime=runtime, **{"trainer.first_loss_problem.return_value": ""})
        with mock.patch.object(setup, "initial_runtime", return_value=asked):
            found = list(setup._device_warnings(RunConfig(), None, mock.Mock(), state))
        assert found == [setup.PRECISION_WARNING] * num_warnings

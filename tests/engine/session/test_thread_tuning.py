"""Threads and precision of a run: by config, checkpoint or simulated timings; calibrating has no side effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from engine.checkpoints.metadata import CheckpointInfo, read_info
from engine.compute import device, slowdown_detector
from engine.compute.calibration import Calibration, Candidate
from engine.compute.device import Runtime
from engine.config.run import Device, RunConfig, RuntimeConfig, Setting, TrainingConfig, Tuning
from engine.corpus.encoded_tweets import CorpusBatch
from engine.errors import DeviceError
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.session import thread_tuning
from engine.session.thread_tuning import (
    FIRST_SECONDS,
    LATEST_SECONDS,
    RETRY_SECONDS,
    Choices,
    ThreadTuner,
    choices_for,
    computation_changes,
    initial_runtime,
)
from engine.storage.folders import find_run
from engine.training.trainer import Trainer
from engine.training.trials import Trials
from tests.engine.checkpoints.saved import checkpoint_info
from tests.engine.helpers import (
    CPU,
    TickingClock,
    assert_same_tensors,
    copy_of_state,
    losses,
    model_with_table,
    of_type,
    only,
    resume_config,
    run_session,
    some_batches,
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.session.stream_rules import assert_valid_stream

AUTO = RuntimeConfig(device="cpu", precision="float32")
Speeds = dict[int, float]
"""Characters per second by number of threads."""
BOTH = ("float32", "bfloat16")


def pretend(monkeypatch: pytest.MonkeyPatch, speeds: Speeds, num_cores: int = 2, bfloat16: float = 1.0) -> None:
    """Fake the number of cores, their speeds, and the speedup of bfloat16; a trial of each still runs, on one thread.

    Two threads on busy cores wait for each other at every small operation: seconds for a run of twelve steps.
    """
    in_use = [1]

    def calibrate(
        candidates: Sequence[Candidate], run_trial: Callable[[Candidate, int, int], tuple[int, float]], _: object
    ) -> Calibration:
        gains = {"float32": 1.0, "bfloat16": bfloat16}
        for candidate in candidates:
            run_trial(candidate, 0, 1)
        seconds = {each: [1000 / speeds[each.num_threads] / gains[each.precision]] for each in candidates}
        return Calibration(num_chars=[1000], seconds=seconds)

    monkeypatch.setattr(torch, "set_num_threads", lambda number: in_use.__setitem__(0, number))
    monkeypatch.setattr(torch, "get_num_threads", lambda: in_use[0])
    monkeypatch.setattr(device, "available_cores", lambda: num_cores)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: bfloat16 > 1)
    monkeypatch.setattr(thread_tuning, "calibrate", calibrate)


def measure_after(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Measure for the first time after so many seconds of steps."""
    monkeypatch.setattr(thread_tuning, "FIRST_SECONDS", seconds)


def measure_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowdown_detector, "WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(slowdown_detector, "MIN_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(slowdown_detector, "MAX_CHECK_SECONDS", 0.0)
    measure_after(monkeypatch, 0.0)


def auto_config(home: Path, **settings: Setting) -> RunConfig:
    config = tiny_config(write_corpus(home))
    return replace(config, settings={**config.settings, **settings}, runtime=AUTO)


def warnings_of(emitted: Iterable[Event]) -> list[str]:
    return [event.message for event in of_type(emitted, e.Warned)]


def trainer_with_all(precision: str = "float32") -> tuple[Trainer, list[CorpusBatch]]:
    """Return a trainer of two layers with dropout and an n-gram input, and batches."""
    torch.manual_seed(0)
    trainer = Trainer(
        model_with_table(4, 6, num_layers=2, dropout=0.3),
        TrainingConfig(weight_decay=0.1, ngram_decay=0.1, max_grad_norm=0.5),
        replace(CPU, precision=precision),
    )
    return trainer, some_batches(6)


def everything(trainer: Trainer) -> dict[str, Tensor]:
    """Return copies of all that a step depends on or changes."""
    return copy_of_state(trainer) | {"generator": torch.get_rng_state()}


def is_due(tuner: ThreadTuner) -> bool:
    return tuner.should_measure


def tuner_of(batches: Sequence[CorpusBatch], counts: tuple[int, ...], precisions: tuple[str, ...]) -> ThreadTuner:
    return ThreadTuner(Choices(counts=counts, precisions=precisions), lambda: batches, is_due=True)


@pytest.mark.parametrize("precision", BOTH)
def test_a_measurement_changes_no_weight_optimizer_state_or_generator(precision: str) -> None:
    trainer, batches = trainer_with_all(precision)
    for batch in batches[:2]:
        trainer.step(batch, 0.004)
    before = everything(trainer)

    tuner = tuner_of(batches, (1, 2), BOTH)
    chosen, _ = tuner.retune(trainer, replace(CPU, precision=precision, tuning="due"), lambda: False)

    assert chosen.tuning == "measured"
    assert torch.get_num_threads() == chosen.num_threads
    assert_same_tensors(everything(trainer), before)


@pytest.mark.parametrize("precision", BOTH)
def test_the_steps_after_a_measurement_are_those_without_one(precision: str) -> None:
    states = []
    for is_measured in (False, True):
        trainer, batches = trainer_with_all(precision)
        for number, batch in enumerate(batches):
            if is_measured and number == 3:
                trials = Trials(trainer, batches, lambda: False)
                for num_threads, tried in product((1, 2), BOTH):
                    trials.in_seconds(Candidate(num_threads=num_threads, precision=tried), 0, 8)
                trainer.use_precision(precision)
                CPU.apply()
            trainer.step(batch, 0.004)
        states.append(everything(trainer))
    assert_same_tensors(*states)


def test_after_a_change_of_precision_the_steps_are_those_of_a_trainer_in_it() -> None:
    trainer, batches = trainer_with_all("float32")
    other, _ = trainer_with_all("bfloat16")
    trainer.use_precision("bfloat16")
    for each in (trainer, other):
        torch.manual_seed(0)
        for batch in batches:
            each.step(batch, 0.004)
    assert_same_tensors(trainer.state(), other.state())


def test_a_trial_is_timed_only_after_one_of_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, batches = trainer_with_all()
    passes: list[tuple[int, ...]] = []
    monkeypatch.setattr(trainer, "forward_backward", lambda batch: passes.append(batch.inputs.shape))
    trials = Trials(trainer, batches, lambda: False)
    one = Candidate(num_threads=1)
    timed: list[int] = []

    def clock() -> float:
        timed.append(len(passes))
        return 0.0

    for size in (1, 1, 2):
        trials.run(one, size, clock)

    assert timed == [1, 2, 2, 3, 4, 5]
    assert passes[0] == passes[1] == passes[2] != passes[3] == passes[4]


def test_an_abandoned_measurement_changes_nothing_and_is_due_again_soon() -> None:
    trainer, batches = trainer_with_all()
    trainer.step(batches[0], 0.004)
    before = everything(trainer)
    turns = iter(range(1))
    tuner = tuner_of(batches, (1, 2), ("float32",))
    tuner.record_step(FIRST_SECONDS, 100, is_small=False)
    assert is_due(tuner)

    on = replace(CPU, num_threads=1)
    chosen, _ = tuner.retune(trainer, on, lambda: next(turns, None) is None)

    assert (chosen, torch.get_num_threads()) == (on, 1)
    assert next(turns, None) is None
    assert_same_tensors(everything(trainer), before)
    assert not is_due(tuner)
    tuner.record_step(RETRY_SECONDS, 100, is_small=False)
    assert is_due(tuner)


def test_where_memory_runs_out_the_runtime_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, batches = trainer_with_all()
    tuner = tuner_of(batches, (1,), BOTH)

    def full(_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "forward_backward", full)
        chosen, ratio = tuner.retune(trainer, CPU, lambda: False)

    assert (chosen, ratio) == (replace(CPU, tuning="measured"), 1.0)
    assert not tuner.should_measure


def test_the_first_measurement_waits_for_whole_batches_and_some_seconds_but_not_for_ever() -> None:
    def tuner_after(seconds: float, *, is_small: bool) -> ThreadTuner:
        tuner = tuner_of([], (1, 2), ("float32",))
        tuner.record_step(seconds, 100, is_small=is_small)
        return tuner

    assert not tuner_after(FIRST_SECONDS - 0.1, is_small=False).should_measure
    assert tuner_after(FIRST_SECONDS, is_small=False).should_measure
    assert not tuner_after(LATEST_SECONDS - 0.1, is_small=True).should_measure
    assert tuner_after(LATEST_SECONDS, is_small=True).should_measure


def config_with(**settings: Setting) -> RunConfig:
    return RunConfig(settings=settings, runtime=RuntimeConfig(device="cpu"))


def with_runtime(**options: Any) -> RunConfig:
    return RunConfig(runtime=RuntimeConfig(**{"device": "cpu", **options}))


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_the_candidates_of_a_calibration_are_the_choices_that_were_not_set(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool
) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: has_bfloat16)
    both = BOTH if has_bfloat16 else BOTH[:1]

    def choices(config: RunConfig, runtime: Runtime = CPU, info: CheckpointInfo | None = None) -> tuple[object, object]:
        found = choices_for(config, runtime, info)
        return found.counts, found.precisions

    assert choices(config_with()) == ((1, 2), both)
    assert choices(with_runtime(precision="float32")) == ((1, 2), ("float32",))
    assert choices(with_runtime(threads=1)) == ((1,), both)
    assert choices(with_runtime(threads=1, precision="float32")) == ((1,), ("float32",))
    assert choices(config_with(), info=checkpoint_info(tuning="measured")) == ((1, 2), ("float32",))
    assert choices(config_with(), replace(CPU, num_threads=3), checkpoint_info(tuning="due")) == ((1, 2, 3), both)


def test_a_new_run_starts_in_float32_on_two_threads_unless_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 6)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)

    def start(config: RunConfig, info: CheckpointInfo | None = None, *, is_shared: bool = False) -> tuple[object, ...]:
        runtime = initial_runtime(config, info, is_shared=is_shared)
        return runtime.num_threads, runtime.precision, runtime.tuning

    assert start(config_with()) == (2, "float32", "due")
    assert start(with_runtime(precision="bfloat16")) == (2, "bfloat16", "threads-due")
    assert start(with_runtime(threads=5)) == (5, "float32", "due")
    assert start(with_runtime(threads=5, precision="float32")) == (5, "float32", "fixed")
    assert start(config_with(seed=0)) == start(with_runtime(deterministic=True)) == (4, "float32", "fixed")
    assert start(config_with(), is_shared=True) == (4, "float32", "fixed")
    monkeypatch.setattr(device, "available_cores", lambda: 1)
    assert start(config_with()) == (1, "float32", "due")
    assert start(with_runtime(precision="float32")) == (1, "float32", "fixed")


@pytest.mark.parametrize("tuning", ["due", "threads-due"])
def test_a_run_from_a_checkpoint_saved_before_the_measurement_measures_the_same(
    monkeypatch: pytest.MonkeyPatch, tuning: Tuning
) -> None:
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    info = checkpoint_info(tuning=tuning, num_threads=2)

    runtime = initial_runtime(config_with(), info)

    assert (runtime.num_threads, runtime.tuning) == (2, tuning)
    tuner = ThreadTuner.for_run(config_with(), info, runtime, list)
    assert tuner is not None
    tuner.record_step(FIRST_SECONDS, 100, is_small=False)
    assert tuner.should_measure
    assert initial_runtime(config_with(), info, is_shared=True).tuning == "fixed"
    assert initial_runtime(config_with(seed=1), info).tuning == "fixed"


@pytest.mark.parametrize("device_type", ["cpu", "cuda", "mps"])
def test_a_checkpoints_bfloat16_applies_only_if_the_device_trains_in_it(
    monkeypatch: pytest.MonkeyPatch, device_type: Device
) -> None:
    has_it = {"cpu": False, "cuda": False}
    monkeypatch.setattr(device, "available_cores", lambda: 2)
    monkeypatch.setattr(device, "is_available", lambda _: True)
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: has_it["cpu"])
    monkeypatch.setattr(device, "cudnn_supports_bfloat16", lambda: has_it["cuda"])
    config = RunConfig(runtime=RuntimeConfig(device=device_type))
    info = checkpoint_info(precision="bfloat16", num_threads=1)

    assert initial_runtime(config, info).precision == "float32"

    has_it[device_type] = True
    assert initial_runtime(config, info).precision == ("float32" if device_type == "mps" else "bfloat16")
    assert initial_runtime(with_runtime(device=device_type, precision="float32"), info).precision == "float32"
    assert initial_runtime(config, replace(info, precision="float32")).precision == "float32"


def test_bfloat16_is_refused_on_a_gpu_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    with pytest.raises(DeviceError, match="no bfloat16"):
        initial_runtime(with_runtime(device="cuda", precision="bfloat16"), None)


def test_threads_and_precision_of_the_start_and_as_measured_are_in_events_and_checkpoints(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {1: 200.0, 2: 100.0}, bfloat16=1.5)
    measure_after(monkeypatch, 0.01)
    config = replace(auto_config(home), runtime=RuntimeConfig(device="cpu"))

    emitted = run_session(config, clock=TickingClock(0.001))

    assert_valid_stream(emitted)
    started, changed = only(emitted, e.RunStarted), only(emitted, e.ThreadsChanged)
    folder = find_run("tiny")
    saved = json.loads(folder.config_path.read_text())
    info = read_info(folder.checkpoint_path("latest"))[0]
    assert (started.num_threads, started.precision, started.tuning) == (2, "float32", "due")
    assert (saved["num_threads"], saved["precision"]) == (2, "float32")
    assert 0 < changed.step < 12
    assert (changed.num_threads, changed.precision) == (1, "bfloat16")
    assert changed.message == "bfloat16 on 1 thread in place of float32 on 2, 3.0 times as fast"
    assert (info.num_threads, info.precision, info.tuning) == (1, "bfloat16", "measured")
    assert warnings_of(emitted) == []
    assert list(losses(emitted)) == list(range(1, 13))


def test_a_measurement_that_changes_nothing_emits_nothing_and_is_saved(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 150.0}, bfloat16=1.1)
    measure_after(monkeypatch, 0.0)
    config = replace(auto_config(home), runtime=RuntimeConfig(device="cpu"))

    emitted = run_session(config)

    assert not of_type(emitted, e.ThreadsChanged)
    info = read_info(find_run("tiny").checkpoint_path("latest"))[0]
    assert (info.num_threads, info.precision, info.tuning) == (2, "float32", "measured")


def test_a_run_stopped_before_the_measurement_measures_when_resumed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 150.0}, bfloat16=2.0)
    config = replace(auto_config(home), runtime=RuntimeConfig(device="cpu"))
    run_session(config, stop_at(4))
    assert read_info(find_run("tiny").checkpoint_path("latest"))[0].tuning == "due"

    measure_after(monkeypatch, 0.0)
    emitted = run_session(replace(resume_config(), runtime=config.runtime))

    assert only(emitted, e.RunStarted).tuning == "due"
    assert only(emitted, e.ThreadsChanged).precision == "bfloat16"
    again = run_session(replace(resume_config(max_steps=14), runtime=config.runtime))
    assert (only(again, e.RunStarted).precision, only(again, e.RunStarted).tuning) == ("bfloat16", "measured")


def test_a_run_with_a_seed_is_not_calibrated_and_repeats_exactly(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_after_every_step(monkeypatch)
    config = replace(auto_config(home, seed=11, dropout=0.3, sample_every=4), runtime=RuntimeConfig(device="cpu"))
    runs = []
    for number, faster in enumerate((1, 2)):
        pretend(monkeypatch, {faster: 900.0, 3 - faster: 100.0}, bfloat16=2.0)
        runs.append(run_session(replace(config, run_name=f"run-{number}")))
    for emitted in runs:
        started = only(emitted, e.RunStarted)
        assert (started.num_threads, started.precision, started.tuning) == (1, "float32", "fixed")
        assert losses(emitted) == losses(runs[0])
        assert [tweet.text for tweet in of_type(emitted, e.TweetSampled)] == [
            tweet.text for tweet in of_type(runs[0], e.TweetSampled)
        ]

    run_session(replace(config, run_name="half"), stop_at(5))
    resumed = run_session(replace(resume_config("half"), runtime=RuntimeConfig(device="cpu")))
    assert not of_type(resumed, e.ThreadsChanged)
    assert only(resumed, e.RunStarted).tuning == "fixed"
    assert losses(resumed) == {step: loss for step, loss in losses(runs[0]).items() if step > 5}


def resumed(home: Path, before: int, runtime_config: RuntimeConfig) -> list[Event]:
    """Return the events of a resume of a run with `before` threads, on a machine that had them."""
    config = tiny_config(write_corpus(home), max_steps=3)
    with mock.patch.object(device, "available_cores", return_value=before):
        run_session(replace(config, runtime=replace(config.runtime, threads=before)), stop_at(1))
    return run_session(replace(resume_config(), runtime=runtime_config))


@pytest.mark.parametrize(
    ("before", "wanted", "num_cores", "expected", "words"),
    [
        pytest.param(2, AUTO, 2, 2, None, id="kept"),
        pytest.param(4, AUTO, 2, 2, "2 threads in place of 4 (the machine has 2", id="fewer cores"),
        pytest.param(2, replace(AUTO, threads=1), 2, 1, "1 thread in place of 2.", id="asked for another"),
    ],
)
def test_a_resumed_run_keeps_its_threads_or_warns_that_it_is_exact_to_rounding_only(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    wanted: RuntimeConfig,
    num_cores: int,
    expected: int,
    words: str | None,
) -> None:
    pretend(monkeypatch, {}, num_cores)

    emitted = resumed(home, before, wanted)

    assert_valid_stream(emitted)
    assert only(emitted, e.RunStarted).num_threads == expected
    if words is None:
        assert warnings_of(emitted) == []
    else:
        [warning] = warnings_of(emitted)
        assert "exact to rounding only" in warning
        assert words in warning


def changes(info: CheckpointInfo) -> str:
    return computation_changes(info, CPU, world_size=1)


def test_another_precision_or_device_than_the_checkpoints_is_described() -> None:
    assert changes(checkpoint_info()) == ""
    assert changes(checkpoint_info(precision="bfloat16")) == "float32 in place of bfloat16"
    assert changes(checkpoint_info(device="cuda", num_threads=9)) == "cpu in place of cuda"


def test_a_changed_thread_count_during_a_run_is_reported_and_saved(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds: Speeds = {1: 100.0, 2: 150.0}
    pretend(monkeypatch, speeds)
    measure_after_every_step(monkeypatch)

    def another_process(event: Event) -> Iterator[Command]:
        if event.step == 4:
            speeds[2] = 10.0
        yield from ()

    emitted = run_session(auto_config(home), on_event=another_process, clock=TickingClock(0.001))

    assert_valid_stream(emitted)
    assert only(emitted, e.RunStarted).num_threads == 2
    changed = only(emitted, e.ThreadsChanged)
    assert (changed.step, changed.num_threads) == (4, 1)
    assert changed.message == "float32 on 1 thread in place of float32 on 2, 10.0 times as fast"
    assert torch.get_num_threads() == 1
    assert read_info(find_run("tiny").checkpoint_path("latest"))[0].num_threads == 1
    assert list(losses(emitted)) == list(range(1, 13))


def test_the_small_batches_of_the_start_are_not_compared_with_the_speed_of_the_trials(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[bool] = []

    class Recorder:
        """A tuner that never measures."""

        should_measure = False

        def record_step(self, *_: object, is_small: bool) -> None:
            """Record whether the batch of a step was small."""
            recorded.append(is_small)

    monkeypatch.setattr(ThreadTuner, "for_run", lambda *_: Recorder())
    run_session(tiny_config(corpus, batch_size=8, first_batch_size=2, max_steps=26))

    assert recorded == [True] * 24 + [False] * 2

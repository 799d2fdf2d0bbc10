"""Threads and precision of a run: by config, checkpoint or simulated timings; calibrating has no side effect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from engine.checkpoints.metadata import CheckpointInfo, read_info
from engine.compute import device, slowdown_detector
from engine.compute.calibration import Calibration, Candidate
from engine.config.run import Device, ModelConfig, RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.corpus.encoded_tweets import CorpusBatch
from engine.errors import DeviceError
from engine.model.gru import TextGenerator
from engine.protocol import codec
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.session import thread_tuning
from engine.session.thread_tuning import ThreadTuner, candidates_for, computation_changes, initial_runtime
from engine.storage.folders import find_run
from engine.training.trainer import Trainer
from tests.engine.checkpoints.saved import checkpoint_info
from tests.engine.helpers import (
    CPU,
    TickingClock,
    assert_same_tensors,
    copy_of_state,
    encoded,
    losses,
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
from tests.fakes import run_started

AUTO = RuntimeConfig(device="cpu", precision="float32")
ONE, TWO = Candidate(num_threads=1), Candidate(num_threads=2)
ROUGH = Candidate(num_threads=1, precision="bfloat16")
Speeds = dict[int, float]
"""Characters per second by number of threads."""


def pretend(monkeypatch: pytest.MonkeyPatch, speeds: Speeds, num_cores: int = 2) -> None:
    """Fake the number of cores and their speeds; one trial still runs, on one thread.

    Two threads on busy cores wait for each other at every small operation: seconds for a run of twelve steps.
    """
    in_use = [1]

    def calibrate(
        candidates: Sequence[Candidate], run_trial: Callable[[Candidate, int, int], int], _: object
    ) -> Calibration:
        run_trial(candidates[0], 0, 1)
        seconds = {candidate: [1000 / speeds[candidate.num_threads]] for candidate in candidates}
        return Calibration(num_chars=[1000], seconds=seconds)

    monkeypatch.setattr(torch, "set_num_threads", lambda number: in_use.__setitem__(0, number))
    monkeypatch.setattr(torch, "get_num_threads", lambda: in_use[0])
    monkeypatch.setattr(device, "available_cores", lambda: num_cores)
    monkeypatch.setattr(thread_tuning, "calibrate", calibrate)


def favour(monkeypatch: pytest.MonkeyPatch, best: Candidate) -> None:
    """Make this candidate the fastest by far."""

    def calibrate(candidates: Sequence[Candidate], *_: object) -> Calibration:
        return Calibration(
            num_chars=[1000], seconds={candidate: [1.0 if candidate == best else 9.0] for candidate in candidates}
        )

    monkeypatch.setattr(thread_tuning, "calibrate", calibrate)


def measure_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slowdown_detector, "WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(slowdown_detector, "MIN_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(slowdown_detector, "MAX_CHECK_SECONDS", 0.0)


def auto_config(home: Path, **settings: Setting) -> RunConfig:
    config = tiny_config(write_corpus(home))
    return replace(config, settings={**config.settings, **settings}, runtime=AUTO)


def warnings_of(emitted: Iterable[Event]) -> list[str]:
    return [event.message for event in of_type(emitted, e.Warned)]


def trainer_with_all(precision: str = "float32") -> tuple[Trainer, list[CorpusBatch]]:
    """Return a trainer of two layers with dropout, and batches."""
    torch.manual_seed(0)
    shape = ModelConfig(embedding_size=4, hidden_size=6, num_layers=2, dropout=0.3)
    trainer = Trainer(
        TextGenerator.from_config(len(encoded()[1]), shape),
        TrainingConfig(weight_decay=0.1, max_grad_norm=0.5),
        replace(CPU, precision=precision),
    )
    return trainer, some_batches(6)


def everything(trainer: Trainer) -> dict[str, Tensor]:
    """Return copies of all that a step depends on or changes."""
    return copy_of_state(trainer) | {"generator": torch.get_rng_state()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_calibration_changes_no_weight_optimizer_state_or_generator(precision: str) -> None:
    trainer, batches = trainer_with_all(precision)
    for batch in batches[:2]:
        trainer.step(batch, 0.004)
    before = everything(trainer)

    candidates = [Candidate(num_threads=number, precision=precision) for number in (1, 2)]
    calibration = thread_tuning.measure({precision: trainer}, candidates, batches, lambda: None)

    assert calibration.num_chars
    assert_same_tensors(everything(trainer), before)


def test_an_interrupted_calibration_changes_nothing() -> None:
    trainer, batches = trainer_with_all()
    trainer.step(batches[0], 0.004)
    before = everything(trainer)
    turns = iter(range(2))

    tuner = ThreadTuner(lambda: batches, 0.0)
    on = replace(CPU, num_threads=1)
    chosen, _ = tuner.retune(trainer, on, lambda: next(turns, None) is None)

    assert (chosen, torch.get_num_threads()) == (on, 1)
    assert next(turns, None) is None
    assert_same_tensors(everything(trainer), before)


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
    rough = [ROUGH, replace(ROUGH, num_threads=2)] if has_bfloat16 else []
    on_gpu = replace(CPU, device=torch.device("cuda"), num_threads=3, precision="bfloat16")
    assert candidates_for(config_with(), CPU, None) == [ONE, TWO, *rough]
    assert candidates_for(with_runtime(precision="float32"), CPU, None) == [ONE, TWO]
    assert candidates_for(with_runtime(threads=1), CPU, None) == [ONE, *rough[:1]]
    assert candidates_for(with_runtime(threads=1, precision="float32"), CPU, None) == [ONE]
    assert candidates_for(config_with(seed=0), CPU, None) == [ONE]
    assert candidates_for(with_runtime(deterministic=True), CPU, None) == [ONE]
    assert candidates_for(config_with(), replace(CPU, num_threads=2), checkpoint_info(num_threads=2)) == [TWO]
    assert candidates_for(config_with(), on_gpu, None) == [Candidate(num_threads=3, precision="bfloat16")]


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


def test_the_chosen_threads_and_precision_are_in_event_checkpoint_and_config(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 150.0})

    emitted = run_session(auto_config(home))

    assert_valid_stream(emitted)
    started = only(emitted, e.RunStarted)
    folder = find_run("tiny")
    info = read_info(folder.checkpoint_path("latest"))[0]
    config = json.loads(folder.config_path.read_text())
    expected = (2, "float32", started.step_path)
    assert started.step_path == "fast"
    assert (started.num_threads, started.precision, started.step_path) == expected
    assert (info.num_threads, info.precision, info.step_path) == expected
    assert started.tuning == info.tuning == "measured"
    assert (config["num_threads"], config["precision"], config["step_path"]) == expected
    assert warnings_of(emitted) == []


def test_bfloat16_is_chosen_if_it_is_faster_and_gives_the_losses_of_an_explicit_choice(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    favour(monkeypatch, ROUGH)
    config = replace(auto_config(home), runtime=RuntimeConfig(device="cpu", threads=1))
    asked = replace(config, runtime=replace(config.runtime, precision="bfloat16"), run_name="asked")

    emitted = run_session(config)

    assert only(emitted, e.RunStarted).precision == "bfloat16"
    assert losses(emitted) == losses(run_session(asked))


def test_a_run_with_a_seed_is_not_calibrated_and_repeats_exactly(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)
    measure_after_every_step(monkeypatch)
    config = replace(auto_config(home, seed=11, dropout=0.3, sample_every=4), runtime=RuntimeConfig(device="cpu"))
    runs = []
    for number, favourite in enumerate((TWO, ROUGH, ONE)):
        monkeypatch.setattr(device, "available_cores", lambda: 2)
        favour(monkeypatch, favourite)
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
    trainer, _ = trainer_with_all()
    return computation_changes(info, CPU, trainer.step_path)


def test_another_path_precision_or_device_than_the_checkpoints_is_described() -> None:
    assert changes(checkpoint_info()) == changes(checkpoint_info(step_path="fast")) == ""
    assert changes(checkpoint_info(step_path="plain")) == "the fast path in place of the plain one"
    assert changes(checkpoint_info(precision="bfloat16")) == "float32 in place of bfloat16"
    assert changes(checkpoint_info(device="cuda", num_threads=9)) == "cpu in place of cuda"


def test_checkpoints_and_journals_without_a_step_path_are_read() -> None:
    info, started = checkpoint_info(step_path="fast"), run_started(step_path="fast")
    assert codec.decode(codec.encode(info), CheckpointInfo) == info
    old = codec.encode(info).replace('"step_path":"fast",', "")
    assert codec.decode(old, CheckpointInfo) == checkpoint_info(step_path="")
    assert e.from_json(e.to_json(started).replace('"step_path":"fast",', "")) == run_started(step_path="")


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
    assert "1 thread in place of 2, 10.0 times as fast" in changed.message
    assert torch.get_num_threads() == 1
    assert read_info(find_run("tiny").checkpoint_path("latest"))[0].num_threads == 1
    assert list(losses(emitted)) == list(range(1, 13))


def test_the_small_batches_of_the_start_are_not_compared_with_the_speed_of_the_trials(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[int] = []

    class Recorder:
        """A tuner that never measures."""

        should_measure = False

        def record_step(self, _: float, num_chars: int) -> None:
            """Record the characters of a step."""
            recorded.append(num_chars)

    monkeypatch.setattr(ThreadTuner, "for_run", lambda *_: Recorder())
    run_session(tiny_config(corpus, batch_size=8, first_batch_size=2, max_steps=26))  # 24 of the first epoch are small

    assert len(recorded) == 2

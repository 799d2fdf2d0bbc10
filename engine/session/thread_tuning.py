"""How many threads train a model on the CPU, and in which precision: fixed, or measured at the start and later.

**Fixed** in a repeatable run: the same command must give the same run, which a clock can't promise. A run that
continues from a checkpoint keeps the checkpoint's choice, as far as the machine has it.

**Measured** otherwise, on trials: forward and backward passes on tweets of the run, which change neither weights nor
optimizer nor any generator. So only the rounding of the computation depends on a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from engine.checkpoints.metadata import CheckpointInfo
from engine.compute import device
from engine.compute.calibration import (
    Calibration,
    Candidate,
    best_candidate,
    calibrate,
    thread_counts,
    threads_label,
)
from engine.compute.device import Runtime
from engine.compute.slowdown_detector import SlowdownDetector
from engine.config.run import RunConfig, RuntimeConfig
from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD
from engine.training.trainer import Trainer

FIRST_COLUMNS = 4
"""Characters per tweet in the first round: few, since contending threads take 100 times as long."""


def initial_runtime(config: RunConfig, info: CheckpointInfo | None) -> Runtime:
    """Return the runtime that a run starts with. Raises `DeviceError` for what this machine lacks.

    Threads and precision of a checkpoint are limited to the cores, and to bfloat16 where the device trains in it.
    """
    wanted = config.runtime
    if info is None:
        return Runtime.resolve(wanted)
    threads = wanted.threads or min(info.num_threads, device.available_cores())
    runtime = Runtime.resolve(replace(wanted, threads=threads))
    if wanted.precision == "auto" and (info.precision == "float32" or device.may_train_in_bfloat16(runtime.device)):
        runtime = replace(runtime, precision=info.precision)
    is_fixed = wanted.threads or info.tuning == "fixed" or config.is_repeatable
    return runtime if is_fixed else replace(runtime, tuning="measured")


def candidates_for(
    config: RunConfig, runtime: Runtime, info: CheckpointInfo | None, *, is_shared: bool = False
) -> list[Candidate]:
    """Return the candidates of the measurement; only that of `runtime` where nothing is to be measured.

    A run that is `is_shared` among several processes measures nothing: they would disturb each other.
    """
    wanted = config.runtime
    if is_shared or runtime.device.type != "cpu" or info is not None or config.is_repeatable:
        return [Candidate(num_threads=runtime.num_threads, precision=runtime.precision)]
    counts = [wanted.threads] if wanted.threads else thread_counts(device.available_cores())
    is_open = wanted.precision == "auto" and device.cpu_has_bfloat16()
    precisions = ["float32", "bfloat16"] if is_open else [runtime.precision]
    return [Candidate(num_threads=count, precision=precision) for precision in precisions for count in counts]


def may_use_bfloat16(config: RunConfig, runtime: Runtime) -> bool:
    """Return whether a new run may compute in bfloat16 on the CPU."""
    candidates = candidates_for(config, runtime, None)
    return any(candidate.precision == "bfloat16" for candidate in candidates)


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """The chosen runtime, and the trainer for its precision."""

    trainer: Trainer
    runtime: Runtime
    chars_per_second: float = 0.0
    """As measured; 0 without a measurement."""


def tune(
    trainers: Mapping[str, Trainer],
    candidates: Sequence[Candidate],
    runtime: Runtime,
    batches: Callable[[], Sequence[Batch]],
    on_trial: Callable[[], None],
) -> TuningResult:
    """Choose among `candidates`, and set torch's number of threads. `trainers` by precision; `on_trial` may raise."""
    if len(candidates) == 1:
        runtime.apply()
        return TuningResult(trainer=trainers[runtime.precision], runtime=runtime)
    calibration = measure(trainers, candidates, batches(), on_trial)
    best = best_candidate(calibration)
    chosen = replace(runtime, num_threads=best.num_threads, precision=best.precision, tuning="measured")
    chosen.apply()
    return TuningResult(
        trainer=trainers[best.precision], runtime=chosen, chars_per_second=calibration.chars_per_second(best)
    )


def measure(
    trainers: Mapping[str, Trainer],
    candidates: Sequence[Candidate],
    batches: Sequence[Batch],
    on_trial: Callable[[], None],
) -> Calibration:
    """Run trials of `candidates`, each with the trainer of its precision. `on_trial` may raise before any of them.

    Leaves torch with some number of threads. A trial in bfloat16 runs twice and is timed the second time: oneDNN
    compiles for each new shape, once per run.
    """
    excluded_seconds = 0.0

    def clock() -> float:
        return time.perf_counter() - excluded_seconds

    def run_trial(candidate: Candidate, number: int, size: int) -> int:
        nonlocal excluded_seconds
        on_trial()
        batch = first_columns(batches[number % len(batches)], FIRST_COLUMNS * size)
        torch.set_num_threads(candidate.num_threads)
        if candidate.precision == "bfloat16":
            began = time.perf_counter()
            trainers[candidate.precision].forward_backward(batch)
            excluded_seconds += time.perf_counter() - began
        trainers[candidate.precision].forward_backward(batch)
        return batch.num_targets

    for candidate in candidates:  # warm up: kernels are compiled, and threads start with buffers of their own
        run_trial(candidate, 0, 1)
    return calibrate(candidates, run_trial, clock)


def first_columns(batch: Batch, num_columns: int) -> Batch:
    """Return a batch of the first characters of each tweet."""
    inputs, targets = batch.inputs[:, :num_columns], batch.targets[:, :num_columns]
    return Batch(inputs, targets, num_targets=int((targets != PAD).sum()))


class _AbortedError(Exception):
    """A measurement was abandoned."""


class ThreadTuner:
    """Adapts the number of threads of a run while it trains. Used by the session's thread."""

    def __init__(self, batches: Callable[[], Sequence[Batch]], chars_per_second: float) -> None:
        """`batches` returns some for trials; `chars_per_second` is the result of the measurement at the start."""
        self._batches = batches
        self._slowdown_detector = SlowdownDetector(chars_per_second)

    @classmethod
    def for_run(
        cls, wanted: RuntimeConfig, result: TuningResult, batches: Callable[[], Sequence[Batch]]
    ) -> ThreadTuner | None:
        """Return the tuner of a run; None where the number of threads is fixed."""
        runtime = result.runtime
        has_choice = runtime.device.type == "cpu" and device.available_cores() > 1 and not wanted.threads
        return cls(batches, result.chars_per_second) if has_choice and runtime.tuning == "measured" else None

    def record_step(self, seconds: float, num_chars: int) -> None:
        """Record the time of a step."""
        self._slowdown_detector.add_step(seconds, num_chars)

    def reset(self) -> None:
        """Discard all measurements: the model has another shape."""
        self._slowdown_detector.invalidate()

    def use_batches(self, batches: Callable[[], Sequence[Batch]]) -> None:
        """Run trials on other batches from now on, and discard all measurements."""
        self._batches = batches
        self._slowdown_detector.invalidate()

    @property
    def should_measure(self) -> bool:
        """Whether a new measurement is due."""
        return self._slowdown_detector.should_measure

    def retune(self, trainer: Trainer, runtime: Runtime, should_stop: Callable[[], bool]) -> tuple[Runtime, float]:
        """Measure again; return the best runtime and its speedup over the one in use, `runtime`.

        Once `should_stop` returns true the measurement is abandoned: the runtime stays, and a new one is due.
        """
        counts = {*thread_counts(device.available_cores()), runtime.num_threads}
        candidates = [Candidate(num_threads=count, precision=runtime.precision) for count in sorted(counts)]

        def on_trial() -> None:
            if should_stop():
                raise _AbortedError

        try:
            calibration = measure({runtime.precision: trainer}, candidates, self._batches(), on_trial)
        except _AbortedError:
            return runtime, 1.0
        finally:
            runtime.apply()
        in_use = Candidate(num_threads=runtime.num_threads, precision=runtime.precision)
        best = best_candidate(calibration, in_use)
        self._slowdown_detector.restart(calibration.chars_per_second(best), has_changed=best != in_use)
        if best == in_use:
            return runtime, 1.0
        chosen = replace(runtime, num_threads=best.num_threads)
        chosen.apply()
        return chosen, calibration.ratio(best, in_use)


def computation_changes(info: CheckpointInfo, runtime: Runtime, step_path: str, world_size: int = 1) -> str:
    """Return how the steps are computed differently from those before the checkpoint, in words; "" if they are not."""
    changes = [
        f"{now} in place of {before}"
        for now, before in ((runtime.device.type, info.device), (runtime.precision, info.precision))
        if now != before
    ]
    if info.world_size != world_size:
        now = "1 process" if world_size == 1 else f"{world_size} processes"
        changes.append(f"{now} in place of {info.world_size}")
    if info.step_path not in {"", step_path}:
        changes.append(f"the {step_path} path in place of the {info.step_path} one")
    if runtime.device.type == info.device == "cpu" and runtime.num_threads != info.num_threads:
        changes.append(f"{threads_label(runtime.num_threads)} in place of {info.num_threads}")
        if info.num_threads > device.available_cores():
            changes[-1] += f" (the machine has {device.available_cores()} cores)"
    return ", ".join(changes)

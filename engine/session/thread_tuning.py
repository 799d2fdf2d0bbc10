"""How many threads train a model on the processor, and in which precision: by rule, or measured at the start and later.

**By rule** where a seed was given, for what a clock decides can't be promised: the same command, the same run. A run
that goes on from a checkpoint keeps what that had, as far as the machine has it.

**Measured** are rehearsals: the passes of real steps, on tweets of the run, that change neither weights nor optimizer
nor any generator. So only the rounding of what is computed depends on a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from engine.checkpoints.metadata import CheckpointInfo
from engine.compute import device as runtime
from engine.compute.calibration import (
    Calibration,
    Candidate,
    best_candidate,
    calibrate,
    thread_counts,
    threads_label,
)
from engine.compute.device import Runtime
from engine.compute.slowdown_watch import StepPace
from engine.config.run import RunConfig, RuntimeConfig
from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD
from engine.training.trainer import Trainer

FIRST_COLUMNS = 4
"""Characters per tweet in the first round; few, as threads that block each other take 100 times as long."""


def runtime_for(config: RunConfig, info: CheckpointInfo | None) -> Runtime:
    """Return what a run begins to compute on and with. Raises `DeviceError` for what this machine lacks.

    Threads and precision of a checkpoint to go on from are wishes: there are no more threads than cores, and bfloat16
    only where the device has it.
    """
    wanted = config.runtime
    if info is None:
        return Runtime.resolve(wanted)
    threads = wanted.threads or min(info.num_threads, runtime.available_cores())
    on = Runtime.resolve(replace(wanted, threads=threads))
    if wanted.precision == "auto" and (info.precision == "float32" or runtime.has_bfloat16(on.device)):
        on = replace(on, precision=info.precision)
    is_fixed = wanted.threads or info.tuning == "fixed" or "seed" in config.settings
    return on if is_fixed else replace(on, tuning="measured")


def candidates_for(config: RunConfig, on: Runtime, info: CheckpointInfo | None) -> list[Candidate]:
    """Return the candidates for a measurement; a single one if there is nothing to measure."""
    wanted = config.runtime
    if on.device.type != "cpu" or info is not None or "seed" in config.settings:
        return [Candidate(num_threads=on.num_threads, precision=on.precision)]
    counts = [wanted.threads] if wanted.threads else thread_counts(runtime.available_cores())
    is_open = wanted.precision == "auto" and runtime.cpu_has_bfloat16()
    precisions = ["float32", "bfloat16"] if is_open else [on.precision]
    return [Candidate(num_threads=count, precision=precision) for precision in precisions for count in counts]


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """What a run begins with."""

    trainer: Trainer
    runtime: Runtime
    chars_per_second: float = 0.0
    """As measured; 0 where there was nothing to choose."""


def begin(
    trainers: Mapping[str, Trainer],
    candidates: Sequence[Candidate],
    on: Runtime,
    batches: Callable[[], Sequence[Batch]],
    on_trial: Callable[[], None],
) -> TuningResult:
    """Choose the fastest candidate and apply it to torch. `on_trial` may raise to abort."""
    if len(candidates) == 1:
        on.apply()
        return TuningResult(trainer=trainers[on.precision], runtime=on)
    calibration = measure(trainers, candidates, batches(), on_trial)
    candidate = best_candidate(calibration)
    chosen = replace(on, num_threads=candidate.num_threads, precision=candidate.precision, tuning="measured")
    chosen.apply()
    return TuningResult(
        trainer=trainers[candidate.precision], runtime=chosen, chars_per_second=calibration.chars_per_second(candidate)
    )


def measure(
    trainers: Mapping[str, Trainer],
    candidates: Sequence[Candidate],
    batches: Sequence[Batch],
    on_trial: Callable[[], None],
) -> Calibration:
    """Measure the candidates with forward and backward passes of the trainer of their precision.

    `on_trial` may raise before any trial to abort. Leaves torch with some number of threads. Before a bfloat16 trial,
    an extra pass runs outside the clock, so that oneDNN's one-time compilation for the batch's shape does not count.
    """
    not_counted = 0.0

    def clock() -> float:
        return time.perf_counter() - not_counted

    def run_trial(candidate: Candidate, number: int, size: int) -> int:
        nonlocal not_counted
        on_trial()
        batch = first_columns(batches[number % len(batches)], FIRST_COLUMNS * size)
        torch.set_num_threads(candidate.num_threads)
        if candidate.precision == "bfloat16":
            began = time.perf_counter()
            trainers[candidate.precision].forward_backward(batch)
            not_counted += time.perf_counter() - began
        trainers[candidate.precision].forward_backward(batch)
        return batch.num_targets

    for precision in sorted({candidate.precision for candidate in candidates}):  # excludes one-time compilation
        run_trial(min(candidate for candidate in candidates if candidate.precision == precision), 0, 1)
    return calibrate(candidates, run_trial, clock)


def first_columns(batch: Batch, num_columns: int) -> Batch:
    """Return a batch of the first characters of each tweet."""
    inputs, targets = batch.inputs[:, :num_columns], batch.targets[:, :num_columns]
    return Batch(inputs, targets, num_targets=int((targets != PAD).sum()))


class _StoppedError(Exception):
    """Somebody waits for something else than a measurement."""


class ThreadTuner:
    """Looks after the number of threads of one run, where that is measured. Used by the session's thread."""

    def __init__(self, batches: Callable[[], Sequence[Batch]], chars_per_second: float) -> None:
        """Begin after the measurement of the start; `batches` gives some to rehearse with."""
        self._batches = batches
        self._pace = StepPace(chars_per_second)

    def record_step(self, seconds: float, num_chars: int) -> None:
        """Take note of a step."""
        self._pace.add_step(seconds, num_chars)

    def reset(self) -> None:
        """Take note that all that was measured is of no use any more."""
        self._pace.invalidate()

    def use_batches(self, batches: Callable[[], Sequence[Batch]]) -> None:
        """Rehearse with other batches from now on; all that was measured is of no use any more."""
        self._batches = batches
        self._pace.invalidate()

    @classmethod
    def for_run(
        cls, wanted: RuntimeConfig, result: TuningResult, batches: Callable[[], Sequence[Batch]]
    ) -> ThreadTuner | None:
        """Return what looks after a run's threads; None where they are fixed."""
        on = result.runtime
        has_choice = on.device.type == "cpu" and runtime.available_cores() > 1 and not wanted.threads
        return cls(batches, result.chars_per_second) if has_choice and on.tuning == "measured" else None

    @property
    def should_measure(self) -> bool:
        """Whether it is time to measure again."""
        return self._pace.should_measure

    def retune(self, trainer: Trainer, on: Runtime, should_stop: Callable[[], bool]) -> tuple[Runtime, float]:
        """Measure, and return the runtime to go on with and how many times as fast that is as the one in use, `on`.

        Where `should_stop` says so, all stays as it is, and it is still to be done.
        """
        counts = {*thread_counts(runtime.available_cores()), on.num_threads}
        candidates = [Candidate(num_threads=count, precision=on.precision) for count in sorted(counts)]

        def on_trial() -> None:
            if should_stop():
                raise _StoppedError

        try:
            calibration = measure({on.precision: trainer}, candidates, self._batches(), on_trial)
        except _StoppedError:
            return on, 1.0
        finally:
            on.apply()
        in_use = Candidate(num_threads=on.num_threads, precision=on.precision)
        best = best_candidate(calibration, in_use)
        self._pace.restart(calibration.chars_per_second(best), has_changed=best != in_use)
        if best == in_use:
            return on, 1.0
        chosen = replace(on, num_threads=best.num_threads)
        chosen.apply()
        return chosen, calibration.ratio(best, in_use)


def computation_changes(info: CheckpointInfo, result: TuningResult) -> str:
    """Return what computes the steps otherwise than those before the checkpoint, in words; empty if nothing does."""
    on, path = result.runtime, result.trainer.path
    changes = [
        f"{now} in place of {before}"
        for now, before in ((on.device.type, info.device), (on.precision, info.precision))
        if now != before
    ]
    if info.step_path not in {"", path}:
        changes.append(f"the {path} path in place of the {info.step_path} one")
    if on.device.type == info.device == "cpu" and on.num_threads != info.num_threads:
        changes.append(f"{threads_label(on.num_threads)} in place of {info.num_threads}")
        if info.num_threads > runtime.available_cores():
            changes[-1] += f" (the machine has {runtime.available_cores()} cores)"
    return ", ".join(changes)

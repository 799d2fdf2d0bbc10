"""How many threads train a model on the CPU, and in which precision: fixed, or measured between steps.

**Fixed** in a repeatable run: the same command must give the same run, which a clock can't promise. A run that
continues from a checkpoint keeps the checkpoint's choice, as far as the machine has it.

**Measured** otherwise, on trials: forward and backward passes on tweets of the run, which change neither weights nor
optimizer nor any generator. So only the rounding of the computation depends on a clock. A run begins on two
threads in float32; the first measurement follows after some seconds, on warm code and batches of the final size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from engine.checkpoints.metadata import CheckpointInfo
from engine.compute import device
from engine.compute.calibration import (
    Candidate,
    best_count,
    best_precision,
    calibrate,
    thread_counts,
    threads_label,
)
from engine.compute.device import Runtime
from engine.compute.slowdown_detector import SlowdownDetector
from engine.config.run import RunConfig, Tuning
from engine.corpus.encoded_tweets import Batch
from engine.memory import is_out_of_memory
from engine.training.trainer import Trainer
from engine.training.trials import TrialAbortedError, Trials

FIRST_THREADS = 2
"""Threads of a run before the first measurement: 1.4 times as fast as one on idle cores, and at worst half as fast."""
FIRST_SECONDS = 5.0
"""Seconds of steps before the first measurement, once batches have their final size."""
LATEST_SECONDS = 10.0
"""Seconds of steps after which the first measurement does not wait for the final size."""
RETRY_SECONDS = 1.0
"""Seconds of steps before an abandoned measurement is repeated."""
_DUE: tuple[Tuning, ...] = ("due", "threads-due")


def initial_runtime(config: RunConfig, info: CheckpointInfo | None, *, is_shared: bool = False) -> Runtime:
    """Return the runtime that a run starts with. Raises `DeviceError` for what this machine lacks.

    Threads and precision of a checkpoint are limited to the cores, and to bfloat16 where the device trains in it.
    A run that is `is_shared` among several processes measures nothing at first: they would disturb each other.
    """
    wanted = config.runtime
    if info is None:
        runtime = Runtime.resolve(wanted)
    else:
        threads = wanted.threads or min(info.num_threads, device.available_cores())
        runtime = Runtime.resolve(replace(wanted, threads=threads))
        if wanted.precision == "auto" and (info.precision == "float32" or device.may_train_in_bfloat16(runtime.device)):
            runtime = replace(runtime, precision=info.precision)
        if info.tuning not in _DUE:
            is_fixed = wanted.threads or info.tuning == "fixed" or config.is_repeatable
            return runtime if is_fixed else replace(runtime, tuning="measured")
    choices = choices_for(config, runtime, info)
    if is_shared or runtime.device.type != "cpu" or config.is_repeatable or not choices.has_several:
        return runtime
    num_threads = min(FIRST_THREADS, device.available_cores())
    return replace(
        runtime,
        num_threads=runtime.num_threads if wanted.threads or info is not None else num_threads,
        tuning="due" if len(choices.precisions) > 1 else "threads-due",
    )


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a measurement on the CPU chooses among."""

    counts: tuple[int, ...]
    """Numbers of threads, ascending."""
    precisions: tuple[str, ...]

    @property
    def has_several(self) -> bool:
        """Whether there is more than one candidate."""
        return len(self.counts) > 1 or len(self.precisions) > 1


def choices_for(config: RunConfig, runtime: Runtime, info: CheckpointInfo | None) -> Choices:
    """Return what the user left open of threads and precision, for a run that starts as `runtime`.

    The precision of a checkpoint is open only if it was saved before the measurement of it.
    """
    wanted = config.runtime
    counts = {wanted.threads} if wanted.threads else {*thread_counts(device.available_cores()), runtime.num_threads}
    has_measured = info is not None and info.tuning != "due"
    is_open = wanted.precision == "auto" and device.cpu_has_bfloat16() and not has_measured
    return Choices(
        counts=tuple(sorted(counts)), precisions=("float32", "bfloat16") if is_open else (runtime.precision,)
    )


def open_runtimes(config: RunConfig, runtime: Runtime) -> list[Runtime]:
    """Return the runtimes that a new run which starts as `runtime` may train in."""
    if runtime.tuning == "fixed":
        return [runtime]
    choices = choices_for(config, runtime, None)
    return [
        replace(runtime, num_threads=count, precision=precision)
        for count in choices.counts
        for precision in choices.precisions
    ]


class ThreadTuner:
    """Adapts the threads of a run while it trains, and at first its precision. Used by the session's thread."""

    def __init__(self, choices: Choices, batches: Callable[[], Sequence[Batch]], *, is_due: bool) -> None:
        """`batches` returns some for trials; `is_due` if nothing is measured yet."""
        self._choices = choices
        self._batches = batches
        self._is_due = is_due
        self._is_small = False
        self._seconds = 0.0
        self._retry_at = 0.0
        self._slowdown_detector = SlowdownDetector()

    @classmethod
    def for_run(
        cls, config: RunConfig, info: CheckpointInfo | None, runtime: Runtime, batches: Callable[[], Sequence[Batch]]
    ) -> ThreadTuner | None:
        """Return the tuner of a run that starts as `runtime`; None where nothing is to be measured."""
        choices = choices_for(config, runtime, info)
        if runtime.device.type != "cpu" or runtime.tuning == "fixed" or not choices.has_several:
            return None
        return cls(choices, batches, is_due=runtime.tuning in _DUE)

    def record_step(self, seconds: float, num_chars: int, *, is_small: bool) -> None:
        """Record the time of a step; steps of small batches are slower than those of the trials."""
        self._seconds += seconds
        self._is_small = is_small
        if not is_small:
            self._slowdown_detector.add_step(seconds, num_chars)

    def reset(self) -> None:
        """Discard all measurements: the model has another shape."""
        self._is_due = True

    def use_batches(self, batches: Callable[[], Sequence[Batch]]) -> None:
        """Run trials on other batches from now on, and discard all measurements."""
        self._batches = batches
        self._is_due = True

    @property
    def should_measure(self) -> bool:
        """Whether a measurement is due."""
        if self._seconds < self._retry_at:
            return False
        if self._is_due:
            return self._seconds >= (LATEST_SECONDS if self._is_small else FIRST_SECONDS)
        return len(self._choices.counts) > 1 and self._slowdown_detector.should_measure

    def retune(self, trainer: Trainer, runtime: Runtime, should_stop: Callable[[], bool]) -> tuple[Runtime, float]:
        """Measure; return the best runtime and its speedup over the one in use, `runtime`. The trainer uses it.

        Once `should_stop` returns true the measurement is abandoned: the runtime stays, and a new one is due soon. If
        memory runs out, the runtime stays.
        """
        chosen, ratio = runtime, 1.0
        try:
            chosen, ratio = self._measure(Trials(trainer, self._batches(), should_stop), runtime)
        except TrialAbortedError:
            self._retry_at = self._seconds + RETRY_SECONDS
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._record(0.0, has_changed=False)
            chosen = replace(runtime, tuning="measured")
        finally:
            trainer.use_precision(chosen.precision)
            chosen.apply()
        return chosen, ratio

    def _measure(self, trials: Trials, runtime: Runtime) -> tuple[Runtime, float]:
        """Choose the number of threads in the precision in use, then, at first, the precision on so many threads.

        On busy cores the seconds of a trial vary by a third, which is more than most processors gain by bfloat16. So
        precisions are compared in the time that this thread computes.
        """
        in_use = best = Candidate(num_threads=runtime.num_threads, precision=runtime.precision)
        ratio, chars_per_second = 1.0, 0.0
        if len(self._choices.counts) > 1:
            candidates = [replace(in_use, num_threads=count) for count in self._choices.counts]
            calibration = calibrate(candidates, trials.in_seconds, time.perf_counter)
            best = best_count(calibration, in_use)
            ratio, chars_per_second = calibration.ratio(best, in_use), calibration.chars_per_second(best)
        if self._is_due and len(self._choices.precisions) > 1:
            before = best
            candidates = [replace(before, precision=precision) for precision in self._choices.precisions]
            calibration = calibrate(candidates, trials.in_cpu_seconds, time.perf_counter)
            best = best_precision(calibration)
            gain = calibration.ratio(best, before)
            ratio, chars_per_second = gain * ratio, gain * chars_per_second
        self._record(chars_per_second, has_changed=best != in_use)
        return replace(runtime, num_threads=best.num_threads, precision=best.precision, tuning="measured"), ratio

    def _record(self, chars_per_second: float, *, has_changed: bool) -> None:
        """Wait for the next reason to measure."""
        self._is_due = False
        self._slowdown_detector.restart(chars_per_second, has_changed=has_changed)


def runtime_change(before: Runtime, after: Runtime, ratio: float) -> str:
    """Return in words how precision or threads changed, which makes steps `ratio` times as fast; "" if not."""
    if (before.precision, before.num_threads) == (after.precision, after.num_threads):
        return ""
    return (
        f"{after.precision} on {threads_label(after.num_threads)} in place of {before.precision} on "
        f"{before.num_threads}, {ratio:.1f} times as fast"
    )


def computation_changes(info: CheckpointInfo, runtime: Runtime, world_size: int) -> str:
    """Return how the steps are computed differently from those before the checkpoint, in words; "" if they are not."""
    changes = [
        f"{now} in place of {before}"
        for now, before in ((runtime.device.type, info.device), (runtime.precision, info.precision))
        if now != before
    ]
    if info.world_size != world_size:
        now = "1 process" if world_size == 1 else f"{world_size} processes"
        changes.append(f"{now} in place of {info.world_size}")
    if runtime.device.type == info.device == "cpu" and runtime.num_threads != info.num_threads:
        changes.append(f"{threads_label(runtime.num_threads)} in place of {info.num_threads}")
        if info.num_threads > device.available_cores():
            changes[-1] += f" (the machine has {device.available_cores()} cores)"
    return ", ".join(changes)

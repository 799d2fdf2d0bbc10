"""How fast this machine trains: what sizes, how many threads and which precision are fastest here.

**Sizes** of a new model are chosen by the preset `auto` from the speed measured in a second or two at the start. Two
GPUs differ by a factor of thirty, processors by a factor of three in what bfloat16 and small batches gain or cost, and
a CPU may train faster than Apple's MPS, which runs a GRU step by step.

**Threads and precision** on a CPU are measured on trials between steps: forward and backward passes on tweets of the
run, which change neither weights nor optimizer nor any generator. So only the rounding of the computation depends on a
clock. Neither can be known in advance: two threads on idle cores do up to 1.6 times the work of one, and less than one
while other processes occupy the cores; bfloat16 gains a factor of 2 on one processor and nothing on another. So
candidates run interleaved trials of the same work, starting very small; slow ones drop out early, and another candidate
must be clearly faster than the one in use. A run begins on two threads in float32; the first measurement follows after
some seconds, on warm code and batches of the final size, and another when steps have become slow.

**Fixed** is all of it in a repeatable run: the same command must give the same run, which a clock can't promise. A run
that continues from a checkpoint keeps the checkpoint's choice, as far as the machine has it; several processes measure
nothing, as they would have to agree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch

from engine.checkpoints.format import CheckpointInfo
from engine.compute import device
from engine.compute.device import Runtime, wait_for
from engine.compute.gpu_step import supported_precision
from engine.config.presets import PresetConfigs, SpeedOf
from engine.config.run import ModelConfig, RunConfig, TrainingConfig, Tuning
from engine.corpus.encoded_tweets import Batch
from engine.corpus.report import counted
from engine.corpus.training_data import TrainingData
from engine.memory import free_memory, is_out_of_memory
from engine.model.gru import TextGenerator
from engine.model.vocab import PAD
from engine.session.startup.new_model import new_model
from engine.training.trainer import Trainer

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
        f"{after.precision} on {counted(after.num_threads, 'thread')} in place of {before.precision} on "
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
        changes.append(f"{counted(runtime.num_threads, 'thread')} in place of {info.num_threads}")
        if info.num_threads > device.available_cores():
            changes[-1] += f" (the machine has {device.available_cores()} cores)"
    return ", ".join(changes)


SECONDS = {"cpu": 0.1, "mps": 0.3, "cuda": 0.3}
"""Time for each model, batch size and runtime; steps that are in progress then are completed."""
_WARM_UP_STEPS = {"cpu": 1, "mps": 4, "cuda": 4}
"""Enough for kernels to be compiled, and for a step to be recorded as a CUDA graph."""
_COMPARED = PresetConfigs(
    model=ModelConfig(embedding_size=256, hidden_size=256, tied_embeddings=True), training=TrainingConfig(batch_size=64)
)


def speed_of(
    runtimes: Sequence[Runtime],
    data: TrainingData,
    on_trial: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> SpeedOf:
    """Return the function that measures how fast new models train on these tweets, in the fastest of the `runtimes`.

    All of them are tried with the first model, those with as many threads as were fastest with it with any other, and
    in batches of another size. `on_trial` may raise.
    """
    tried = list(runtimes)
    speeds: dict[tuple[ModelConfig, int], float] = {}

    def measure(configs: PresetConfigs) -> float:
        """Return the characters per second; 0 where memory does not suffice. Draws from torch's generators."""
        key = configs.model, configs.training.batch_size
        if key not in speeds:
            found = _speeds_in(tried, configs, data, on_trial, clock)
            free_memory(runtimes[0].device)
            num_threads = max(tried, key=lambda runtime: found[runtime]).num_threads
            tried[:] = [runtime for runtime in tried if runtime.num_threads == num_threads]
            speeds[key] = max(found.values())
        return speeds[key]

    return measure


def _speeds_in(
    runtimes: Sequence[Runtime],
    configs: PresetConfigs,
    data: TrainingData,
    on_trial: Callable[[], None],
    clock: Callable[[], float],
) -> dict[Runtime, float]:
    """Return the characters per second in each runtime; 0 where memory does not suffice."""
    speeds = {}
    try:
        model = new_model(configs.model, data)[1].to(runtimes[0].device)
        for runtime in runtimes:
            on_trial()
            speeds[runtime] = _measure(model, configs.training, runtime, data, clock)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return dict.fromkeys(runtimes, 0.0)
    return speeds


def _measure(
    model: TextGenerator, training: TrainingConfig, runtime: Runtime, data: TrainingData, clock: Callable[[], float]
) -> float:
    """Train a model on a batch of median length again and again; return the characters per second."""
    runtime.apply()
    precision = supported_precision(model, training.batch_size, runtime.precision)
    trainer = Trainer(model, training, replace(runtime, precision=precision))
    batches = sorted(data.some_batches(training.batch_size), key=lambda batch: batch.num_targets)
    batch = batches[len(batches) // 2]

    def take_steps(count: int) -> None:
        for _ in range(count):
            trainer.step(batch, learning_rate=1e-8)
        wait_for(runtime.device)

    take_steps(_WARM_UP_STEPS[runtime.device.type])
    num_steps, began = 0, clock()
    while (seconds := clock() - began) < SECONDS[runtime.device.type]:
        count = max(1, num_steps)
        take_steps(count)
        num_steps += count
    trainer.close()
    return num_steps * batch.num_targets / seconds


def faster_runtime(config: RunConfig, runtime: Runtime, data: TrainingData, on_trial: Callable[[], None]) -> Runtime:
    """Return `runtime`, or the CPU's where `--device auto` chose MPS and the CPU trains faster."""
    if runtime.device.type != "mps" or config.runtime.device != "auto":
        return runtime
    on_cpu = initial_runtime(replace(config, runtime=replace(config.runtime, device="cpu")), None)
    speeds = [speed_of([each], data, on_trial)(_COMPARED) for each in (runtime, on_cpu)]
    return runtime if speeds[0] >= speeds[1] else on_cpu


MAX_THREADS = 8
"""Largest candidate; bounds the time spent measuring."""
TRIAL_SECONDS = 0.04
"""The work of a trial doubles from round to round until it takes about this long."""
SECONDS_PER_CANDIDATE = 0.35
"""Limit of all trials together, divided by the number of candidates, unless `MIN_ROUNDS` take longer."""
MIN_ROUNDS = 4
PATIENCE_SECONDS = 0.05
"""A candidate with several threads drops out once it is this far behind the fastest, and `_FAR_BEHIND` times slower."""
_FAR_BEHIND = 1.5
_MORE_THREADS, _FEWER_THREADS = 1.1, 1.05
"""Speedup at which more, or fewer, threads replace those in use."""
_BFLOAT16 = 1.15
"""Speedup at which bfloat16 replaces float32."""


@dataclass(frozen=True, kw_only=True, order=True)
class Candidate:
    """One way to compute a step."""

    num_threads: int
    precision: str = "float32"


RunTrial = Callable[[Candidate, int, int], tuple[int, float]]
"""(candidate, round, size): processes that round's batch at that size; returns its characters and the seconds."""


@dataclass(kw_only=True)
class Calibration:
    """The measured seconds of each candidate, round by round, on the same work."""

    num_chars: list[int] = field(default_factory=list)
    """Characters processed in each round."""
    seconds: dict[Candidate, list[float]] = field(default_factory=dict)
    """A candidate that dropped out has fewer rounds."""

    def ratio(self, candidate: Candidate, other: Candidate) -> float:
        """Return the speedup of `candidate` over `other` in the later half of the rounds that both ran.

        It is the smaller of the speedup over all of those rounds and the median: a chance delay of `other` does not
        make `candidate` fast, and rare but long delays of `candidate` count in full.
        """
        pairs = list(zip(self.seconds[other], self.seconds[candidate], strict=False))
        others, own = np.array(pairs[len(pairs) // 2 :]).T
        return float(min(others.sum() / own.sum(), np.median(others / own)))

    def chars_per_second(self, candidate: Candidate) -> float:
        """Return the mean speed over all rounds of the candidate."""
        own = self.seconds[candidate]
        return sum(self.num_chars[: len(own)]) / sum(own)


def thread_counts(num_cores: int) -> list[int]:
    """Return the candidate numbers of threads for so many cores: the powers of two, and all cores."""
    most = min(num_cores, MAX_THREADS)
    return sorted({2**power for power in range(most.bit_length())} | {most})


_Variant = TypeVar("_Variant")


def rotated(variants: Sequence[_Variant], number: int) -> list[_Variant]:
    """Return the order of `variants` in round `number`: each round starts with another one."""
    first = number % len(variants)
    return [*variants[first:], *variants[:first]]


def calibrate(candidates: Sequence[Candidate], run_trial: RunTrial, clock: Callable[[], float]) -> Calibration:
    """Run rounds of trials until one candidate is left or the time is over. `run_trial` may raise to abort."""
    calibration = Calibration(seconds={candidate: [] for candidate in candidates})
    deadline = clock() + SECONDS_PER_CANDIDATE * len(candidates)
    remaining, size, number = list(candidates), 1, 0
    while True:
        began, num_chars = clock(), 0
        for candidate in rotated(remaining, number):
            num_chars, seconds = run_trial(candidate, number, size)
            calibration.seconds[candidate].append(seconds)
        calibration.num_chars.append(num_chars)
        remaining = _not_far_behind(calibration.seconds, remaining)
        growth = 2 if min(calibration.seconds[candidate][-1] for candidate in remaining) < TRIAL_SECONDS / 2 else 1
        number += 1
        is_over = clock() + growth * (clock() - began) > deadline
        if len(remaining) == 1 or (is_over and number >= MIN_ROUNDS):
            return calibration
        size *= growth


def _not_far_behind(seconds: dict[Candidate, list[float]], remaining: list[Candidate]) -> list[Candidate]:
    """Return the candidates that are not far behind the fastest.

    One thread never drops out: it can't block itself, so if it is behind, that is a chance delay.
    """
    totals = {candidate: sum(seconds[candidate]) for candidate in remaining}
    most = max(_FAR_BEHIND * min(totals.values()), min(totals.values()) + PATIENCE_SECONDS)
    return [candidate for candidate in remaining if candidate.num_threads == 1 or totals[candidate] < most]


def best_count(calibration: Calibration, in_use: Candidate) -> Candidate:
    """Return the candidate `in_use`, unless one with another number of threads is clearly faster."""
    best = in_use
    for candidate in sorted(calibration.seconds):
        needed = _MORE_THREADS if candidate.num_threads > best.num_threads else _FEWER_THREADS
        if candidate != best and calibration.ratio(candidate, best) > needed:
            best = candidate
    return best


def best_precision(calibration: Calibration) -> Candidate:
    """Return the candidate in float32, unless that in bfloat16 is clearly faster."""
    bfloat16, float32 = sorted(calibration.seconds, key=lambda candidate: candidate.precision)
    return bfloat16 if calibration.ratio(bfloat16, float32) > _BFLOAT16 else float32


FIRST_COLUMNS = 4
"""Characters per tweet in the first round: few, since some candidates may be much slower than others."""


def first_columns(batch: Batch, num_columns: int) -> Batch:
    """Return a batch of the first characters of each tweet."""
    inputs, targets = batch.inputs[:, :num_columns], batch.targets[:, :num_columns]
    return Batch(inputs, targets, num_targets=int((targets != PAD).sum()))


class TrialAbortedError(Exception):
    """The trials are to stop: something else is to be done first."""


class Trials:
    """Forward and backward passes of one batch. They leave trainer and torch in the precision and threads of the last.

    The first pass of a candidate at a size is not timed: it allocates memory, starts threads, and compiles in bfloat16.
    """

    def __init__(self, trainer: Trainer, batches: Sequence[Batch], should_stop: Callable[[], bool]) -> None:
        """Use the batch of median length; once `should_stop` returns true, a trial raises `TrialAbortedError`."""
        self._trainer = trainer
        self._batch = sorted(batches, key=lambda batch: batch.num_targets)[len(batches) // 2]
        self._should_stop = should_stop
        self._warm: set[tuple[Candidate, int]] = set()

    def run(self, candidate: Candidate, size: int, clock: Callable[[], float]) -> tuple[int, float]:
        """Return the characters of a trial, and its seconds on this clock."""
        if self._should_stop():
            raise TrialAbortedError
        batch = first_columns(self._batch, FIRST_COLUMNS * size)
        torch.set_num_threads(candidate.num_threads)
        if (candidate, batch.inputs.shape[1]) not in self._warm:
            self._warm.add((candidate, batch.inputs.shape[1]))
            self._trainer.forward_backward(batch, candidate.precision)
        began = clock()
        self._trainer.forward_backward(batch, candidate.precision)
        return batch.num_targets, max(clock() - began, 1e-9)

    def in_seconds(self, candidate: Candidate, _: int, size: int) -> tuple[int, float]:
        """Run a trial; its time is that on the clock, in which threads wait for busy cores and for each other."""
        return self.run(candidate, size, time.perf_counter)

    def in_cpu_seconds(self, candidate: Candidate, _: int, size: int) -> tuple[int, float]:
        """Run a trial; its time is that of this thread on a core, which other processes hardly change."""
        return self.run(candidate, size, time.thread_time)


WINDOW_SECONDS = 1.5
LOW_SHARE = 0.7
"""A window is low if its speed is below this share of the expected one."""
MAX_LOW_WINDOWS = 3
STEP_SHARE = 0.7
"""Minimum speed of a whole step, as a share of the measured speed of the forward and backward pass alone."""
MIN_DROP_SECONDS = 30.0
MIN_CHECK_SECONDS, MAX_CHECK_SECONDS = 20.0, 480.0


class SlowdownDetector:
    """Speed of one run's steps since the last measurement."""

    def __init__(self) -> None:
        """Start without a measurement: the expected speed is that of the steps so far."""
        self._expected = 0.0
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0
        self._since_drop = math.inf
        self._drop_seconds = MIN_DROP_SECONDS / 2  # doubled after the first drop that changed nothing
        self._check_seconds = MIN_CHECK_SECONDS

    @property
    def has_dropped(self) -> bool:
        """Whether the steps have been much slower than expected for several seconds."""
        return self._low_windows >= MAX_LOW_WINDOWS and self._since_drop >= self._drop_seconds

    @property
    def should_measure(self) -> bool:
        """Whether it is time to measure again."""
        return self.has_dropped or self._since_measured >= self._check_seconds

    def add_step(self, seconds: float, num_chars: int) -> None:
        """Record the duration and the number of characters of a step."""
        self._seconds += seconds
        self._num_chars += num_chars
        if self._seconds < WINDOW_SECONDS:
            return
        rate = self._num_chars / self._seconds
        self._low_windows = self._low_windows + 1 if rate < LOW_SHARE * self._expected else 0
        self._expected = max(self._expected, rate)
        self._since_measured += self._seconds
        self._since_drop += self._seconds
        self._seconds, self._num_chars = 0.0, 0

    def restart(self, measured: float, *, has_changed: bool) -> None:
        """Start over after a measurement of `measured` characters per second; threads or precision may have changed."""
        longer_check = min(MAX_CHECK_SECONDS, 2 * self._check_seconds)
        if self.has_dropped:
            longer = min(MAX_CHECK_SECONDS, 2 * self._drop_seconds)
            self._drop_seconds = MIN_DROP_SECONDS if has_changed else longer
            self._since_drop = 0.0
            has_lasted = self._since_measured >= MIN_CHECK_SECONDS
            self._check_seconds = MIN_CHECK_SECONDS if has_changed and has_lasted else longer_check
        elif not has_changed:
            self._check_seconds = longer_check
        self._expected = STEP_SHARE * measured
        self._seconds, self._num_chars = 0.0, 0
        self._low_windows = 0
        self._since_measured = 0.0

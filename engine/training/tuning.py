"""What is fastest on this machine: the sizes of a new model, the number of threads, and the precision on a CPU.

None of it can be known in advance. Two GPUs differ by a factor of thirty, and processors by a factor of three in what
bfloat16 and small batches gain or cost.

* **Before a new run** of the preset `auto`, new models are tried from the smallest on (`NewModelSpeeds`): their speeds
  choose the sizes, and the candidate that was fastest trains the run.
* **Other new runs** take their first step on two threads in float32, and are measured after it (`ThreadTuner`). The
  trials change neither weights nor optimizer nor any generator, so only the rounding of the computation depends on a
  clock.
* **Later**, threads alone are measured again when the steps have become slow, and from time to time
  (`SlowdownDetector`).

**Fixed** is all of it in a repeatable run: the same command must give the same run, which a clock can't promise. A run
that continues from a checkpoint keeps the checkpoint's choice, as far as the machine has it. Several processes measure
nothing: they would disturb each other, and would have to agree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from engine.checkpoints.format import CheckpointInfo
from engine.compute import device
from engine.compute.device import Runtime, wait_for
from engine.compute.gpu_step import supported_precision
from engine.config.presets import PresetConfigs
from engine.config.run import Computation, ModelConfig, RunConfig, TrainingConfig
from engine.corpus.encoded_tweets import Batch
from engine.corpus.report import counted
from engine.corpus.training_data import TrainingData
from engine.memory import free_memory, is_out_of_memory
from engine.model.gru import TextGenerator
from engine.training.trainer import Trainer
from engine.training.trials import Candidate, Choices, Fastest, TrialAbortedError, Trials, fastest, median_batch

FIRST_THREADS = 2
"""Threads of a run before any measurement: 1.4 times as fast as one on idle cores, and at worst half as fast."""
MAX_THREADS = 8
"""Largest candidate; bounds the time spent measuring."""
START_SECONDS, LATER_SECONDS = 0.1, 0.35
"""Limit of a measurement for each candidate: of the first, for which the user waits, and of later ones."""


# What is open ---------------------------------------------------------------------------------------------------------
def initial_runtime(config: RunConfig, info: CheckpointInfo | None, *, is_shared: bool = False) -> Runtime:
    """Return the runtime that a run starts with. Raises `DeviceError` for what this machine lacks.

    Threads and precision of a checkpoint are limited to the cores, and to bfloat16 where the device trains in it.
    `is_shared` is a run of several processes.
    """
    wanted = config.runtime
    cores = device.available_cores()
    if info is None:
        runtime = Runtime.resolve(wanted)
    else:
        runtime = Runtime.resolve(replace(wanted, threads=wanted.threads or min(info.computation.num_threads, cores)))
        if wanted.precision == "auto" and (
            info.computation.precision == "float32" or device.may_train_in_bfloat16(runtime.device)
        ):
            runtime = replace(runtime, precision=info.computation.precision)
    is_open = choices_for(config, runtime, info).has_several and not (config.is_repeatable or is_shared)
    if runtime.device.type != "cpu" or not is_open:
        return runtime
    if info is None:
        return replace(runtime, num_threads=wanted.threads or min(FIRST_THREADS, cores), tuning="due")
    return replace(runtime, tuning=info.computation.tuning or "measured")


def choices_for(config: RunConfig, runtime: Runtime, info: CheckpointInfo | None) -> Choices:
    """Return what the user left open of threads and precision, for a run that starts as `runtime`.

    The precision of a checkpoint is open only if it was saved before any measurement.
    """
    wanted = config.runtime
    counts = {wanted.threads} if wanted.threads else {*thread_counts(device.available_cores()), runtime.num_threads}
    is_open = (
        wanted.precision == "auto" and device.cpu_has_bfloat16() and (info is None or info.computation.tuning == "due")
    )
    return Choices(
        counts=tuple(sorted(counts)), precisions=("float32", "bfloat16") if is_open else (runtime.precision,)
    )


def thread_counts(num_cores: int) -> list[int]:
    """Return the candidate numbers of threads for so many cores: the powers of two, and all cores."""
    most = min(num_cores, MAX_THREADS)
    return sorted({2**power for power in range(most.bit_length())} | {most})


# Before the first step ------------------------------------------------------------------------------------------------
_COMPARED = PresetConfigs(
    model=ModelConfig(embedding_size=256, hidden_size=256, tied_embeddings=True), training=TrainingConfig(batch_size=64)
)
SPEED_SECONDS = {"cpu": 0.06, "mps": 0.3, "cuda": 0.3}
"""Time for the speed of each model and batch size."""
_WARM_UP_STEPS = {"cpu": 1, "mps": 4, "cuda": 4}
"""Enough for kernels to be compiled, and for a step to be recorded as a CUDA graph."""
_Sizes = tuple[int, int, int]


class NewModelSpeeds:
    """How fast new models train on some tweets, and in which threads and precision; draws from torch's generators.

    All open threads and precisions are tried with the first model; with others, the threads that were fastest with it;
    and with another batch size, what was fastest with that model.
    """

    def __init__(
        self,
        config: RunConfig,
        runtime: Runtime,
        data: TrainingData,
        build: Callable[[ModelConfig], TextGenerator],
        check: Callable[[], None],
    ) -> None:
        """`runtime` is that of the start; `build` makes a model, and `check`, called in between, may raise."""
        self.runtime = runtime
        self._choices = choices_for(config, runtime, None)
        self._data = data
        self._build = build
        self._check = check
        self._speeds: dict[tuple[_Sizes, int], float] = {}
        """By model and batch size."""
        self._runtimes: dict[_Sizes, Runtime] = {}

    def speed_of(self, configs: PresetConfigs) -> float:
        """Return the characters per second of training with these settings; 0 where memory does not suffice."""
        key = _sizes_of(configs.model), configs.training.batch_size
        if key not in self._speeds:
            try:
                self._speeds[key] = self._measure(configs)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._speeds[key] = 0.0
            free_memory(self.runtime.device)
        return self._speeds[key]

    def runtime_for(self, model: ModelConfig) -> Runtime:
        """Return the fastest runtime for a model, or that of the start where the model was not measured."""
        return self._runtimes.get(_sizes_of(model), self.runtime)

    def _measure(self, configs: PresetConfigs) -> float:
        """Find the fastest runtime for a model unless it is known, and return the speed in it."""
        training, runtime = configs.training, self.runtime_for(configs.model)
        runtime.apply()
        self._check()
        batches = self._data.some_batches(training.batch_size)
        model = self._build(configs.model).to(runtime.device)
        precision = supported_precision(model, training.batch_size, runtime.precision)
        trainer = Trainer(model, training, replace(runtime, precision=precision))
        if runtime.tuning == "due":
            found = fastest(Trials(trainer, batches, self._check), candidate_of(runtime), self._choices, START_SECONDS)
            runtime = self._runtimes[_sizes_of(configs.model)] = measured(runtime, found)
            self.runtime = replace(self.runtime, num_threads=runtime.num_threads)
            self._choices = replace(self._choices, counts=(runtime.num_threads,))
            trainer.use_precision(runtime.precision)
            runtime.apply()
        return _chars_per_second(trainer, median_batch(batches))


def _sizes_of(model: ModelConfig) -> _Sizes:
    """Return what the speed of a model depends on."""
    return model.embedding_size, model.hidden_size, model.num_layers


def measured(runtime: Runtime, found: Fastest) -> Runtime:
    """Return a runtime with the threads and the precision that were found to be fastest."""
    best = found.candidate
    return replace(runtime, num_threads=best.num_threads, precision=best.precision, tuning="measured")


def candidate_of(runtime: Runtime) -> Candidate:
    """Return the candidate that a runtime is."""
    return Candidate(num_threads=runtime.num_threads, precision=runtime.precision)


def _chars_per_second(trainer: Trainer, batch: Batch) -> float:
    """Return the speed of whole steps on the batch; steps that are in progress when the time is over are completed."""
    device_type = trainer.model.device.type

    def take_steps(count: int) -> None:
        for _ in range(count):
            trainer.step(batch, learning_rate=1e-8)
        wait_for(trainer.model.device)

    take_steps(_WARM_UP_STEPS[device_type])
    num_steps, began = 0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < SPEED_SECONDS[device_type]:
        count = 1 if device_type == "cpu" else max(1, num_steps)  # on a device, waiting takes time
        take_steps(count)
        num_steps += count
    trainer.close()
    return num_steps * batch.num_targets / seconds


def new_model_speeds(
    config: RunConfig,
    runtime: Runtime,
    data: TrainingData,
    build: Callable[[ModelConfig], TextGenerator],
    check: Callable[[], None],
) -> NewModelSpeeds:
    """Return the speeds on `runtime`, or on the CPU where `--device auto` chose MPS and the CPU trains faster."""
    speeds = NewModelSpeeds(config, runtime, data, build, check)
    if runtime.device.type != "mps" or config.runtime.device != "auto":
        return speeds
    on_cpu = initial_runtime(replace(config, runtime=replace(config.runtime, device="cpu")), None)
    return max((speeds, NewModelSpeeds(config, on_cpu, data, build, check)), key=lambda each: each.speed_of(_COMPARED))


# Between steps --------------------------------------------------------------------------------------------------------
RETRY_SECONDS = 1.0
"""Seconds of steps before an abandoned measurement is repeated."""


class ThreadTuner:
    """Adapts the threads of a run while it trains, and at first its precision. Used by the session's thread."""

    def __init__(self, choices: Choices, batches: Callable[[], Sequence[Batch]], *, is_due: bool) -> None:
        """`batches` returns some for trials; `is_due` if nothing is measured yet."""
        self._choices = choices
        self._batches = batches
        self._is_due = is_due
        self._seconds = self._retry_at = 0.0
        """Seconds of steps so far, and those from which on an abandoned measurement is repeated."""
        self._has_stepped = False
        self._slowdown_detector = SlowdownDetector()

    @classmethod
    def for_run(
        cls, config: RunConfig, info: CheckpointInfo | None, runtime: Runtime, batches: Callable[[], Sequence[Batch]]
    ) -> ThreadTuner | None:
        """Return the tuner of a run that starts as `runtime`; None where nothing is to be measured."""
        choices = choices_for(config, runtime, info)
        if runtime.device.type != "cpu" or runtime.tuning == "fixed" or not choices.has_several:
            return None
        return cls(choices, batches, is_due=runtime.tuning == "due")

    def record_step(self, seconds: float, num_chars: int, *, is_small: bool) -> None:
        """Record the time of a step; steps of small batches are slower than those of the trials."""
        self._has_stepped = True
        self._seconds += seconds
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
        """Whether a measurement is due; never before the first step."""
        is_slow = len(self._choices.counts) > 1 and self._slowdown_detector.should_measure
        return self._has_stepped and self._seconds >= self._retry_at and (self._is_due or is_slow)

    def retune(self, trainer: Trainer, runtime: Runtime, should_stop: Callable[[], bool]) -> tuple[Runtime, float]:
        """Measure; return the best runtime and its speedup over the one in use, `runtime`. The trainer uses it.

        Once `should_stop` returns true the measurement is abandoned: the runtime stays, and a new one is due soon. If
        memory runs out, the runtime stays.
        """

        def check() -> None:
            if should_stop():
                raise TrialAbortedError

        in_use = candidate_of(runtime)
        found = Fastest(candidate=in_use, ratio=1.0, chars_per_second=0.0)
        is_abandoned = False
        try:
            trials = Trials(trainer, self._batches(), check)
            if self._is_due:
                found = fastest(trials, in_use, self._choices, START_SECONDS)
            else:
                found = fastest(trials, in_use, replace(self._choices, precisions=(in_use.precision,)), LATER_SECONDS)
        except TrialAbortedError:
            is_abandoned = True
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        finally:
            trainer.use_precision(found.candidate.precision)
            torch.set_num_threads(found.candidate.num_threads)
        if is_abandoned:
            self._retry_at = self._seconds + RETRY_SECONDS
            return runtime, 1.0
        self._is_due = False
        self._slowdown_detector.restart(found.chars_per_second, has_changed=found.candidate != in_use)
        return measured(runtime, found), found.ratio


WINDOW_SECONDS = 1.5
LOW_SHARE = 0.7
"""A window is low if its speed is below this share of the expected one."""
MAX_LOW_WINDOWS = 3
STEP_SHARE = 0.7
"""Minimum speed of a whole step, as a share of the measured speed of the forward and backward pass alone."""
MIN_DROP_SECONDS = 30.0
MIN_CHECK_SECONDS, MAX_CHECK_SECONDS = 20.0, 480.0


class SlowdownDetector:
    """Speed of one run's steps since the last measurement, and whether it is time to measure again.

    Only time spent in steps counts, so pauses, evaluations and sampling never look like a slowdown. There are two
    reasons to measure again: the steps are much slower than expected (another process started), or a long time has
    passed (it may have ended). Each measurement that changed nothing doubles the wait before the next one.
    """

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


# In words -------------------------------------------------------------------------------------------------------------
def runtime_change(before: Runtime, after: Runtime, ratio: float) -> str:
    """Return in words how precision or threads changed, which makes steps `ratio` times as fast; "" if not."""
    if (before.precision, before.num_threads) == (after.precision, after.num_threads):
        return ""
    return (
        f"{after.precision} on {counted(after.num_threads, 'thread')} in place of {before.precision} on "
        f"{before.num_threads}, {ratio:.1f} times as fast"
    )


def computation_changes(before: Computation, now: Computation) -> str:
    """Return how the steps are computed differently from those before a checkpoint, in words; "" if they are not."""
    changes = [
        f"{new} in place of {old}"
        for new, old in ((now.device, before.device), (now.precision, before.precision))
        if new != old
    ]
    if before.world_size != now.world_size:
        processes = "1 process" if now.world_size == 1 else f"{now.world_size} processes"
        changes.append(f"{processes} in place of {before.world_size}")
    if now.device == before.device == "cpu" and now.num_threads != before.num_threads:
        changes.append(f"{counted(now.num_threads, 'thread')} in place of {before.num_threads}")
        if before.num_threads > device.available_cores():
            changes[-1] += f" (the machine has {device.available_cores()} cores)"
    return ", ".join(changes)

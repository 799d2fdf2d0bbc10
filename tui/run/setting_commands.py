"""The commands that change a setting of a run: the step of a key, the expected answer, the inverse. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal, TypeGuard, get_args

from engine.config.run import MAX_LEARNING_RATE, MIN_LEARNING_RATE, TrainingConfig
from engine.config.sampling import MAX_TEMPERATURE, MIN_TEMPERATURE, SamplingConfig
from engine.protocol.commands import Command, SetBatchSize, SetIntervals, SetLearningRate, SetSampling, SetSpeedLimit
from engine.protocol.events import BatchSizeChanged, Event, IntervalsChanged, LearningRateChanged, SamplingChanged
from engine.protocol.insight import SpeedLimitChanged
from tui.formatting.numbers import format_count, format_learning_rate, format_temperature, shortened
from tui.formatting.sampling import SETTING_LABELS, format_setting
from tui.run.view import RunView

Interval = Literal["eval_every", "sample_every"]
SettingCommand = SetSampling | SetLearningRate | SetBatchSize | SetIntervals | SetSpeedLimit
INTERVALS_IN_STEPS: tuple[Interval, ...] = get_args(Interval)

TEMPERATURE_STEP = 0.05
LEARNING_RATE_FACTOR = 10**0.1
"""Ten steps are a factor of ten."""
_MAX_VALUE_CELLS = 24


def is_setting(command: Command) -> TypeGuard[SettingCommand]:
    """Return whether a command changes a setting."""
    return isinstance(command, SettingCommand)


def other_temperature(view: RunView, direction: int) -> SetSampling:
    """Return the command for one temperature step up (1) or down (-1) from what is shown."""
    temperature = round(view.sampling.temperature + direction * TEMPERATURE_STEP, 2)
    temperature = min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE)
    return SetSampling(sampling=replace(view.sampling, temperature=temperature))


def other_learning_rate(view: RunView, direction: int) -> SetLearningRate:
    """Return the command for one step of the peak learning rate up (1) or down (-1) from what is shown."""
    training = view.training or TrainingConfig()
    rate = float(f"{training.learning_rate * LEARNING_RATE_FACTOR**direction:.6g}")
    return SetLearningRate(learning_rate=min(max(rate, MIN_LEARNING_RATE), MAX_LEARNING_RATE))


def expected_answer(command: SettingCommand, view: RunView) -> Event:
    """Return the event that will answer `command`, as far as a screen can predict it."""
    step, seconds = view.step, view.elapsed_seconds
    match command:
        case SetSampling(sampling=sampling):
            return SamplingChanged(step=step, elapsed_seconds=seconds, sampling=sampling)
        case SetLearningRate(learning_rate=rate):
            return LearningRateChanged(step=step, elapsed_seconds=seconds, learning_rate=rate)
        case SetBatchSize(batch_size=size):
            return BatchSizeChanged(step=step, elapsed_seconds=seconds, batch_size=size, epochs=view.epoch)
        case SetIntervals():
            return IntervalsChanged(step=step, elapsed_seconds=seconds, **vars(command))
        case SetSpeedLimit(steps_per_second=limit):
            return SpeedLimitChanged(step=step, elapsed_seconds=seconds, steps_per_second=limit)


def inverse_of(command: SettingCommand, view: RunView) -> SettingCommand:
    """Return the command that restores what `command` changes to its value in `view`."""
    training = view.training or TrainingConfig()
    match command:
        case SetSampling():
            return SetSampling(sampling=view.sampling)
        case SetLearningRate():
            return SetLearningRate(learning_rate=training.learning_rate)
        case SetBatchSize():
            return SetBatchSize(batch_size=training.batch_size)
        case SetIntervals():
            return intervals_of(training)
        case SetSpeedLimit():
            return SetSpeedLimit(steps_per_second=view.speed_limit)


def intervals_of(training: TrainingConfig) -> SetIntervals:
    """Return the command that sets the intervals of `training`."""
    return SetIntervals(
        eval_every=training.eval_every, sample_every=training.sample_every, sample_pacing=training.sample_pacing
    )


def with_interval(intervals: SetIntervals, name: Interval, steps: int) -> SetIntervals:
    """Return the command that changes one interval; tweets are then sampled at that interval alone."""
    if name == "eval_every":
        return replace(intervals, eval_every=steps)
    return replace(intervals, sample_every=steps, sample_pacing="interval")


def undo_description(inverse: SettingCommand, command: SettingCommand) -> str:
    """Describe what `inverse`, of the type of `command`, restores; empty where both set the same."""
    return ", ".join(_differences(inverse, command))


def _differences(back: SettingCommand, command: SettingCommand) -> Iterator[str]:
    """Yield each setting that differs, with its value in `back`."""
    match back, command:
        case SetSampling(sampling=sampling), SetSampling(sampling=other):
            yield from _sampling_differences(sampling, other)
        case SetLearningRate(learning_rate=rate), SetLearningRate(learning_rate=other_rate) if rate != other_rate:
            yield f"learning rate back to {format_learning_rate(rate)}"
        case SetBatchSize(batch_size=size), SetBatchSize(batch_size=other_size) if size != other_size:
            yield f"batch size back to {format_count(size)}"
        case SetSpeedLimit(steps_per_second=limit), SetSpeedLimit(steps_per_second=other_limit) if limit != other_limit:
            yield f"speed limit back to {format_speed_limit(limit)}" if limit else "speed limit lifted"
        case SetIntervals(), SetIntervals():
            if back.eval_every != command.eval_every:
                yield f"evaluations back to {format_interval(back.eval_every)}"
            if format_samples(back) != format_samples(command):
                yield f"tweets back to {format_samples(back)}"


def format_interval(interval: int) -> str:
    """Describe an interval of steps, where 0 is never."""
    return f"every {format_count(interval)} steps" if interval else "never"


def format_samples(intervals: SetIntervals) -> str:
    """Describe when tweets are sampled."""
    is_timed = intervals.sample_every and intervals.sample_pacing == "seconds"
    return "about one every 2 seconds" if is_timed else format_interval(intervals.sample_every)


def format_speed_limit(steps_per_second: float) -> str:
    """Return a speed limit, not 0: "5 steps/s"."""
    return f"{steps_per_second:g} step{'' if steps_per_second == 1 else 's'}/s"


def _sampling_differences(sampling: SamplingConfig, other: SamplingConfig) -> Iterator[str]:
    if sampling.temperature != other.temperature:
        yield f"temperature back to {format_temperature(sampling.temperature)}"
    if sampling.prime != other.prime:
        yield f"prime back to “{shortened(sampling.prime, _MAX_VALUE_CELLS)}”" if sampling.prime else "prime cleared"
    for name, label in SETTING_LABELS.items():
        if getattr(sampling, name) != getattr(other, name):
            yield f"{label} back to {shortened(format_setting(name, sampling), _MAX_VALUE_CELLS)}"

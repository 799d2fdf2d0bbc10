"""The commands that change settings of a run: the step of a key, the expected answer, the inverse, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, get_args

from engine.config.run import (
    LIVE_SETTINGS,
    MAX_LEARNING_RATE,
    MIN_LEARNING_RATE,
    Setting,
    TrainingConfig,
    implied_settings,
)
from engine.config.sampling import MAX_TEMPERATURE, MIN_TEMPERATURE, SamplingConfig
from engine.protocol.commands import ChangeSettings
from engine.protocol.events import SettingsChanged
from tui.formatting.numbers import format_count, format_learning_rate, format_temperature, shortened
from tui.formatting.sampling import SETTING_LABELS, format_setting
from tui.run.view import RunView

Interval = Literal["eval_every", "sample_every"]
INTERVALS_IN_STEPS: tuple[Interval, ...] = get_args(Interval)

TEMPERATURE_STEP = 0.05
LEARNING_RATE_FACTOR = 10**0.1
"""Ten steps are a factor of ten."""
_MAX_VALUE_CELLS = 24


def other_temperature(view: RunView, direction: int) -> ChangeSettings:
    """Return the command for one temperature step up (1) or down (-1) from what is shown."""
    temperature = round(view.sampling.temperature + direction * TEMPERATURE_STEP, 2)
    return ChangeSettings(settings={"temperature": min(max(temperature, MIN_TEMPERATURE), MAX_TEMPERATURE)})


def other_learning_rate(view: RunView, direction: int) -> ChangeSettings:
    """Return the command for one step of the peak learning rate up (1) or down (-1) from what is shown."""
    training = view.training or TrainingConfig()
    rate = float(f"{training.learning_rate * LEARNING_RATE_FACTOR**direction:.6g}")
    return ChangeSettings(settings={"learning_rate": min(max(rate, MIN_LEARNING_RATE), MAX_LEARNING_RATE)})


def other_sampling(view: RunView, sampling: SamplingConfig) -> ChangeSettings:
    """Return the command for other sampling settings than those shown."""
    shown = vars(view.sampling)
    return ChangeSettings(settings={name: value for name, value in vars(sampling).items() if value != shown[name]})


def other_interval(training: TrainingConfig, name: Interval, steps: int) -> dict[str, Setting]:
    """Return the settings for this interval, at which alone tweets are then sampled; none if `training` has them."""
    settings: dict[str, Setting] = {name: steps}
    if name == "sample_every":
        settings["sample_pacing"] = "interval"
    return settings if settings.items() - vars(training).items() else {}


def expected_answer(settings: Mapping[str, Setting], view: RunView) -> SettingsChanged:
    """Return the event that will answer the command to change these settings."""
    changed = {**settings, **implied_settings(settings, view.training or TrainingConfig())}
    return SettingsChanged(step=view.step, elapsed_seconds=view.elapsed_seconds, settings=changed, epochs=view.epoch)


def inverse_of(command: ChangeSettings, view: RunView) -> ChangeSettings:
    """Return the command that restores what `command` changes to its values in `view`."""
    training = view.training or TrainingConfig()
    values = vars(training) | vars(view.sampling)
    changed = LIVE_SETTINGS.intersection([*command.settings, *implied_settings(command.settings, training)])
    return ChangeSettings(settings={name: value for name, value in values.items() if name in changed})


def undo_description(inverse: ChangeSettings, command: ChangeSettings) -> str:
    """Describe what `inverse` restores after `command`; empty where both set the same, and for a budget."""
    return ", ".join(_differences(inverse.settings, command.settings))


def _differences(back: Mapping[str, Setting], settings: Mapping[str, Setting]) -> Iterator[str]:
    """Yield each setting that differs, with its value in `back`."""
    for name, words in UNDO_WORDS.items():
        if name in back and name in settings and settings[name] != back[name]:
            yield words(back[name])
    if "sample_every" in settings and format_samples(back) != format_samples(settings):
        yield f"tweets back to {format_samples(back)}"


def format_interval(interval: int) -> str:
    """Describe an interval of steps, where 0 is never."""
    return f"every {format_count(interval)} steps" if interval else "never"


def format_samples(settings: Mapping[str, Setting]) -> str:
    """Describe when tweets are sampled."""
    is_timed = settings["sample_every"] and settings.get("sample_pacing") == "seconds"
    return "about one every 2 seconds" if is_timed else format_interval(settings["sample_every"])


def format_speed_limit(steps_per_second: float) -> str:
    """Return a speed limit, not 0: "5 steps/s"."""
    return f"{steps_per_second:g} step{'' if steps_per_second == 1 else 's'}/s"


def _setting_back(name: str, value: Setting) -> str:
    return f"{SETTING_LABELS[name]} back to {shortened(format_setting(name, value), _MAX_VALUE_CELLS)}"


UNDO_WORDS: Mapping[str, Callable[[Any], str]] = {
    "temperature": lambda value: f"temperature back to {format_temperature(value)}",
    "prime": lambda value: f"prime back to “{shortened(value, _MAX_VALUE_CELLS)}”" if value else "prime cleared",
    **{name: partial(_setting_back, name) for name in SETTING_LABELS},
    "learning_rate": lambda value: f"learning rate back to {format_learning_rate(value)}",
    "batch_size": lambda value: f"batch size back to {format_count(value)}",
    "steps_per_second": lambda value: (
        f"speed limit back to {format_speed_limit(value)}" if value else "speed limit lifted"
    ),
    "eval_every": lambda value: f"evaluations back to {format_interval(value)}",
}
"""The words for a setting that an undo restores to a value, in the order of a description; budgets have no undo."""

"""Presets: `tutorial` is the tutorial's own settings, `auto` fits corpus, device and budget. Imports no torch.

The measurements behind the numbers of `auto` are in docs/recipes.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from engine.config.fields import with_settings
from engine.config.run import ModelConfig, PresetName, Schedule, Setting, TrainingConfig

CHARS_PER_SECOND = 75_000.0
"""Training speed of the smallest recipe for a CPU by rule; converts a budget in steps or epochs to seconds."""
_HIDDEN_SIZE_LIMITS = {1_000_000: 256, 3_000_000: 384}
"""Largest hidden size for a corpus of fewer characters than the key."""
MIN_CHARS_FOR_TWO_LAYERS = 300_000
"""A smaller corpus has a model of one layer."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of `auto` for some budgets."""

    hidden_size: int
    num_layers: int
    learning_rate: float
    batch_size: int = 32
    min_chars: float = 0.0
    """Smallest budget, in characters, from which on no smaller model learns more in the same time."""
    chars_per_second: float = 0.0
    """Training speed on a CPU by rule: that of one thread in float32."""


FOR_CPU = (
    Recipe(hidden_size=256, num_layers=1, learning_rate=0.004, chars_per_second=CHARS_PER_SECOND),
    Recipe(min_chars=5e6, hidden_size=256, num_layers=2, learning_rate=0.004, chars_per_second=35_000),
    Recipe(min_chars=9e6, hidden_size=384, num_layers=2, learning_rate=0.002, chars_per_second=16_000),
    Recipe(min_chars=2.8e7, hidden_size=512, num_layers=2, learning_rate=0.0015, chars_per_second=9_500),
)
"""Smallest model first. The largest one's limit is a guess, the others are between budgets that were tried."""
FOR_DEVICES = (
    Recipe(min_chars=5.6e7, hidden_size=1024, num_layers=1, learning_rate=0.002, batch_size=128),
    Recipe(min_chars=2.8e7, hidden_size=512, num_layers=2, learning_rate=0.002, batch_size=128),
    Recipe(min_chars=4e6, hidden_size=384, num_layers=2, learning_rate=0.002, batch_size=128),
    Recipe(hidden_size=256, num_layers=1, learning_rate=0.004, batch_size=128),
)
"""Largest model first. The budgets are about 9 characters per weight, as between the models for a CPU."""
RULE_SPEEDS = {"cuda": 1e6, "mps": 33_000.0}
"""Assumed where speed is not measured. MPS runs a GRU step by step: the model's size hardly matters."""
WITHOUT_BUDGET_SECONDS = 180.0
"""Budget assumed where none is set: its recipe is good after three minutes, and still improves later."""


def hidden_size_limit(num_train_chars: int) -> float:
    """Return the largest hidden size for a corpus of that many characters."""
    return min((size for limit, size in _HIDDEN_SIZE_LIMITS.items() if num_train_chars < limit), default=math.inf)


OVERFIT_PACE: Mapping[str, Setting] = {"steps_per_second": 7.0}
"""Settings of a run on a single tweet that is watched: in 10 to 20 seconds its loss falls below 0.05."""
_CHARS_PER_TWEET = 75


@dataclass(frozen=True, kw_only=True)
class PresetConfigs:
    """The configs that a preset resolves to."""

    model: ModelConfig
    training: TrainingConfig

    def with_settings(self, settings: Mapping[str, Setting]) -> PresetConfigs:
        """Return the configs overridden by these settings."""
        return PresetConfigs(model=with_settings(self.model, settings), training=with_settings(self.training, settings))


SpeedOf = Callable[[PresetConfigs], float]
"""Returns the speed of a training with these configs in characters per second; 0 for a model that does not fit."""
_WARM_LEARNING_RATE = 0.002
"""Of a run that starts from trained weights."""
_WARMUP_STEPS, _SMALL_WARMUP_STEPS = 100, 40
"""At most; the second where the first batches are small."""
_FIRST_BATCH_SIZE, _MAX_PRICE = 8, 2.0
"""On a CPU, where small steps cost less than twice as much for each character: words are learned in half of the time.
"""
_EPOCHS_PER_EVALUATION = 2.0
"""At most, so that a small corpus shows overfitting early; its evaluations are cheap, as it has few held-out tweets."""
_MIN_EVAL_EVERY = 25
_EARLY_EVAL_TWEETS = 250
"""An early evaluation takes the time of ten of the first steps; its figure is exact to about 0.03 bits."""
_EPOCHS_WITHOUT_BUDGET = 6.0
"""Assumed number of epochs, for the dropout; the length of such a run is unknown."""
_NGRAM_ORDER = 4
"""Characters of the longest context with an input of its own, on a CPU (docs/recipes.md)."""
_NGRAM_DECAY_PER_EPOCH, _MAX_NGRAM_DECAY = 100.0, 10.0
"""Sum of the decays of all steps in an epoch: the more tweets, the less the rows of the n-gram input overfit."""
_DROPOUTS = {40.0: 0.3, 15.0: 0.2, 6.0: 0.1}
"""Dropout by minimum number of epochs, highest first."""


def resolve_preset(
    preset: PresetName,
    settings: Mapping[str, Setting],
    num_train_chars: int,
    device_type: str,
    *,
    speed_of: SpeedOf | None = None,
    base: ModelConfig | None = None,
) -> PresetConfigs:
    """Return the configs of a preset, overridden by the user's `settings`.

    `num_train_chars` is the length of an epoch; `device_type` is "cpu", "cuda" or "mps". Sizes depend on the speed
    of training: as measured by `speed_of`, or by rule. With `base`, `auto` continues from a model of these sizes.
    Raises `ConfigError`.
    """
    configs = _tutorial()
    if preset == "auto" and base is not None:
        configs = _warm(base, settings, num_train_chars, device_type)
    elif preset == "auto" and device_type == "cpu":
        configs = _auto_on_cpu(settings, num_train_chars, speed_of)
    elif preset == "auto":
        speed = RULE_SPEEDS[device_type]
        configs = _auto_on_device(settings, num_train_chars, device_type, speed_of or (lambda _: speed))
    return configs.with_settings(settings)


def _tutorial() -> PresetConfigs:
    training = TrainingConfig(preset="tutorial", preset_reason="as in CSC321 Tutorial 11", pacing="seconds")
    return PresetConfigs(model=ModelConfig(), training=training)


def _auto_on_cpu(settings: Mapping[str, Setting], num_train_chars: int, speed_of: SpeedOf | None) -> PresetConfigs:
    """Return the largest model that the CPU trains enough in the budget and that the corpus is large enough for.

    Only a budget in seconds, or none, depends on the speed: one in steps or epochs counts as the seconds that they take
    by rule. Models are tried from the smallest on, and a larger one is slower.
    """
    budget = _chars_in_budget(settings, num_train_chars, CHARS_PER_SECOND, FOR_CPU[0].batch_size)
    seconds = WITHOUT_BUDGET_SECONDS if budget is None else budget / CHARS_PER_SECOND
    is_timed = "max_seconds" in settings or budget is None

    def configs_of(recipe: Recipe) -> PresetConfigs:
        return _from_recipe(recipe, settings, num_train_chars, "cpu", None).with_settings(settings)

    @cache
    def speed_with(recipe: Recipe) -> float:
        """Return the characters per second of the recipe's model, by rule where they are not measured."""
        return recipe.chars_per_second if speed_of is None or not is_timed else speed_of(configs_of(recipe))

    recipe, *larger = FOR_CPU
    for following in larger:
        if any(seconds * speed_with(each) < following.min_chars for each in (recipe, following)):
            break
        recipe = following
    begins_small = _may_begin_small(settings) and (
        speed_of is None or _are_small_batches_cheap(configs_of(recipe), speed_of)
    )
    num_chars = _chars_in_budget(settings, num_train_chars, speed_with(recipe), recipe.batch_size)
    return _from_recipe(recipe, settings, num_train_chars, "cpu", num_chars, begins_small=begins_small)


def _auto_on_device(
    settings: Mapping[str, Setting], num_train_chars: int, device_type: str, speed_of: SpeedOf
) -> PresetConfigs:
    """Return the largest model that the device can train in the budget and that the corpus is large enough for.

    Only a budget in seconds, or none, depends on the speed, and larger models are tried first.
    """
    is_timed = "max_seconds" in settings or not {"max_steps", "epochs"} & settings.keys()
    limit = float(settings.get("hidden_size", hidden_size_limit(num_train_chars)))

    @cache
    def num_chars_of(recipe: Recipe) -> float | None:
        """Return the characters in the budget at the speed of the recipe's model; None without a budget."""
        speed = speed_with(recipe) if is_timed else 0.0
        return _chars_in_budget(settings, num_train_chars, speed, recipe.batch_size)

    @cache
    def speed_with(recipe: Recipe) -> float:
        return speed_of(_from_recipe(recipe, settings, num_train_chars, device_type, None).with_settings(settings))

    def is_trained_enough(recipe: Recipe) -> bool:
        num_chars = num_chars_of(recipe)
        return (WITHOUT_BUDGET_SECONDS * speed_with(recipe) if num_chars is None else num_chars) >= recipe.min_chars

    *larger, smallest = FOR_DEVICES
    fitting = (recipe for recipe in larger if recipe.hidden_size <= limit and is_trained_enough(recipe))
    recipe = next(fitting, smallest)
    return _from_recipe(recipe, settings, num_train_chars, device_type, num_chars_of(recipe))


def _warm(base: ModelConfig, settings: Mapping[str, Setting], num_train_chars: int, device_type: str) -> PresetConfigs:
    """Return the settings of a run that starts from the weights of a model of the sizes `base`."""
    speed = RULE_SPEEDS.get(device_type, CHARS_PER_SECOND)
    recipe = Recipe(hidden_size=base.hidden_size, num_layers=base.num_layers, learning_rate=_WARM_LEARNING_RATE)
    num_chars = _chars_in_budget(settings, num_train_chars, speed, recipe.batch_size)
    begins_small = device_type == "cpu" and _may_begin_small(settings)  # for the length of the warm-up
    configs = _from_recipe(recipe, settings, num_train_chars, device_type, num_chars, begins_small=begins_small)
    model = replace(base, dropout=configs.model.dropout, ngram_order=configs.model.ngram_order)
    rate = _schedule_chosen(settings, has_budget=num_chars is not None)
    reason = f"the shipped model, hidden {base.hidden_size}, for {num_train_chars:,} characters on {device_type}{rate}"
    return PresetConfigs(model=model, training=replace(configs.training, preset_reason=reason, first_batch_size=0))


def _from_recipe(
    recipe: Recipe,
    settings: Mapping[str, Setting],
    num_train_chars: int,
    device_type: str,
    num_chars: float | None,
    *,
    begins_small: bool = False,
) -> PresetConfigs:
    """Return the settings of a recipe for a budget of `num_chars`, None without a budget."""
    hidden_size = int(min(recipe.hidden_size, hidden_size_limit(num_train_chars)))
    has_budget = num_chars is not None
    schedule: Schedule = "cooldown" if has_budget else "constant"
    is_deep = hidden_size == recipe.hidden_size and num_train_chars >= MIN_CHARS_FOR_TWO_LAYERS
    num_layers = recipe.num_layers if is_deep else 1
    size = _size_chosen(settings, hidden_size, num_layers)
    rate = _schedule_chosen(settings, has_budget=has_budget)
    num_layers = int(settings.get("num_layers", num_layers))
    first_batches = f", batches of {_FIRST_BATCH_SIZE} at first" if begins_small else ""
    chars_per_step = _chars_per_step(settings, recipe.batch_size)
    training = TrainingConfig(
        preset="auto",
        preset_reason=f"{size} for {num_train_chars:,} characters on {device_type}{first_batches}{rate}",
        batch_size=recipe.batch_size,
        first_batch_size=_FIRST_BATCH_SIZE if begins_small else 0,
        learning_rate=recipe.learning_rate,
        schedule=schedule,
        warmup_steps=_warmup_steps(
            _SMALL_WARMUP_STEPS if begins_small else _WARMUP_STEPS,
            math.inf if num_chars is None else num_chars / chars_per_step,
        ),
        ngram_decay=min(_NGRAM_DECAY_PER_EPOCH * chars_per_step / num_train_chars, _MAX_NGRAM_DECAY),
        max_grad_norm=1.0,
        average_lag=0.05,
        eval_every=_eval_every(500 if hidden_size <= 256 else 1000, num_train_chars / chars_per_step),
        early_eval_tweets=_EARLY_EVAL_TWEETS,
        sample_every=50,
        sample_pacing="seconds",
        pacing="seconds",
    )
    epochs = _EPOCHS_WITHOUT_BUDGET if num_chars is None else num_chars / num_train_chars
    model = _auto_model(settings, hidden_size, num_layers, epochs)
    if device_type == "cpu":
        model = replace(model, ngram_order=_NGRAM_ORDER)
    return PresetConfigs(model=model, training=training)


def _are_small_batches_cheap(configs: PresetConfigs, speed_of: SpeedOf) -> bool:
    """Return whether a character costs less than `_MAX_PRICE` times as much in the first batches as in whole ones."""
    small = configs.with_settings({"batch_size": _FIRST_BATCH_SIZE})
    return speed_of(configs) < _MAX_PRICE * speed_of(small)


def _may_begin_small(settings: Mapping[str, Setting]) -> bool:
    """Return whether the user left the size of the first batches open; a budget in steps is one of whole batches."""
    return not settings.keys() & {"batch_size", "max_steps"}


def _size_chosen(settings: Mapping[str, Setting], hidden_size: int, num_layers: int) -> str:
    """Return the sizes that the user did not set."""
    layers = f"{num_layers} layers" if num_layers > 1 and "num_layers" not in settings else ""
    if "hidden_size" in settings:
        return layers or "settings"
    return f"hidden {hidden_size}" + (f" in {layers}" if layers else "")


def _schedule_chosen(settings: Mapping[str, Setting], *, has_budget: bool) -> str:
    """Return the schedule with its reason; of one that the user set, only that it has no effect."""
    if "schedule" not in settings:
        return ", cooldown to the end of the budget" if has_budget else ", constant rate: no end is set"
    if has_budget or settings["schedule"] == "constant":
        return ""
    return f", {settings['schedule']} needs a budget, and none is set: the rate stays constant"


def _auto_model(settings: Mapping[str, Setting], hidden_size: int, num_layers: int, epochs: float) -> ModelConfig:
    """Return a model whose embeddings are tied unless the user set another embedding size."""
    hidden_size = int(settings.get("hidden_size", hidden_size))
    embedding_size = int(settings.get("embedding_size", hidden_size))
    return ModelConfig(
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        num_layers=num_layers,
        dropout=next((dropout for at_least, dropout in _DROPOUTS.items() if epochs >= at_least), 0.0),
        tied_embeddings=embedding_size == hidden_size,
    )


def _chars_per_step(settings: Mapping[str, Setting], batch_size: int) -> float:
    return float(settings.get("batch_size", batch_size)) * _CHARS_PER_TWEET


def _eval_every(most: int, steps_per_epoch: float) -> int:
    """Return the steps between evaluations: two epochs, but at least `_MIN_EVAL_EVERY` and at most `most`."""
    return min(most, max(round(_EPOCHS_PER_EVALUATION * steps_per_epoch), _MIN_EVAL_EVERY))


def _warmup_steps(most: int, num_steps: float) -> int:
    """Return the warm-up of a run of about `num_steps` steps: a tenth of them, at most `most`."""
    return most if num_steps / 10 >= most else max(1, round(num_steps / 10))


def _chars_in_budget(
    settings: Mapping[str, Setting], num_train_chars: int, chars_per_second: float, batch_size: int
) -> float | None:
    """Return the training characters that fit the smallest budget at this speed; None without a budget."""
    chars_per_unit = {
        "max_seconds": chars_per_second,
        "max_steps": _chars_per_step(settings, batch_size),
        "epochs": float(num_train_chars),
    }
    return min(
        (float(settings[name]) * chars for name, chars in chars_per_unit.items() if name in settings), default=None
    )

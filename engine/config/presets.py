"""Presets: `tutorial` is the tutorial's own settings, `auto` fits corpus, device and budget. Imports no torch.

The measurements behind the numbers of `auto` are in docs/recipes.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.config.fields import with_settings
from engine.config.run import ModelConfig, PresetName, Setting, TrainingConfig
from engine.config.scaling import (
    BATCH_SIZES,
    CHARS_PER_SECOND,
    CHARS_PER_TWEET,
    FIRST_BATCH_SIZES,
    MEASURED_BATCH_SIZES,
    RULE_BATCH_SIZE,
    SIZES,
    Size,
    best_plan,
    learning_rate_of,
)

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


FOR_DEVICES = (
    Recipe(min_chars=5.6e7, hidden_size=1024, num_layers=1, learning_rate=0.002, batch_size=128),
    Recipe(min_chars=2.8e7, hidden_size=512, num_layers=2, learning_rate=0.002, batch_size=128),
    Recipe(min_chars=4e6, hidden_size=384, num_layers=2, learning_rate=0.002, batch_size=128),
    Recipe(hidden_size=256, num_layers=1, learning_rate=0.004, batch_size=128),
)
"""Largest model first. The budgets are about 9 characters per weight, as between the models for a CPU."""
RULE_SPEEDS = {"cuda": 1e6, "mps": 33_000.0}
"""Characters per second where speed is not measured. MPS runs a GRU step by step: the model's size hardly matters."""
WITHOUT_BUDGET_SECONDS = 180.0
"""Budget assumed where none is set: its recipe is good after three minutes, and still improves later."""
OVERFIT_PACE: Mapping[str, Setting] = {"steps_per_second": 7.0}
"""Settings of a run on a single tweet that is watched: in 10 to 20 seconds its loss falls below 0.05."""
_WARM_LEARNING_RATE, _WARM_BATCH_SIZE = 0.002, 16
_MAX_WARM_DROPOUT, _WARM_AVERAGE_LAG = 0.1, 0.15
"""Settings of a run that starts from the shipped model, found on 500 to 2,000 tweets (docs/recipes.md)."""
_WARM_DECAY_PER_EPOCH, _MAX_WARM_DECAY = 25.0, 1.0
"""Sum of the weight decays of all steps in an epoch of such a run: the more tweets, the less they overfit."""
_WARMUP_STEPS, _SMALL_WARMUP_STEPS = 100, 40
"""Most warm-up steps; the second where the first batches are small, or all are."""
_EPOCHS_PER_EVALUATION = 2.0
"""Most epochs between two evaluations: a small corpus shows overfitting early, and has few held-out tweets to read."""
_MIN_EVAL_EVERY = 25
_EARLY_EVAL_TWEETS = 250
"""An early evaluation takes the time of ten of the first steps; its figure is exact to about 0.03 bits."""
_PATIENCE = 4
"""Evaluations that have risen, after which a run without a budget ends at its best (docs/recipes.md)."""
_EPOCHS_WITHOUT_BUDGET = 6.0
"""Assumed number of epochs, for the dropout; the length of such a run is unknown."""
_NGRAM_ORDER = 4
"""Characters of the longest context with an input of its own, on a CPU (docs/recipes.md)."""
_NGRAM_DECAY_PER_EPOCH, _MAX_NGRAM_DECAY = 100.0, 10.0
"""Sum of the decays of all steps in an epoch: the more tweets, the less the rows of the n-gram input overfit."""
_DROPOUTS = {40.0: 0.3, 15.0: 0.2, 6.0: 0.1}
"""Dropout by minimum number of epochs, highest first."""


@dataclass(frozen=True, kw_only=True)
class PresetConfigs:
    """The configs that a preset resolves to."""

    model: ModelConfig
    training: TrainingConfig

    def with_settings(self, settings: Mapping[str, Setting]) -> PresetConfigs:
        """Return the configs overridden by these settings."""
        return PresetConfigs(model=with_settings(self.model, settings), training=with_settings(self.training, settings))


SpeedsOf = Callable[[PresetConfigs, Sequence[int]], Sequence[float] | None]
"""Returns the characters per second of a training with these settings in batches of these sizes, the largest first.

They are 0 for a model that does not fit. None: there is no time to measure."""


def resolve_preset(
    preset: PresetName,
    settings: Mapping[str, Setting],
    num_train_chars: int,
    device_type: str,
    *,
    speeds_of: SpeedsOf | None = None,
    base: ModelConfig | None = None,
) -> PresetConfigs:
    """Return the configs of a preset, overridden by the user's `settings`.

    `num_train_chars` is the length of an epoch; `device_type` is "cpu", "cuda" or "mps". Sizes depend on the speed
    of training: as measured by `speeds_of`, or by rule. With `base`, `auto` continues from a model of these sizes.
    Raises `ConfigError`.
    """
    auto = _Auto(settings, num_train_chars, device_type)
    if preset == "tutorial":
        reason = "as in CSC321 Tutorial 11"
        training = TrainingConfig(preset="tutorial", preset_reason=reason, pacing="seconds")
        configs = PresetConfigs(model=ModelConfig(), training=training)
    elif base is not None:
        configs = auto.warm(base)
    elif device_type == "cpu":
        configs = auto.on_cpu(speeds_of)
    else:
        configs = auto.on_device(speeds_of or (lambda _, __: [RULE_SPEEDS[device_type]]))
    return configs.with_settings(settings)


@dataclass(frozen=True)
class _Auto:
    """The preset `auto` for a user's settings, a corpus of so many characters and a type of device.

    Only a budget in seconds, or none, depends on the speed of training.
    """

    settings: Mapping[str, Setting]
    num_train_chars: int
    device_type: str

    def on_cpu(self, speeds_of: SpeedsOf | None) -> PresetConfigs:
        """Return the model and the batches that a CPU learns most with in the budget, at the speeds that are measured.

        A budget in steps or epochs counts as the seconds that it takes the smallest model by rule, and the speeds of
        all are those by rule.
        """
        settings = self.settings
        budget = self._chars_in_budget(CHARS_PER_SECOND, RULE_BATCH_SIZE)
        seconds = WITHOUT_BUDGET_SECONDS if budget is None else budget / CHARS_PER_SECOND
        is_measured = speeds_of is not None and self._is_timed

        def measured(size: Size) -> Sequence[float] | None:
            rate = learning_rate_of(size, RULE_BATCH_SIZE)
            recipe = Recipe(hidden_size=size.hidden_size, num_layers=size.num_layers, learning_rate=rate)
            return None if speeds_of is None else speeds_of(self._trial(recipe), MEASURED_BATCH_SIZES)

        if is_measured:
            batches = [(size, first) for size in BATCH_SIZES for first in FIRST_BATCH_SIZES if first < size]
        else:
            batches = [(RULE_BATCH_SIZE, MEASURED_BATCH_SIZES[-1])]
        if not self._may_begin_small:
            batches = [(int(settings.get("batch_size", RULE_BATCH_SIZE)), 0)]
        plan = best_plan(self._sizes, batches, seconds, self.num_train_chars, measured if is_measured else None)
        num_chars = self._chars_in_budget(plan.num_chars / seconds, plan.batch_size)
        recipe = Recipe(
            hidden_size=plan.size.hidden_size,
            num_layers=plan.size.num_layers,
            learning_rate=learning_rate_of(plan.size, plan.batch_size),
            batch_size=plan.batch_size,
        )
        return self._configs(
            recipe,
            num_chars,
            first_batch_size=plan.first_batch_size,
            most_warmup=_SMALL_WARMUP_STEPS if plan.first_batch_size else _WARMUP_STEPS,
        )

    def on_device(self, speeds_of: SpeedsOf) -> PresetConfigs:
        """Return the largest model that the device can train in the budget and that the corpus is large enough for.

        Larger models are tried first.
        """
        limit = float(self.settings.get("hidden_size", self._hidden_size_limit))
        *larger, smallest = FOR_DEVICES
        recipe, num_chars = smallest, None
        for recipe in (*(each for each in larger if each.hidden_size <= limit), smallest):
            speeds = speeds_of(self._trial(recipe), (recipe.batch_size,)) if self._is_timed else None
            speed = speeds[0] if speeds else 0.0
            num_chars = self._chars_in_budget(speed, recipe.batch_size)
            if (WITHOUT_BUDGET_SECONDS * speed if num_chars is None else num_chars) >= recipe.min_chars:
                break
        return self._configs(recipe, num_chars)

    def warm(self, base: ModelConfig) -> PresetConfigs:
        """Return the settings of a run that starts from the weights of a model of the sizes `base`."""
        recipe = Recipe(
            hidden_size=base.hidden_size,
            num_layers=base.num_layers,
            learning_rate=_WARM_LEARNING_RATE,
            batch_size=_WARM_BATCH_SIZE,
        )
        num_chars = self._chars_in_budget(RULE_SPEEDS.get(self.device_type, CHARS_PER_SECOND), recipe.batch_size)
        is_short = self.device_type == "cpu" and self._may_begin_small
        most_warmup = _SMALL_WARMUP_STEPS if is_short else _WARMUP_STEPS
        configs = self._configs(recipe, num_chars, most_warmup=most_warmup)
        chars_per_step = self._chars_per_step(recipe.batch_size)
        dropout = min(configs.model.dropout, _MAX_WARM_DROPOUT)
        model = replace(base, dropout=dropout, ngram_order=configs.model.ngram_order)
        training = replace(
            configs.training,
            preset_reason=self._reason(f"the shipped model, hidden {base.hidden_size},", num_chars),
            weight_decay=min(_WARM_DECAY_PER_EPOCH * chars_per_step / self.num_train_chars, _MAX_WARM_DECAY),
            average_lag=_WARM_AVERAGE_LAG,
        )
        return PresetConfigs(model=model, training=training)

    def _configs(
        self, recipe: Recipe, num_chars: float | None, *, first_batch_size: int = 0, most_warmup: int = _WARMUP_STEPS
    ) -> PresetConfigs:
        """Return the settings of a recipe for a budget of `num_chars`, None without a budget.

        Embeddings are tied unless the user set another embedding size.
        """
        settings, num_train_chars = self.settings, self.num_train_chars
        hidden_size = int(settings.get("hidden_size", min(recipe.hidden_size, self._hidden_size_limit)))
        num_layers = recipe.num_layers if num_train_chars >= MIN_CHARS_FOR_TWO_LAYERS else 1
        layers = f"{num_layers} layers" if num_layers > 1 and "num_layers" not in settings else ""
        if "hidden_size" in settings:
            sizes = layers or "settings"
        else:
            sizes = f"hidden {hidden_size}" + (f" in {layers}" if layers else "")
        batches = f", batches of {recipe.batch_size}" if "batch_size" not in settings else ""
        batches += f", of {first_batch_size} at first" if first_batch_size else ""
        chars_per_step = self._chars_per_step(recipe.batch_size)
        num_steps = math.inf if num_chars is None else num_chars / chars_per_step
        evaluated = round(_EPOCHS_PER_EVALUATION * num_train_chars / chars_per_step)
        training = TrainingConfig(
            preset="auto",
            preset_reason=self._reason(sizes, num_chars, batches),
            batch_size=recipe.batch_size,
            first_batch_size=first_batch_size,
            learning_rate=recipe.learning_rate,
            schedule="constant" if num_chars is None else "cooldown",
            warmup_steps=max(1, round(min(num_steps / 10, most_warmup))),
            ngram_decay=min(_NGRAM_DECAY_PER_EPOCH * chars_per_step / num_train_chars, _MAX_NGRAM_DECAY),
            patience=_PATIENCE if num_chars is None else 0,
            max_grad_norm=1.0,
            average_lag=0.05,
            eval_every=min(500 if hidden_size <= 256 else 1000, max(evaluated, _MIN_EVAL_EVERY)),
            early_eval_tweets=_EARLY_EVAL_TWEETS,
            sample_every=50,
            sample_pacing="seconds",
            pacing="seconds",
        )
        epochs = _EPOCHS_WITHOUT_BUDGET if num_chars is None else num_chars / num_train_chars
        embedding_size = int(settings.get("embedding_size", hidden_size))
        model = ModelConfig(
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            num_layers=int(settings.get("num_layers", num_layers)),
            dropout=next((dropout for at_least, dropout in _DROPOUTS.items() if epochs >= at_least), 0.0),
            tied_embeddings=embedding_size == hidden_size,
            ngram_order=_NGRAM_ORDER if self.device_type == "cpu" else 0,
        )
        return PresetConfigs(model=model, training=training)

    def _trial(self, recipe: Recipe) -> PresetConfigs:
        """Return the configs of which the speed of a recipe is measured."""
        return self._configs(recipe, None).with_settings(self.settings)

    def _reason(self, sizes: str, num_chars: float | None, batches: str = "") -> str:
        """Return why these settings were chosen; of a schedule that the user set, only that it has no effect."""
        schedule = self.settings.get("schedule")
        if schedule is None:
            rate = ", constant rate: no end is set" if num_chars is None else ", cooldown to the end of the budget"
        elif num_chars is None and schedule != "constant":
            rate = f", {schedule} needs a budget, and none is set: the rate stays constant"
        else:
            rate = ""
        return f"{sizes} for {self.num_train_chars:,} characters on {self.device_type}{batches}{rate}"

    @property
    def _hidden_size_limit(self) -> float:
        """The largest hidden size for the corpus."""
        limits = (size for chars, size in _HIDDEN_SIZE_LIMITS.items() if self.num_train_chars < chars)
        return min(limits, default=math.inf)

    @property
    def _sizes(self) -> list[Size]:
        """The sizes that a CPU may train: those that the corpus is large enough for, with what the user set of them."""
        settings, has_one_layer = self.settings, self.num_train_chars < MIN_CHARS_FOR_TWO_LAYERS
        allowed = [
            size
            for size in SIZES
            if size.hidden_size <= self._hidden_size_limit and not (has_one_layer and size.num_layers > 1)
        ]
        chosen = {name: int(settings[name]) for name in ("hidden_size", "num_layers") if name in settings}
        return sorted({size._replace(**chosen) for size in allowed}, key=lambda size: size.work)

    @property
    def _is_timed(self) -> bool:
        """Whether the characters in the budget depend on the speed."""
        return "max_seconds" in self.settings or not self.settings.keys() & {"max_steps", "epochs"}

    @property
    def _may_begin_small(self) -> bool:
        """Whether the user left the size of the first batches open; a budget in steps is one of whole batches."""
        return not self.settings.keys() & {"batch_size", "max_steps"}

    def _chars_per_step(self, batch_size: int) -> float:
        return float(self.settings.get("batch_size", batch_size)) * CHARS_PER_TWEET

    def _chars_in_budget(self, chars_per_second: float, batch_size: int) -> float | None:
        """Return the training characters that fit the smallest budget at this speed; None without a budget."""
        chars_per_unit = {
            "max_seconds": chars_per_second,
            "max_steps": self._chars_per_step(batch_size),
            "epochs": float(self.num_train_chars),
        }
        amounts = (
            float(self.settings[name]) * chars for name, chars in chars_per_unit.items() if name in self.settings
        )
        return min(amounts, default=None)

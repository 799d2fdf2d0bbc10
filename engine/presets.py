"""From a preset's name to the settings of a run: the tutorial's own, or what fits corpus, device and budget. No torch.

Where `auto` takes its numbers from is told in RECIPES.md, beside this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.config import ModelConfig, PresetName, Schedule, Setting, TrainingConfig, with_settings

_CHARS_PER_SECOND = {"cpu": 80_000.0}
"""About what two cores train at these sizes, to tell what comes of a budget in seconds."""
_DEVICE_CHARS_PER_SECOND = 2_000_000.0
_CHARS_PER_TWEET = 75


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The settings of a run."""

    model: ModelConfig
    training: TrainingConfig


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    """What `auto` takes for budgets up to some number of characters to learn from."""

    up_to_chars: float
    hidden_size: int
    learning_rate: float
    batch_size: int = 32


_FOR_CPU = (
    _Recipe(up_to_chars=10e6, hidden_size=256, learning_rate=0.004),
    _Recipe(up_to_chars=25e6, hidden_size=384, learning_rate=0.0025),
    _Recipe(up_to_chars=float("inf"), hidden_size=512, learning_rate=0.002),
)
_FOR_DEVICES = (_Recipe(up_to_chars=float("inf"), hidden_size=1024, learning_rate=0.002, batch_size=128),)
_WITHOUT_BUDGET_CHARS = 12e6
"""Without a budget, what is good after minutes."""
_HIDDEN_SIZE_LIMITS = {300_000: 128, 1_000_000: 256}
"""Up to so many characters in the corpus, the largest hidden size that does not soon know it by heart."""
_DROPOUTS = {30.0: 0.3, 10.0: 0.2, 4.0: 0.1}
"""From so many epochs on, the dropout."""


def choose(preset: PresetName, settings: Mapping[str, Setting], num_train_chars: int, device_type: str) -> Choice:
    """Return the preset's settings with those over it that were set by hand.

    `num_train_chars` is the length of an epoch, `device_type` "cpu", "cuda" or "mps". Raises `ConfigError`.
    """
    choice = _tutorial() if preset == "tutorial" else _auto(settings, num_train_chars, device_type)
    return Choice(model=with_settings(choice.model, settings), training=with_settings(choice.training, settings))


def _tutorial() -> Choice:
    """Return CSC321 Tutorial 11's own settings."""
    training = TrainingConfig(preset="tutorial", preset_reason="as in CSC321 Tutorial 11")
    return Choice(model=ModelConfig(), training=training)


def _auto(settings: Mapping[str, Setting], num_train_chars: int, device_type: str) -> Choice:
    """Return a size that the device trains in the budget and the corpus does not let it learn by heart."""
    budget = _chars_in_budget(settings, num_train_chars, device_type)
    has_budget = budget is not None
    num_chars = _WITHOUT_BUDGET_CHARS if budget is None else budget
    recipe = next(recipe for recipe in _recipes(device_type) if num_chars <= recipe.up_to_chars)
    limits = [size for limit, size in _HIDDEN_SIZE_LIMITS.items() if num_train_chars < limit]
    hidden_size = min([recipe.hidden_size, *limits])
    schedule: Schedule = "cooldown" if has_budget else "constant"
    training = TrainingConfig(
        preset="auto",
        preset_reason=_reason(settings, hidden_size, schedule, num_train_chars, device_type, has_budget=has_budget),
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate if has_budget else 0.75 * recipe.learning_rate,
        schedule=schedule,
        warmup_steps=100,
        max_grad_norm=1.0,
        average_lag=0.05 if has_budget else 0.1,
        eval_every=500 if hidden_size <= 256 else 1000,
        sample_every=50,
    )
    return Choice(model=_auto_model(settings, hidden_size, num_chars / num_train_chars), training=training)


def _recipes(device_type: str) -> tuple[_Recipe, ...]:
    return _FOR_CPU if device_type == "cpu" else _FOR_DEVICES


def _auto_model(settings: Mapping[str, Setting], hidden_size: int, epochs: float) -> ModelConfig:
    """Return a model with tied embeddings, unless their size was set to something else."""
    hidden_size = int(settings.get("hidden_size", hidden_size))
    embedding_size = int(settings.get("embedding_size", hidden_size))
    return ModelConfig(
        embedding_size=embedding_size,
        hidden_size=hidden_size,
        dropout=next((dropout for at_least, dropout in _DROPOUTS.items() if epochs >= at_least), 0.0),
        tied_embeddings=embedding_size == hidden_size,
    )


def _chars_in_budget(settings: Mapping[str, Setting], num_train_chars: int, device_type: str) -> float | None:
    """Return about how many characters the budget lets the model learn from; None without a budget."""
    rate = _CHARS_PER_SECOND.get(device_type, _DEVICE_CHARS_PER_SECOND)
    batch_size = float(settings.get("batch_size", _recipes(device_type)[0].batch_size))
    chars_per_unit = {
        "max_seconds": rate,
        "max_steps": batch_size * _CHARS_PER_TWEET,
        "epochs": float(num_train_chars),
    }
    amounts = [float(settings[name]) * chars for name, chars in chars_per_unit.items() if name in settings]
    return min(amounts, default=None)


def _reason(
    settings: Mapping[str, Setting],
    hidden_size: int,
    schedule: Schedule,
    num_train_chars: int,
    device_type: str,
    *,
    has_budget: bool,
) -> str:
    """Return what was chosen and why, in one line."""
    end = "to the end of the budget" if has_budget else "rate: no end is set"
    return (
        f"hidden {settings.get('hidden_size', hidden_size)} for {num_train_chars:,} characters on {device_type}, "
        f"{settings.get('schedule', schedule)} {end}"
    )

"""From a preset's name to the settings of a run: the tutorial's own, or what fits corpus and device. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.config import ModelConfig, PresetName, Schedule, Setting, TrainingConfig, with_settings

_SMALL_CORPUS_CHARS = 300_000


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The settings of a run."""

    model: ModelConfig
    training: TrainingConfig


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
    """Return a size that the device trains in minutes and the corpus does not let it learn by heart."""
    has_budget = any(name in settings for name in ("max_steps", "max_seconds", "epochs"))
    is_small = num_train_chars < _SMALL_CORPUS_CHARS
    if device_type == "cpu":
        hidden_size, batch_size, learning_rate = (128 if is_small else 256), 32, 0.004
    else:
        hidden_size, batch_size, learning_rate = (256 if is_small else 1024), 128, 0.002
    schedule: Schedule = "cosine" if has_budget else "constant"
    reason = (
        f"hidden {settings.get('hidden_size', hidden_size)} for {num_train_chars:,} characters on "
        f"{device_type}, {settings.get('schedule', schedule)} "
        f"{'to the end of the budget' if has_budget else 'rate: no end is set'}"
    )
    return Choice(
        model=ModelConfig(embedding_size=64, hidden_size=hidden_size, dropout=0.2 if is_small else 0.0),
        training=TrainingConfig(
            preset="auto",
            preset_reason=reason,
            batch_size=batch_size,
            learning_rate=learning_rate if has_budget else 0.75 * learning_rate,
            schedule=schedule,
            warmup_steps=100,
            max_grad_norm=1.0,
            sample_every=50,
        ),
    )

"""Presets: the tutorial's own settings, what fits corpus and device, and what was set by hand over them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine import presets
from engine.config import ModelConfig, PresetName, Setting, TrainingConfig
from engine.errors import ConfigError
from engine.presets import Choice

SMALL, LARGE = 100_000, 5_000_000


def choose(
    preset: PresetName,
    num_train_chars: int = LARGE,
    device_type: str = "cpu",
    settings: Mapping[str, Setting] | None = None,
) -> Choice:
    return presets.choose(preset, settings or {}, num_train_chars, device_type)


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
@pytest.mark.parametrize("num_train_chars", [SMALL, LARGE])
def test_the_tutorials_settings_are_its_own_whatever_corpus_and_device(num_train_chars: int, device_type: str) -> None:
    choice = choose("tutorial", num_train_chars, device_type)
    assert choice.model == ModelConfig(embedding_size=128, hidden_size=128, num_layers=1, dropout=0.0)
    training = choice.training
    assert (training.learning_rate, training.batch_size, training.sample_every) == (0.004, 32, 100)
    assert (training.schedule, training.warmup_steps, training.weight_decay, training.max_grad_norm) == (
        "constant",
        0,
        0.0,
        0.0,
    )
    assert "CSC321" in training.preset_reason


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_what_was_set_by_hand_wins(preset: PresetName) -> None:
    settings: dict[str, Setting] = {"hidden_size": 33, "learning_rate": 0.5, "max_steps": 7, "top_k": 3}
    choice = choose(preset, settings=settings)
    assert choice.model.hidden_size == 33
    assert (choice.training.learning_rate, choice.training.max_steps) == (0.5, 7)
    assert choice.training.preset == preset


def test_auto_chooses_a_larger_model_for_a_larger_corpus_and_a_faster_device() -> None:
    sizes = [
        choose("auto", num_train_chars, device_type).model.hidden_size
        for device_type in ("cpu", "cuda")
        for num_train_chars in (SMALL, LARGE)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[3]


def test_auto_drops_out_only_where_the_corpus_could_be_learned_by_heart() -> None:
    assert choose("auto", SMALL).model.dropout > 0
    assert choose("auto", LARGE).model.dropout == 0


@pytest.mark.parametrize("budget", [{"max_steps": 100}, {"max_seconds": 10.0}, {"epochs": 2.0}])
def test_auto_lowers_the_learning_rate_to_the_end_of_a_budget(budget: dict[str, Setting]) -> None:
    assert choose("auto", settings=budget).training.schedule == "cosine"
    assert "cosine" in choose("auto", settings=budget).training.preset_reason


def test_auto_keeps_the_learning_rate_where_no_end_is_set() -> None:
    training = choose("auto").training
    assert training.schedule == "constant"
    assert training.learning_rate < choose("auto", settings={"max_steps": 1}).training.learning_rate
    assert "no end is set" in training.preset_reason


@pytest.mark.parametrize(
    "settings", [{}, {"hidden_size": 77}, {"schedule": "cosine"}, {"schedule": "constant", "max_steps": 9}]
)
def test_auto_says_what_it_chose_and_never_what_it_did_not(settings: dict[str, Setting]) -> None:
    choice = choose("auto", settings=settings)
    assert f"hidden {choice.model.hidden_size} " in choice.training.preset_reason
    assert f"{choice.training.schedule} " in choice.training.preset_reason
    assert "5,000,000 characters on cpu" in choice.training.preset_reason


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_a_setting_out_of_range_is_refused(preset: PresetName) -> None:
    with pytest.raises(ConfigError, match="batch_size"):
        choose(preset, settings={"batch_size": 0})


def test_a_preset_leaves_every_other_setting_at_its_default() -> None:
    defaults = TrainingConfig()
    for training in (choose("auto").training, choose("tutorial").training):
        for name in ("eval_every", "eval_tweets", "autosave_seconds", "seed", "epochs", "max_steps", "max_seconds"):
            assert getattr(training, name) == getattr(defaults, name)

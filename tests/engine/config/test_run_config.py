"""Validation of configs: an invalid value is refused with its field, the value and the allowed range."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from engine.config.corpus import CorpusConfig
from engine.config.fields import field_help
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import MAX_DRAFTS, MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.errors import ConfigError

Kind = type[ModelConfig | TrainingConfig | SamplingConfig | CorpusConfig | RuntimeConfig]
HUGE = 10**400

OUT_OF_RANGE: list[tuple[Kind, str, list[Any]]] = [
    (ModelConfig, "embedding_size", [0, -1, 8193, HUGE]),
    (ModelConfig, "num_layers", [0, 17]),
    (ModelConfig, "dropout", [-0.1, 0.96, 1.0, math.nan]),
    (TrainingConfig, "learning_rate", [0.0, -0.1, 11.0, math.nan, math.inf]),
    (TrainingConfig, "schedule", ["linear", ""]),
    (TrainingConfig, "warmup_steps", [-1, HUGE]),
    (TrainingConfig, "epochs", [0, -1.0, math.nan, math.inf]),
    (TrainingConfig, "max_steps", [0, -1, HUGE]),
    (TrainingConfig, "sample_every", [-1]),
    (TrainingConfig, "autosave_seconds", [0.0, math.nan, math.inf]),
    (TrainingConfig, "steps_per_second", [-1.0, 0.001, math.nan, math.inf, HUGE]),
    (TrainingConfig, "seed", [-1, 2**63, HUGE]),
    (SamplingConfig, "temperature", [0.04, -0.5, 5.01, math.nan, math.inf]),
    (SamplingConfig, "top_k", [-1]),
    (SamplingConfig, "top_p", [0.0, 1.01, math.nan]),
    (SamplingConfig, "max_length", [0, -1, 100_001]),
    (SamplingConfig, "min_length", [-1, 140, "a few"]),
    (SamplingConfig, "best_of", [0, 1001]),
    (CorpusConfig, "format", ["xml"]),
    (CorpusConfig, "max_length", [0, 100_001]),
    (CorpusConfig, "overfit", [-1]),
    (RuntimeConfig, "device", ["tpu"]),
    (RuntimeConfig, "threads", [-1, 1025]),
]
CASES = [(kind, field, value) for kind, field, values in OUT_OF_RANGE for value in values]


@pytest.mark.parametrize(("kind", "field", "value"), CASES, ids=lambda value: str(value)[:20])
def test_a_value_out_of_range_is_refused_with_its_field_and_value(kind: Kind, field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(**{field: value})
    assert caught.value.message.startswith(f"{field} must be ")
    assert caught.value.message.endswith(f", not {value:g}." if isinstance(value, float) else f", not {value}.")
    assert "--" + field.replace("_", "-") in caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_size": 0},
        {"learning_rate": -1.0},
        {"no_such_thing": 1},
        {"temperature": 99},
        {"best_of": MAX_DRAFTS_IN_RUN + 1},
    ],
)
def test_a_run_config_refuses_an_invalid_or_unknown_setting(settings: Mapping[str, float]) -> None:
    with pytest.raises(ConfigError):
        RunConfig(settings=settings)


def test_tied_embeddings_must_have_the_hidden_size() -> None:
    with pytest.raises(ConfigError, match=r"embedding_size must be equal to hidden_size, 128"):
        ModelConfig(embedding_size=64, hidden_size=128, tied_embeddings=True)


@pytest.mark.parametrize("words", ["", " ", "a  b", " a", "a\n", "\x1b[31m", "\u202e"])
def test_avoided_words_are_visible_and_have_single_blanks(words: str) -> None:
    with pytest.raises(ConfigError, match=r"avoid must be words of visible characters"):
        SamplingConfig(avoid=("good morning", words))


def test_long_lists_of_avoided_words_and_long_required_texts_are_refused() -> None:
    assert SamplingConfig(avoid=("word",) * 2000).has_filter
    with pytest.raises(ConfigError, match=r"avoid must be at most 10,000 characters"):
        SamplingConfig(avoid=("word",) * 2001)
    with pytest.raises(ConfigError, match=r"must_contain must be shorter than --max-length, 9"):
        SamplingConfig(must_contain="123456789", max_length=9)


@pytest.mark.parametrize(
    "setting", [{"only_new": True}, {"avoid": ("x",)}, {"must_contain": "x"}, {"min_length": 1}, {"best_of": 2}]
)
def test_each_setting_of_the_filter_makes_one(setting: dict[str, Any]) -> None:
    assert SamplingConfig(**setting).has_filter
    assert not SamplingConfig(temperature=2.0, min_p=0.1, temperature_last=True, max_length=9).has_filter


def test_the_help_of_the_filter_names_both_bounds() -> None:
    text = field_help(SamplingConfig)["only_new"]
    assert f"up to {MAX_DRAFTS:,} drafts per tweet" in text
    assert f"in a run {MAX_DRAFTS_IN_RUN}" in text


@pytest.mark.parametrize("start", [{"checkpoint": "a"}, {"resume": "last"}])
def test_random_weights_and_a_checkpoint_exclude_each_other(start: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"--from-scratch starts from random weights"):
        RunConfig(from_scratch=True, **start)

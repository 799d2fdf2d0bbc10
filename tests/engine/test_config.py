"""Configs: what exists can be run, and what can't is refused by name, value and range."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given

from engine import wire
from engine.config import (
    ModelConfig,
    RunConfig,
    RuntimeConfig,
    SamplingConfig,
    TrainingConfig,
    settings_of,
    with_settings,
)
from engine.corpus_config import CorpusConfig
from engine.errors import ConfigError
from tests.strategies import sampling_configs

Kind = type[ModelConfig | TrainingConfig | SamplingConfig | CorpusConfig | RuntimeConfig]
HUGE = 10**400

OUT_OF_RANGE: list[tuple[Kind, str, list[Any]]] = [
    (ModelConfig, "embedding_size", [0, -1, 8193, HUGE]),
    (ModelConfig, "hidden_size", [0, -1, 8193]),
    (ModelConfig, "num_layers", [0, 17]),
    (ModelConfig, "dropout", [-0.1, 0.96, 1.0, math.nan]),
    (TrainingConfig, "batch_size", [0, -1, 65537]),
    (TrainingConfig, "learning_rate", [0.0, -0.1, 11.0, math.nan, math.inf]),
    (TrainingConfig, "schedule", ["linear", ""]),
    (TrainingConfig, "warmup_steps", [-1, HUGE]),
    (TrainingConfig, "weight_decay", [-0.1, 11.0, math.nan]),
    (TrainingConfig, "max_grad_norm", [-0.1, math.nan, math.inf]),
    (TrainingConfig, "epochs", [0, -1.0, math.nan, math.inf]),
    (TrainingConfig, "max_steps", [0, -1, HUGE]),
    (TrainingConfig, "max_seconds", [0, -1.0, math.nan, math.inf]),
    (TrainingConfig, "eval_every", [-1]),
    (TrainingConfig, "eval_tweets", [0]),
    (TrainingConfig, "sample_every", [-1]),
    (TrainingConfig, "autosave_seconds", [0.0, math.nan, math.inf]),
    (TrainingConfig, "seed", [-1, 2**63, HUGE]),
    (SamplingConfig, "temperature", [0.04, -0.5, 5.01, math.nan, math.inf]),
    (SamplingConfig, "top_k", [-1]),
    (SamplingConfig, "top_p", [0.0, 1.01, math.nan]),
    (SamplingConfig, "min_p", [-0.1, 1.0, math.nan]),
    (SamplingConfig, "max_length", [0, -1, 100_001]),
    (CorpusConfig, "format", ["xml"]),
    (CorpusConfig, "max_length", [0, 100_001]),
    (CorpusConfig, "min_char_count", [0]),
    (CorpusConfig, "overfit", [-1]),
    (RuntimeConfig, "device", ["tpu"]),
    (RuntimeConfig, "precision", ["float64"]),
    (RuntimeConfig, "threads", [-1, 1025]),
]
CASES = [(kind, field, value) for kind, field, values in OUT_OF_RANGE for value in values]


@pytest.mark.parametrize(("kind", "field", "value"), CASES, ids=lambda value: str(value)[:20])
def test_a_value_out_of_range_is_refused_by_name_and_value(kind: Kind, field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        kind(**{field: value})
    assert caught.value.message.startswith(f"{field} can't be {value}: it is"[:4000].rstrip())
    assert "--" + field.replace("_", "-") in caught.value.hint


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ModelConfig, {"embedding_size": 9, "hidden_size": 9, "tied_embeddings": True}),
        (ModelConfig, {"embedding_size": 1, "hidden_size": 8192, "num_layers": 16, "dropout": 0.95}),
        (TrainingConfig, {"batch_size": 1, "learning_rate": 10.0, "eval_every": 0, "sample_every": 0}),
        (TrainingConfig, {"seed": 2**63 - 1, "warmup_steps": 0, "max_steps": 1, "epochs": 0.001, "max_seconds": 0.1}),
        (SamplingConfig, {"temperature": 0}),
        (SamplingConfig, {"temperature": 0.05, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "max_length": 1}),
        (SamplingConfig, {"temperature": 5, "top_k": 1, "top_p": 0.001, "min_p": 0.999, "max_length": 100_000}),
        (CorpusConfig, {"overfit": 0, "max_length": 1, "min_char_count": 1}),
        (RuntimeConfig, {"threads": 1024, "device": "mps", "precision": "bfloat16"}),
    ],
)
def test_the_ends_of_a_range_belong_to_it(kind: Kind, fields: dict[str, Any]) -> None:
    config = kind(**fields)
    assert {name: getattr(config, name) for name in fields} == fields


@pytest.mark.parametrize("kind", [ModelConfig, TrainingConfig, SamplingConfig, CorpusConfig, RuntimeConfig, RunConfig])
def test_the_defaults_are_in_range_and_a_config_never_changes(kind: Kind) -> None:
    config = kind()
    [name, *_] = settings_of(kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, 1)


@given(config=sampling_configs(primes=("", "hello")))
def test_a_config_survives_its_json_form(config: SamplingConfig) -> None:
    assert wire.decode(wire.encode(config), SamplingConfig) == config


def test_a_prime_is_shorter_than_the_tweet() -> None:
    assert SamplingConfig(prime="1234", max_length=5).prime == "1234"
    with pytest.raises(ConfigError, match="prime can't be 5 characters long"):
        SamplingConfig(prime="12345", max_length=5)


@pytest.mark.parametrize(
    "settings", [{"hidden_size": 0}, {"learning_rate": -1.0}, {"no_such_thing": 1}, {"temperature": 99}]
)
def test_a_run_is_refused_for_a_setting_that_its_configs_would_refuse(settings: Mapping[str, float]) -> None:
    with pytest.raises(ConfigError):
        RunConfig(settings=settings)


@pytest.mark.parametrize("other", [{"checkpoint": "best"}, {"run_name": "new"}])
def test_a_resumed_run_takes_no_checkpoint_and_no_new_name(other: dict[str, Any]) -> None:
    RunConfig(**other)
    with pytest.raises(ConfigError, match="--resume"):
        RunConfig(resume="last", **other)


def test_settings_change_only_the_fields_that_they_name_and_leave_the_others_to_others() -> None:
    settings = {"hidden_size": 9, "learning_rate": 0.5, "top_k": 3}
    assert with_settings(ModelConfig(num_layers=2), settings) == ModelConfig(num_layers=2, hidden_size=9)
    assert with_settings(TrainingConfig(seed=3), settings) == TrainingConfig(seed=3, learning_rate=0.5)
    assert with_settings(SamplingConfig(top_p=0.5), settings) == SamplingConfig(top_p=0.5, top_k=3)


def test_tied_embeddings_are_as_wide_as_the_hidden_state() -> None:
    with pytest.raises(ConfigError, match=r"embedding_size.*it is the hidden_size, 128"):
        ModelConfig(embedding_size=64, hidden_size=128, tied_embeddings=True)

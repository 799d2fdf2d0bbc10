"""The sentence under each config field is there: it is the help of the command line."""

from __future__ import annotations

import dataclasses

import pytest

from engine.config import (
    ModelConfig,
    RunConfig,
    RuntimeConfig,
    SamplingConfig,
    TrainingConfig,
    help_of,
    settings_of,
)
from engine.corpus_config import CorpusConfig

CONFIGS = [ModelConfig, TrainingConfig, SamplingConfig, CorpusConfig, RuntimeConfig, RunConfig]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_of_a_config_has_its_sentence(config: type) -> None:
    sentences = help_of(config)
    assert list(sentences) == [field.name for field in dataclasses.fields(config)]
    for sentence in sentences.values():
        assert sentence.endswith("."), sentence
        assert "\n" not in sentence
        assert sentence[0].isupper() or sentence[0].isdigit() or sentence.startswith(("cpu", "float32")), sentence


@pytest.mark.parametrize("config", CONFIGS)
def test_the_settings_of_a_config_are_its_fields(config: type) -> None:
    assert settings_of(config) == {field.name for field in dataclasses.fields(config)}


def test_the_help_is_the_sentence_under_the_field() -> None:
    assert help_of(ModelConfig)["hidden_size"] == "Size of the GRU's hidden state (H)."
    assert help_of(TrainingConfig)["batch_size"] == "Tweets in one step (B)."

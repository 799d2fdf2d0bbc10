"""Configs refuse invalid values with two lines: the field, what is allowed and the value; and the option to change."""

from __future__ import annotations

import math
from typing import Any, get_args

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig, FileFormat
from engine.config.fields import field_help
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, TrainingConfig
from engine.config.sampling import MAX_DRAFTS, MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.errors import ConfigError

HUGE = 10**400
REFUSED: dict[type, dict[str, list[Any]]] = {
    ModelConfig: {"embedding_size": [0, -1, 8193, HUGE], "num_layers": [0, 17], "dropout": [-0.1, 0.96, 1.0, math.nan]},
    TrainingConfig: {
        "learning_rate": [0.0, -0.1, 11.0, math.nan, math.inf],
        "schedule": ["linear", ""],
        "warmup_steps": [-1, HUGE],
        "epochs": [0, -1.0, math.nan, math.inf],
        "max_steps": [0, -1, HUGE],
        "sample_every": [-1],
        "autosave_seconds": [0.0, math.nan, math.inf],
        "steps_per_second": [-1.0, 0.001, math.nan, math.inf, HUGE],
        "seed": [-1, 2**63, HUGE],
    },
    SamplingConfig: {
        "temperature": [0.04, -0.5, 5.01, math.nan, math.inf],
        "top_k": [-1],
        "top_p": [0.0, 1.01, math.nan],
        "max_length": [0, -1, 100_001],
        "min_length": [-1, 140, "a few"],
        "best_of": [0, 1001],
        "must_contain": ["x" * 140],
        "avoid": [
            *(("good morning", words) for words in ("", " ", "a  b", " a", "a\n", "\x1b[31m", "\u202e")),
            ("word",) * 2001,
        ],
    },
    CorpusConfig: {
        "format": ["xml"],
        "max_length": [0, 100_001],
        "overfit": [-1],
        "encoding": ["gbx", "", "base64", "rot13", "idna", "punycode", "undefined", "a\0b", "\ud800"],
        "separator": ["", "  ", "\n", "a\nb"],
    },
    RuntimeConfig: {"device": ["tpu"], "threads": [-1, 1025]},
    RunConfig: {"settings": [{"hidden_size": 0}, {"no_such_thing": 1}, {"best_of": MAX_DRAFTS_IN_RUN + 1}]},
}
TOGETHER: list[tuple[type, dict[str, Any]]] = [
    (ModelConfig, {"embedding_size": 64, "hidden_size": 128, "tied_embeddings": True}),
    (CorpusConfig, {"separator": "%", "blank_line_separated": True}),
    (RunConfig, {"from_scratch": True, "checkpoint": "a"}),
    (RunConfig, {"from_scratch": True, "resume": "last"}),
]
"""Each of these fields alone is valid."""


def refusal(kind: type, fields: dict[str, Any]) -> str:
    """Return the two lines of the error."""
    with pytest.raises(ConfigError) as caught:
        kind(**fields)
    message = caught.value.message.replace(str(HUGE), "HUGE").replace(", ".join(get_args(FileFormat)), "FORMATS")
    return f"{message}\n    {caught.value.hint}"


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_a_value_that_is_not_allowed_is_refused(kind: type, snapshot: SnapshotAssertion) -> None:
    found = [refusal(kind, {field: value}) for field, values in REFUSED[kind].items() for value in values]
    assert "\n".join(found) == snapshot


def test_values_that_exclude_each_other_are_refused(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(refusal(*case) for case in TOGETHER) == snapshot


def test_an_encoding_has_any_name_that_python_knows() -> None:
    for encoding in ("gbk", "GB18030", "euc-kr", "Shift_JIS", "Windows-1251", "latin-1", "utf-16-le"):
        assert CorpusConfig(encoding=encoding).encoding == encoding


def test_each_setting_of_the_filter_makes_one() -> None:
    settings: list[dict[str, Any]] = [{"only_new": True}, {"avoid": ("word",) * 2000}, {"must_contain": "x"}]
    settings += [{"min_length": 1}, {"best_of": 2}]
    assert all(SamplingConfig(**setting).has_filter for setting in settings)
    assert not SamplingConfig(temperature=2.0, min_p=0.1, temperature_last=True, max_length=9).has_filter


def test_the_help_of_the_filter_names_both_bounds() -> None:
    text = field_help(SamplingConfig)["only_new"]
    assert f"up to {MAX_DRAFTS:,} drafts per tweet" in text
    assert f"in a run {MAX_DRAFTS_IN_RUN}" in text

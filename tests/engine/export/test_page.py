"""The HTML file: nothing from outside can end a block of it, its policy allows its own script and style only."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.checkpoint import Checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig
from engine.config.sampling import MAX_TEMPERATURE, SamplingConfig
from engine.errors import ConfigError
from engine.export.copies import Copies
from engine.export.web_page import WeightFormat, page
from engine.export.web_page.page import page_data, web_page
from engine.export.web_page.tensors import page_tensors
from engine.model.vocab import Vocab
from tests.engine.export.models import as_on_the_page, checkpoint_of, random_model

VOCAB = Vocab("abc <>/!-&\u202e\u200b🌻")
CONFIG = ModelConfig(embedding_size=4, hidden_size=8, ngram_order=2, ngram_contexts=2)
BLOCK = re.compile(r"<(style|script)([^>]*)>(.*?)</\1", re.DOTALL | re.IGNORECASE)
"""Tag, attributes and content of a style sheet or a script."""
ATTACK = "</script><script>alert(1)</script><!--<script>"
COPIES = Copies(temperature=0.7, num_copies=3, num_near_copies=12)

EVALUATED = {"step": 12_000, "last_eval_step": 12_000, "bits_per_char": 2.1849}
FACTS: dict[str, tuple[WeightFormat, Copies | None, dict[str, Any]]] = {
    "never evaluated, copies not counted": ("float16", None, {}),
    "evaluated at an earlier step": ("int8", COPIES, {**EVALUATED, "last_eval_step": 11_000}),
    "an estimate": ("int8", COPIES, {**EVALUATED, "is_eval_early": True}),
    "overfit": ("int8", COPIES, {**EVALUATED, "corpus": CorpusConfig(files=("a.txt",), overfit=3)}),
}
"""Weights, copies, and what the checkpoint has."""


def saved(**changes: Any) -> Checkpoint:
    return checkpoint_of(random_model(len(VOCAB), CONFIG), CONFIG, VOCAB.chars, **changes)


def test_a_hostile_run_vocabulary_and_prompt_stay_inside_of_the_data_and_hidden_characters_are_replaced() -> None:
    sampling = SamplingConfig(prime="<!-- </script>")
    text = web_page(saved(run=ATTACK, sampling=sampling), "float16", None)
    blocks = BLOCK.findall(text)
    kinds = [(tag, attributes) for tag, attributes, _ in blocks]
    assert kinds == [("style", ""), ("script", ' type="application/json" id="data"'), ("script", "")]
    assert "<" not in blocks[1][2]
    data = json.loads(blocks[1][2])
    assert (data["name"], data["sampling"]["prime"]) == (ATTACK, sampling.prime)
    assert data["vocab"] == [*"abc <>/!-&", "\ufffd", "\ufffd", "🌻"]
    assert text.count(ATTACK) == 0


def test_the_policy_allows_the_page_its_own_script_and_style_sheet_and_nothing_else() -> None:
    text = web_page(saved(), "float16", COPIES)
    style, _, script = (
        base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for _, _, content in BLOCK.findall(text)
    )
    [policy] = re.findall(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', text)
    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{script}'",
        f"style-src 'sha256-{style}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.findall(r"<[^>]*\s(?:on\w+|style|src|href)=", BLOCK.sub("", text))


@pytest.mark.parametrize("name", FACTS)
def test_the_page_says_what_the_model_is_of_which_tweets_its_figure_is_and_how_much_it_copies(
    name: str, snapshot: SnapshotAssertion
) -> None:
    weights, copies, changes = FACTS[name]
    data = json.loads(page_data(saved(**changes), weights, copies))
    facts = "".join(f"{fact}: {value}\n" for fact, value in data["facts"])
    assert f"{facts}\n{data['copies']}" == snapshot


def test_the_slider_has_greedy_the_checkpoints_own_temperature_and_the_whole_range() -> None:
    for own in (0.0, 0.8, 0.73, MAX_TEMPERATURE):
        data = page_data(saved(sampling=SamplingConfig(temperature=own)), "float16", None)
        stops = json.loads(data)["temperatures"]
        assert stops == sorted(set(stops))
        assert {0.0, 0.05, own, 1.0, MAX_TEMPERATURE} <= set(stops)


@pytest.mark.parametrize(("weights", "largest_error"), [("float16", 2**-11), ("int8", 0.5 / 127)])
def test_rounding_changes_a_weight_by_less_than_half_a_level_of_its_row(
    weights: WeightFormat, largest_error: float
) -> None:
    model = random_model(len(VOCAB), CONFIG)
    rounded = as_on_the_page(model, CONFIG, weights).state_dict()
    for name, tensor in model.state_dict().items():
        error = (rounded[name] - tensor).abs()
        limit = tensor.abs().amax(dim=-1, keepdim=True) * largest_error
        assert (error <= limit * 1.01).all() if tensor.ndim == 2 else (error == 0).all(), name
    model.embed.weight.data[:2] = torch.tensor([[0.0], [1e-44]])  # a row of zeros stays zero
    assert not page_tensors(model, weights)["embed.weight"].decoded()[:2].any()


def test_a_weight_too_large_for_float16_is_an_error_and_fits_into_int8() -> None:
    model = random_model(len(VOCAB), CONFIG)
    model.proj.weight.data[0, 0] = 70_000.0
    with pytest.raises(ConfigError, match=r"proj\.weight has weights that are too large for float16") as error:
        page_tensors(model, "float16")
    assert "--weights int8" in error.value.hint
    assert np.isclose(page_tensors(model, "int8")["proj.weight"].decoded()[0, 0], 70_000)


def test_a_page_that_no_browser_can_open_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_PAGE_BYTES", 1000)
    with pytest.raises(ConfigError, match="more than a browser can open"):
        web_page(saved(), "float16", None)


def test_tied_embeddings_are_in_the_page_once() -> None:
    config = replace(CONFIG, embedding_size=8, tied_embeddings=True, ngram_order=0, ngram_contexts=0)
    assert "proj.weight" not in page_tensors(random_model(len(VOCAB), config), "float16")

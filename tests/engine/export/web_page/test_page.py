"""The HTML file: nothing from outside can end a block of it, its policy allows its own script and style only."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch

from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig
from engine.config.sampling import MAX_TEMPERATURE, SamplingConfig
from engine.errors import ConfigError
from engine.export.copies import Copies
from engine.export.web_page import WeightFormat, page
from engine.export.web_page.page import page_data, web_page
from engine.export.web_page.tensors import page_tensors
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from tests.engine.export.web_page.scripts import as_on_the_page, checkpoint_of, model_of

VOCAB = Vocab("abc <>/!-&\u202e\u200b🌻")
CONFIG = ModelConfig(embedding_size=4, hidden_size=8, ngram_order=2, ngram_contexts=2)
ATTACK = "</script><script>alert(1)</script><!--<script>"
COPIES = Copies(temperature=0.7, num_copies=3, num_near_copies=12)


@pytest.fixture
def model() -> TextGenerator:
    return model_of(VOCAB, CONFIG, torch.tensor([5, 9]))


class Blocks(HTMLParser):
    """The attributes and text of scripts and style sheets, and the policy."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.blocks: list[tuple[str, dict[str, str | None], str]] = []
        self.policy = ""
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.attributes |= named.keys()
        if named.get("http-equiv") == "Content-Security-Policy":
            self.policy = named["content"] or ""
        if tag in {"script", "style"}:
            self.blocks.append((tag, named, ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and self.blocks:
            tag, attributes, text = self.blocks[-1]
            self.blocks[-1] = (tag, attributes, text + data)


def test_a_hostile_run_vocabulary_and_prompt_stay_inside_of_the_data(model: TextGenerator) -> None:
    sampling = SamplingConfig(prime="<!-- </script>")
    checkpoint = checkpoint_of(model, VOCAB, CONFIG, run=ATTACK, sampling=sampling)
    text = web_page(checkpoint, "float16", None)
    kinds = [(tag, attributes) for tag, attributes, _ in Blocks(text).blocks]
    assert kinds == [("style", {}), ("script", {"type": "application/json", "id": "data"}), ("script", {})]
    data = json.loads(Blocks(text).blocks[1][2])
    assert (data["name"], data["sampling"]["prime"]) == (ATTACK, sampling.prime)
    assert text.count(ATTACK) == 0


def test_the_policy_allows_the_page_its_own_script_and_style_sheet_and_nothing_else(model: TextGenerator) -> None:
    found = Blocks(web_page(checkpoint_of(model, VOCAB, CONFIG), "float16", COPIES))
    style, _, script = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for _, _, text in found.blocks
    )
    assert found.policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{script}'",
        f"style-src 'sha256-{style}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not [
        name for name in found.attributes if name == "style" or name.startswith("on") or name in {"src", "href"}
    ]


def test_characters_that_reorder_or_hide_their_neighbours_are_replaced(model: TextGenerator) -> None:
    data = json.loads(page_data(checkpoint_of(model, VOCAB, CONFIG), "float16", None))
    assert data["vocab"] == [*"abc <>/!-&", "\ufffd", "\ufffd", "🌻"]


def test_the_page_says_what_the_model_is_and_how_much_it_copies(model: TextGenerator) -> None:
    evaluated = {"step": 12_000, "last_eval_step": 11_000, "bits_per_char": 2.1849}
    checkpoint = checkpoint_of(model, VOCAB, CONFIG, run="mine", **evaluated)
    data = json.loads(page_data(checkpoint, "int8", COPIES))
    assert dict(data["facts"]) == {
        "Run": "mine",
        "Step": "12,000",
        "Bits per character": "2.18 on held-out tweets, at step 11,000",
        "Parameters": f"{model.num_parameters:,}",
        "Model": "GRU, 1 layer of 8 units",
        "Weights": "int8, with a scale per row",
    }
    assert "Of 1,000 tweets that it wrote at temperature 0.7, 3 equalled" in data["copies"]
    assert "of 12 more at least half was copied" in data["copies"]
    assert "was not measured" in json.loads(page_data(checkpoint, "int8", None))["copies"]
    never = json.loads(page_data(checkpoint_of(model, VOCAB, CONFIG), "int8", None))
    assert dict(never["facts"])["Bits per character"] == "not evaluated"


def test_a_figure_of_some_tweets_or_of_the_only_training_tweet_is_said_to_be_that(model: TextGenerator) -> None:
    for changes, said in (
        ({"is_eval_early": True}, "2.18 on held-out tweets, an estimate on some of them"),
        ({"corpus": CorpusConfig(files=("a.txt",), overfit=3)}, "2.18 on the training tweet"),
    ):
        checkpoint = checkpoint_of(model, VOCAB, CONFIG, step=7, last_eval_step=7, bits_per_char=2.1849, **changes)
        assert dict(json.loads(page_data(checkpoint, "int8", None))["facts"])["Bits per character"] == said


@pytest.mark.parametrize("own", [0.0, 0.8, 0.73, MAX_TEMPERATURE])
def test_the_slider_has_greedy_the_checkpoints_own_temperature_and_the_whole_range(
    model: TextGenerator, own: float
) -> None:
    checkpoint = checkpoint_of(model, VOCAB, CONFIG, sampling=SamplingConfig(temperature=own))
    stops = json.loads(page_data(checkpoint, "float16", None))["temperatures"]
    assert stops == sorted(set(stops))
    assert {0.0, 0.05, own, 1.0, MAX_TEMPERATURE} <= set(stops)


@pytest.mark.parametrize(("weights", "largest_error"), [("float16", 2**-11), ("int8", 0.5 / 127)])
def test_rounding_changes_a_weight_by_less_than_half_a_level_of_its_row(
    model: TextGenerator, weights: WeightFormat, largest_error: float
) -> None:
    rounded = as_on_the_page(model, CONFIG, weights).state_dict()
    for name, tensor in model.state_dict().items():
        error = (rounded[name] - tensor).abs()
        limit = tensor.abs().amax(dim=-1, keepdim=True) * largest_error
        assert (error <= limit * 1.01).all() if tensor.ndim == 2 else (error == 0).all(), name


def test_a_row_of_zeros_stays_zero_in_int8(model: TextGenerator) -> None:
    with torch.no_grad():
        model.embed.weight[0] = 0
        model.embed.weight[1] = 1e-44
    assert not page_tensors(model, "int8")["embed.weight"].decoded()[:2].any()


def test_a_weight_too_large_for_float16_is_an_error_and_fits_into_int8(model: TextGenerator) -> None:
    with torch.no_grad():
        model.proj.weight[0, 0] = 70_000.0
    with pytest.raises(
        ConfigError, match=re.escape("proj.weight has weights that are too large for float16.")
    ) as error:
        page_tensors(model, "float16")
    assert "--weights int8" in error.value.hint
    assert np.isclose(page_tensors(model, "int8")["proj.weight"].decoded()[0, 0], 70_000)


def test_a_page_that_no_browser_can_open_is_an_error(model: TextGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_PAGE_BYTES", 1000)
    with pytest.raises(ConfigError, match="more than a browser can open"):
        web_page(checkpoint_of(model, VOCAB, CONFIG), "float16", None)


def test_tied_embeddings_are_in_the_page_once() -> None:
    config = replace(CONFIG, embedding_size=8, tied_embeddings=True, ngram_order=0, ngram_contexts=0)
    assert "proj.weight" not in page_tensors(model_of(VOCAB, config), "float16")

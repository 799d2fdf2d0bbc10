"""Runs the page's JavaScript in Node, and makes the models and the tweets that it is compared with."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.checkpoints.checkpoint import Checkpoint
from engine.config.run import ModelConfig
from engine.config.sampling import SamplingConfig
from engine.export.web_page import WeightFormat
from engine.export.web_page.page import SCRIPTS, page_data
from engine.export.web_page.tensors import page_tensors
from engine.model.gru import TABLE_NAME, TextGenerator
from engine.model.vocab import EOS, Vocab
from engine.sampling.logits import NEVER_SAMPLED, draw, next_char_weights
from engine.sampling.sampler import SampledTweet, TweetSampler, uniforms_of
from tests.browser import node_path
from tests.engine.checkpoints.saved import checkpoint_info

_ASSETS = Path(__file__).parents[4] / "assets" / "web_page"
_WITH_DOM = ("why.js", "page.js")
_SCALE = 3.0
"""Factor of PyTorch's initial weights, for distributions far from uniform."""
_MARGIN = 1e-4
"""Of probability: an order of magnitude above the rounding error of float32 at the lowest temperature in the tests."""


def run_scripts(jobs: list[dict[str, Any]], data: str = "null") -> list[Any]:
    """Return the result of each job of `run_page_scripts.js` on the page data."""
    files = json.dumps([str(_ASSETS / name) for name in SCRIPTS if name not in _WITH_DOM])
    ran = subprocess.run(
        [node_path(), str(Path(__file__).with_name("run_page_scripts.js"))],
        input=f"[{files},{data},{json.dumps(jobs)}]",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    results: list[Any] = json.loads(ran.stdout)
    return results


def model_of(vocab: Vocab, config: ModelConfig, contexts: torch.Tensor | None = None) -> TextGenerator:
    """Return a model with random weights; `contexts` are the codes of its n-gram input."""
    torch.manual_seed(21)
    model = TextGenerator.from_config(len(vocab), config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(_SCALE)
        model.proj.bias[EOS] -= 1.0
        if model.ngram_input is not None and contexts is not None:
            model.ngram_input.contexts.copy_(contexts)
            model.ngram_input.weight[1:].normal_()
    return model


def checkpoint_of(model: TextGenerator, vocab: Vocab, config: ModelConfig, **changes: Any) -> Checkpoint:
    """Return a checkpoint with this model."""
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    return Checkpoint(checkpoint_info(vocab=vocab.chars, model=config, **changes), tensors)


def data_of(model: TextGenerator, vocab: Vocab, config: ModelConfig, weights: WeightFormat = "float16") -> str:
    """Return the page data of this model."""
    return page_data(checkpoint_of(model, vocab, config), weights, None)


def as_on_the_page(model: TextGenerator, config: ModelConfig, weights: WeightFormat) -> TextGenerator:
    """Return the model with the weights as the page has them."""
    rounded = TextGenerator.without_weights(model.embed.num_embeddings, config)
    tensors = {
        name: torch.from_numpy(_signed(tensor.decoded())) for name, tensor in page_tensors(model, weights).items()
    }
    if TABLE_NAME in tensors:
        no_row = torch.zeros(1, config.hidden_size)
        tensors[TABLE_NAME] = torch.cat([no_row, tensors[TABLE_NAME]])
    if config.tied_embeddings:
        tensors["proj.weight"] = tensors["embed.weight"]
    rounded.load_state_dict(tensors, assign=True)
    return rounded.eval()


def _signed(array: Any) -> Any:
    """Return uint64 as int64, other numbers as they are."""
    return array.view("int64") if array.dtype == "uint64" else array


def settings_of(sampling: SamplingConfig) -> dict[str, Any]:
    """Return the settings that the page reads."""
    names = ("temperature", "top_k", "top_p", "min_p", "temperature_last", "prime", "max_length")
    return {name: getattr(sampling, name) for name in names}


def _weights_of(log_probs: Any, sampling: SamplingConfig) -> Any:
    return next_char_weights(log_probs.copy(), sampling, np.full((1, 1), sampling.temperature, dtype=np.float32))


def _is_clear(log_probs: Any, sampling: SamplingConfig, uniform: float) -> bool:
    """Return whether no rounding error can change the draw: it is the same with every limit moved by `_MARGIN`."""
    ordered = np.sort(np.delete(log_probs[0], NEVER_SAMPLED))[::-1]
    num_kept = np.count_nonzero(_weights_of(log_probs, sampling))
    if num_kept < len(ordered) and ordered[num_kept - 1] - ordered[num_kept] < _MARGIN:
        return False  # a tie of the last one kept and the first one excluded
    shifted = np.clip(uniform + np.array([-_MARGIN, 0.0, _MARGIN]), 0.0, 1 - 1e-9)
    drawn: set[int] = set()
    for top_p in {sampling.top_p, min(sampling.top_p + _MARGIN, 1.0), sampling.top_p - _MARGIN * (sampling.top_p < 1)}:
        for min_p in {sampling.min_p, sampling.min_p * (1 + _MARGIN), sampling.min_p * (1 - _MARGIN)}:
            weights = _weights_of(log_probs, replace(sampling, top_p=top_p, min_p=min_p))
            drawn.update(draw(weights.repeat(len(shifted), axis=0), shifted).tolist())
    return len(drawn) == 1


def clear_tweet(model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, seed: int) -> SampledTweet | None:
    """Return the program's tweet, None if a draw was so close to a limit that rounding may decide it."""
    sampler = TweetSampler(model, vocab, sampling, [seed], may_compile=False)
    uniforms = uniforms_of(seed, sampling.max_length)[len(sampling.prime) :]
    for uniform in uniforms:
        if not _is_clear(sampler.log_probs, sampling, uniform):
            return None
        sampler.advance()
        if sampler.is_done:
            break
    return sampler.results()[0]

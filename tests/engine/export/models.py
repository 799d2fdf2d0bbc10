"""Random models of every shape, and their checkpoints; the page's JavaScript in Node, and the tweets it must write."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, save_checkpoint
from engine.config.run import ModelConfig
from engine.config.sampling import SamplingConfig
from engine.export import WeightFormat
from engine.export.hub import write_folder
from engine.export.web_page import SCRIPTS, PageTensor, page_tensors
from engine.model.gru import TABLE_NAME, TextGenerator
from engine.model.vocab import BOS, EOS, ORDERS, SPECIALS, Vocab, appended, context_code
from engine.sampling.logits import NEVER_SAMPLED, draw, next_char_weights
from engine.sampling.sampler import SampledTweet, TweetSampler, uniforms_of
from tests.engine.checkpoints.saved import checkpoint_info
from tests.installed import node_path

SHAPES = {
    "one layer": ModelConfig(embedding_size=5, hidden_size=18),
    "tied": ModelConfig(embedding_size=8, hidden_size=8, tied_embeddings=True),
    "four layers": ModelConfig(embedding_size=5, hidden_size=8, num_layers=4, dropout=0.2),
    "n-grams": ModelConfig(embedding_size=5, hidden_size=8, num_layers=3, ngram_order=4, ngram_contexts=400),
    "all": ModelConfig(
        embedding_size=18, hidden_size=18, num_layers=2, tied_embeddings=True, ngram_order=4, ngram_contexts=400
    ),
}
EMOJI = ("😀", "\u200d", "\ufe0f", "é", "ש", " ", '"', "\\", "#", "a", "b")
MANY = tuple(chr(0x4E00 + number) for number in range(4000))
BEYOND_16_BITS = (*MANY, *(chr(0x10000 + number) for number in range(62_000)))
"""More symbols than a context has codes for."""
MODELS = {
    **{name: (config, EMOJI) for name, config in SHAPES.items()},
    "4,000 characters": (SHAPES["all"], MANY),
    "66,000 characters": (SHAPES["n-grams"], BEYOND_16_BITS),
}


def random_ids(vocab_size: int, length: int = 200) -> Tensor:
    """Return three texts of random ids, (3, length), that begin with `BOS` and have the largest id.

    Half of the ids are among the first few, so that contexts occur again.
    """
    generator = np.random.default_rng(3)
    frequent, rare = (generator.integers(EOS, min(size, vocab_size), (3, length)) for size in (9, vocab_size))
    ids = np.where(generator.random((3, length)) < 0.5, frequent, rare)
    ids[:, 0], ids[:, 3:5] = BOS, vocab_size - 1
    return torch.from_numpy(ids)


def some_contexts(vocab_size: int, count: int) -> Tensor:
    """Return the codes, (count,) and ascending, of contexts of all lengths in `random_ids`."""
    codes: set[int] = set()
    window = np.zeros(3, dtype=np.int64)
    for column in random_ids(vocab_size).numpy().T:
        window = appended(window, column)
        codes.update(*(context_code(window, order).tolist() for order in ORDERS))
    return torch.tensor(sorted(codes)[:: len(codes) // count][:count])


def random_model(vocab_size: int, config: ModelConfig) -> TextGenerator:
    """Return a model in eval mode, whose weights are large enough that gates open and close."""
    torch.manual_seed(5)
    model = TextGenerator.from_config(vocab_size, config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.5)
        if model.ngram_input is not None:
            model.ngram_input.weight[0] = 0
            model.ngram_input.contexts.copy_(some_contexts(vocab_size, config.ngram_contexts))
    return model


def checkpoint_of(model: TextGenerator, config: ModelConfig, chars: tuple[str, ...], **changes: Any) -> Checkpoint:
    """Return a checkpoint of this model at step 0."""
    tensors = {f"model.{name}": tensor.clone() for name, tensor in model.state_dict().items()}
    tensors["generator.cpu"] = torch.get_rng_state()
    return Checkpoint(checkpoint_info(**{"model": config, "vocab": chars, "step": 0, **changes}), tensors)


def write_random_folder(folder: Path, config: ModelConfig, chars: tuple[str, ...], **changes: Any) -> TextGenerator:
    """Write the model folder of a random model, whose training tweets are missing; return the model."""
    model = random_model(len(SPECIALS) + len(chars), config)
    checkpoint = checkpoint_of(model, config, chars, **changes)
    path = folder.with_suffix(".safetensors")
    save_checkpoint(path, checkpoint.info, checkpoint.tensors)
    write_folder(path, folder, "mit", may_replace=False)
    return model


# The page -------------------------------------------------------------------------------------------------------------

_ASSETS = Path(__file__).parents[3] / "assets" / "web_page"
_WITH_DOM = ("why.js", "page.js")
_MARGIN = 1e-4
"""Of probability: an order of magnitude above the rounding error of float32 at the lowest temperature in the tests."""


def run_scripts(pages: Sequence[tuple[str, list[dict[str, Any]]]]) -> list[list[Any]]:
    """Return, for each page, the results of its jobs of `run_page_scripts.js`; a page is its data in JSON."""
    files = json.dumps([str(_ASSETS / name) for name in SCRIPTS if name not in _WITH_DOM])
    data_and_jobs = ",".join(f"[{data},{json.dumps(jobs)}]" for data, jobs in pages)
    ran = subprocess.run(
        [node_path(), str(Path(__file__).with_name("run_page_scripts.js"))],
        input=f"[{files},[{data_and_jobs}]]",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    results: list[list[Any]] = json.loads(ran.stdout)
    return results


def decoded(tensor: PageTensor) -> npt.NDArray[Any]:
    """Return a tensor as the page computes with it: float32, or uint64."""
    if tensor.scales is not None:
        return tensor.values * tensor.scales[:, None]
    return tensor.values if tensor.values.dtype == np.uint64 else tensor.values.astype(np.float32)


def as_on_the_page(model: TextGenerator, config: ModelConfig, weights: WeightFormat) -> TextGenerator:
    """Return the model with the weights as the page has them."""
    rounded = TextGenerator.without_weights(model.embed.num_embeddings, config)
    arrays = {name: decoded(tensor) for name, tensor in page_tensors(model, weights).items()}
    tensors = {
        name: torch.from_numpy(array.view("int64") if array.dtype == "uint64" else array)
        for name, array in arrays.items()
    }
    if TABLE_NAME in tensors:
        no_row = torch.zeros(1, config.hidden_size)
        tensors[TABLE_NAME] = torch.cat([no_row, tensors[TABLE_NAME]])
    if config.tied_embeddings:
        tensors["proj.weight"] = tensors["embed.weight"]
    rounded.load_state_dict(tensors, assign=True)
    return rounded.eval()


def clear_tweets(
    model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, seeds: Sequence[int]
) -> dict[int, SampledTweet]:
    """Return the program's tweets by seed, without those with a draw that rounding may change."""
    sampler = TweetSampler(model, vocab, sampling, seeds, may_compile=False)
    uniforms = np.stack([uniforms_of(seed, sampling.max_length) for seed in seeds])
    is_clear = np.ones(len(seeds), dtype=bool)
    for place in range(len(sampling.prime), sampling.max_length):
        if not sampler.is_done:
            rows = sampler._rows  # of the unfinished tweets
            is_clear[rows] &= _are_clear(sampler.log_probs, sampling, uniforms[rows, place])
            sampler.advance()
    return {tweet.seed: tweet for tweet, keeps in zip(sampler.results(), is_clear, strict=True) if keeps}


def _are_clear(
    log_probs: npt.NDArray[np.float32], sampling: SamplingConfig, uniforms: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Return, per row, whether no rounding error can change the draw: whether moving a limit by `_MARGIN` does not."""
    temperatures = np.full((len(log_probs), 1), sampling.temperature, dtype=np.float32)
    ordered = -np.sort(-np.delete(log_probs, NEVER_SAMPLED, axis=1), axis=1)  # (B, V - 3)
    num_kept = np.count_nonzero(next_char_weights(log_probs.copy(), sampling, temperatures), axis=1)
    last_kept, first_excluded = num_kept - 1, np.minimum(num_kept, ordered.shape[1] - 1)
    gaps = np.take_along_axis(ordered, last_kept[:, None], 1) - np.take_along_axis(ordered, first_excluded[:, None], 1)
    is_tied = (last_kept < first_excluded) & (gaps[:, 0] < _MARGIN)
    drawn = []
    for top_p in {sampling.top_p, min(sampling.top_p + _MARGIN, 1.0), sampling.top_p - _MARGIN * (sampling.top_p < 1)}:
        for min_p in {sampling.min_p, sampling.min_p * (1 + _MARGIN), sampling.min_p * (1 - _MARGIN)}:
            moved = replace(sampling, top_p=top_p, min_p=min_p)
            weights = next_char_weights(log_probs.copy(), moved, temperatures)
            drawn += [draw(weights, np.clip(uniforms + shift, 0.0, 1 - 1e-9)) for shift in (-_MARGIN, 0.0, _MARGIN)]
    is_clear: npt.NDArray[np.bool_] = (np.stack(drawn) == drawn[0]).all(axis=0) & ~is_tied
    return is_clear

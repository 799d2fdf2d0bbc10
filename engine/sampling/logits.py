"""From logits to the next character: temperature, truncation, drawing. Pure functions, without torch.

Shapes: B tweets, V vocabulary. NumPy arrays, not tensors: a row is some hundred numbers, and for one row a NumPy call
costs a fraction of a torch call. A GPU copies its log-probabilities to the host once per character.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import Ids
from engine.model.vocab import BOS, PAD, UNK

Floats: TypeAlias = npt.NDArray[np.float32]

NEVER_SAMPLED = (PAD, BOS, UNK)


def next_char_weights(logits: Floats, sampling: SamplingConfig, temperatures: Floats) -> Floats:
    """Return the unnormalized probability of each id in each row, (B, V), after temperature and truncation.

    `logits` (B, V), `temperatures` (B, 1). In this order: exclude all special symbols but `<EOS>`; temperature (0 is
    greedy); top-k; top-p (Holtzman et al. 2020, arXiv:1904.09751: the smallest set of total probability p); min-p
    (Nguyen et al. 2024, arXiv:2407.01082: at least that share of the highest probability). With `temperature_last` the
    three filters are applied to the distribution at temperature 1, and the temperature to what they keep.
    """
    scaled = logits + _excluded(logits.shape[-1])
    if not temperatures.all():
        is_greedy = temperatures == 0  # (B, 1)
        is_highest = np.arange(scaled.shape[-1]) == scaled.argmax(axis=-1)[:, None]  # (B, V): one of each row
        drawn = next_char_weights(logits, sampling, np.where(is_greedy, np.float32(1), temperatures))
        return np.where(is_greedy, is_highest.astype(np.float32), drawn)
    scaled -= scaled.max(axis=-1, keepdims=True)
    if sampling.temperature_last:
        kept = _filtered(np.exp(scaled), sampling) > 0
        scaled /= temperatures
        return np.where(kept, np.exp(scaled), np.float32(0))
    scaled /= temperatures
    return _filtered(np.exp(scaled, out=scaled), sampling)


def _filtered(weights: Floats, sampling: SamplingConfig) -> Floats:
    """Return the weights (B, V) after top-k, top-p and min-p, those of excluded ids being 0; may change `weights`."""
    if 0 < sampling.top_k < weights.shape[-1]:
        smallest_kept = np.partition(weights, -sampling.top_k, axis=-1)[:, -sampling.top_k, None]
        weights[weights < smallest_kept] = 0.0
    if sampling.top_p < 1:
        weights /= weights.sum(axis=-1, keepdims=True)
        order = np.argsort(-weights, axis=-1, kind="stable")
        ordered = np.take_along_axis(weights, order, axis=-1)
        mass_before = ordered.cumsum(axis=-1) - ordered
        ordered[mass_before >= sampling.top_p] = 0.0
        np.put_along_axis(weights, order, ordered, axis=-1)
    if sampling.min_p > 0:
        weights[weights < sampling.min_p * weights.max(axis=-1, keepdims=True)] = 0.0
    return weights


@cache
def _excluded(vocab_size: int) -> Floats:
    """Return the logit offsets (V,) that exclude the special symbols but `<EOS>`."""
    offsets = np.zeros(vocab_size, dtype=np.float32)
    offsets[list(NEVER_SAMPLED)] = -np.inf
    return offsets


def draw(weights: Floats, uniforms: npt.NDArray[np.float64]) -> Ids:
    """Draw an id per row, (B,), by inverse transform sampling.

    `weights` (B, V) need not be normalized; `uniforms` (B,) in [0, 1).
    """
    cumulative = weights.cumsum(axis=-1, dtype=np.float64)
    token_ids: Ids = (cumulative > uniforms[:, None] * cumulative[:, -1:]).argmax(axis=-1)
    return token_ids


def uniforms_of(seed: int, count: int) -> npt.NDArray[np.float64]:
    """Return `count` uniform numbers in [0, 1) that depend on `seed` alone."""
    return np.random.Generator(np.random.PCG64(seed)).random(count)

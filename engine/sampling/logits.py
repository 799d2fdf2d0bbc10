"""The choice of the next character: what may come, how likely it is, how it is drawn. Pure functions; knows no torch.

Shapes: B tweets, V vocabulary. On arrays and not on tensors: a row is some hundred numbers, and for one row a call
into numpy takes a fraction of what a call into torch does; a device hands over what the model expects once a character.
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engine.config.run import SamplingConfig
from engine.model.vocab import BOS, PAD, UNK

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]

NEVER_SAMPLED = (PAD, BOS, UNK)


def next_char_weights(logits: Floats, sampling: SamplingConfig, temperatures: Floats) -> Floats:
    """Return how likely each id is to come next in each row, (B, V), up to a factor a row.

    `logits` (B, V), `temperatures` (B, 1). In this order: never a special symbol but `<EOS>`; temperature (0: all on
    the likeliest); top-k; top-p (Holtzman et al. 2020, arXiv:1904.09751: the smallest set that holds p); min-p
    (Nguyen et al. 2024, arXiv:2407.01082: at least that share of the likeliest).
    """
    if not temperatures.all():
        return _with_greedy_rows(logits, sampling, temperatures)
    weights = logits + _barred(logits.shape[-1])
    weights -= weights.max(axis=-1, keepdims=True)
    weights /= temperatures
    np.exp(weights, out=weights)
    if 0 < sampling.top_k < weights.shape[-1]:
        smallest_kept = np.partition(weights, -sampling.top_k, axis=-1)[:, -sampling.top_k, None]
        weights[weights < smallest_kept] = 0.0
    if sampling.top_p < 1:
        weights = _nucleus(weights / weights.sum(axis=-1, keepdims=True), sampling.top_p)
    if sampling.min_p > 0:
        weights[weights < sampling.min_p * weights.max(axis=-1, keepdims=True)] = 0.0
    return weights


@cache
def _barred(vocab_size: int) -> Floats:
    """Return what takes the special symbols that are never sampled out of logits, (V,)."""
    barred = np.zeros(vocab_size, dtype=np.float32)
    barred[list(NEVER_SAMPLED)] = -np.inf
    return barred


def _with_greedy_rows(logits: Floats, sampling: SamplingConfig, temperatures: Floats) -> Floats:
    """Return the weights where some rows' temperature is 0."""
    is_greedy = temperatures == 0  # (B, 1)
    highest = (logits + _barred(logits.shape[-1])).argmax(axis=-1)  # (B,)
    likeliest = np.arange(logits.shape[-1]) == highest[:, None]  # (B, V)
    drawn = next_char_weights(logits, sampling, np.where(is_greedy, np.float32(1), temperatures))
    return np.where(is_greedy, likeliest.astype(np.float32), drawn)


def _nucleus(probabilities: Floats, top_p: float) -> Floats:
    """Return `probabilities` (B, V) with zeros outside the smallest set of likeliest ids that holds `top_p`."""
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities, order, axis=-1)
    mass_before = ordered.cumsum(axis=-1) - ordered
    ordered[mass_before >= top_p] = 0.0
    kept = np.empty_like(probabilities)
    np.put_along_axis(kept, order, ordered, axis=-1)
    return kept


def draw(weights: Floats, uniforms: npt.NDArray[np.float64]) -> Ids:
    """Return the id (B,) at which each row's cumulated weight (B, V) passes its uniform number's share, in [0, 1)."""
    cumulated = weights.cumsum(axis=-1, dtype=np.float64)
    token_ids: Ids = (cumulated > uniforms[:, None] * cumulated[:, -1:]).argmax(axis=-1)
    return token_ids

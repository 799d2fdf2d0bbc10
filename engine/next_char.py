"""The choice of the next character: what is kept, how likely it is, how it is drawn. Pure functions; knows no torch.

Shapes: B tweets, V vocabulary. On arrays and not on tensors: a row is some hundred numbers, and for one row a call
into numpy takes a fraction of what a call into torch does; a device hands over what the model expects once a character.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engine.config import SamplingConfig
from engine.vocab import BOS, PAD, UNK

NEVER_SAMPLED = (PAD, BOS, UNK)

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]


def next_char_probabilities(logits: Floats, sampling: SamplingConfig, temperatures: Floats) -> Floats:
    """Return the distribution (B, V) that the next character of each row is drawn from.

    `logits` (B, V), `temperatures` (B, 1). In this order: never a special symbol but `<EOS>`; temperature (0: all on
    the likeliest); top-k; top-p (Holtzman et al. 2020, arXiv:1904.09751: the smallest set that holds p); min-p
    (Nguyen et al. 2024, arXiv:2407.01082: at least that share of the likeliest).
    """
    allowed = logits.copy()
    for token_id in NEVER_SAMPLED:
        allowed[:, token_id] = -np.inf
    is_greedy = temperatures == 0  # (B, 1)
    has_greedy = bool(is_greedy.any())
    below_highest = allowed - allowed.max(axis=-1, keepdims=True)
    weights = np.exp(below_highest / (np.where(is_greedy, np.float32(1), temperatures) if has_greedy else temperatures))
    if 0 < sampling.top_k < weights.shape[-1]:
        smallest_kept = np.partition(weights, -sampling.top_k, axis=-1)[:, -sampling.top_k, None]
        weights[weights < smallest_kept] = 0.0
    if sampling.top_p < 1:
        weights = _nucleus(weights / weights.sum(axis=-1, keepdims=True), sampling.top_p)
    if sampling.min_p > 0:
        weights[weights < sampling.min_p * weights.max(axis=-1, keepdims=True)] = 0.0
    if has_greedy:
        likeliest = np.arange(weights.shape[-1]) == allowed.argmax(axis=-1)[:, None]
        weights = np.where(is_greedy, likeliest.astype(weights.dtype), weights)
    return weights / weights.sum(axis=-1, keepdims=True)


def _nucleus(probabilities: Floats, top_p: float) -> Floats:
    """Return `probabilities` (B, V) with zeros outside the smallest set of likeliest ids that holds `top_p`."""
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    ordered = np.take_along_axis(probabilities, order, axis=-1)
    mass_before = ordered.cumsum(axis=-1) - ordered
    ordered[mass_before >= top_p] = 0.0
    kept = np.empty_like(probabilities)
    np.put_along_axis(kept, order, ordered, axis=-1)
    return kept


def draw(probabilities: Floats, uniforms: npt.NDArray[np.float64]) -> Ids:
    """Return the id (B,) at which each row's cumulated probability (B, V) passes its uniform number (B,) in [0, 1)."""
    cumulated = probabilities.cumsum(axis=-1, dtype=np.float64)
    passes = cumulated > uniforms[:, None] * cumulated[:, -1:]  # (B, V)
    return passes.argmax(axis=-1)


def surprise(logits: Floats, token_ids: Ids) -> Floats:
    """Return the bits (B,) that each row's id costs the model at temperature 1, by its logits (B, V)."""
    highest = logits.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(logits - highest).sum(axis=-1))
    chosen = logits[np.arange(len(logits)), token_ids]
    return (log_total + highest[:, 0] - chosen) * np.float32(1 / np.log(2))

"""The map of the characters: principal components of their embeddings. Uses no random number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.insight.trace import require_finite
from engine.model.vocab import SPECIALS

NUM_COMPONENTS = 2


@dataclass(frozen=True)
class EmbeddingMap:
    """The places of all characters."""

    points: Tensor  # (characters, 2)
    variance_shares: Tensor  # (2,)


def map_embeddings(embedding: Tensor) -> EmbeddingMap:
    """Return the map of an embedding matrix (V, E) without its special symbols.

    The components are the eigenvectors of the covariance with the largest eigenvalues, each with the sign that makes
    its largest weight positive. Where a component has no variance, all points are at 0. Raises `DivergedError` on
    non-finite embeddings.
    """
    chars = embedding[len(SPECIALS) :].double()  # (characters, E)
    require_finite(chars)
    centred = chars - chars.mean(dim=0)
    variances, vectors = torch.linalg.eigh(centred.t() @ centred)  # (E,) ascending, (E, E)
    axes = centred.new_zeros(centred.shape[1], NUM_COMPONENTS)
    shares = centred.new_zeros(NUM_COMPONENTS)
    total = variances.clamp(min=0).sum()
    for number in range(min(NUM_COMPONENTS, len(variances))):
        variance, vector = variances[-1 - number], vectors[:, -1 - number]
        if variance > 0:
            axes[:, number] = vector * vector[vector.abs().argmax()].sign()
            shares[number] = variance / total
    return EmbeddingMap(centred @ axes, shares)

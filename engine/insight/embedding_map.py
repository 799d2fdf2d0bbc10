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

    The components are the eigenvectors of the covariance with the largest eigenvalues. Each has the sign that puts the
    frequent characters, weighted by 1 / rank, on the positive side: their side seldom changes while a model trains, so
    the map is not mirrored from one step to the next. Where a component has no variance, all points are at 0. Raises
    `DivergedError` on non-finite embeddings.
    """
    chars = embedding[len(SPECIALS) :].double()  # (characters, E)
    require_finite(chars)
    centred = chars - chars.mean(dim=0)
    variances, vectors = torch.linalg.eigh(centred.t() @ centred)  # (E,) ascending, (E, E)
    points, shares = centred.new_zeros(len(centred), NUM_COMPONENTS), centred.new_zeros(NUM_COMPONENTS)
    weights = 1 / torch.arange(1, len(centred) + 1).double()  # most frequent first
    for number in range(min(NUM_COMPONENTS, len(variances))):
        if variances[-1 - number] > 0:
            along = centred @ vectors[:, -1 - number]  # (characters,)
            points[:, number] = along if weights.dot(along) >= 0 else -along
            shares[number] = variances[-1 - number] / variances.clamp(min=0).sum()
    return EmbeddingMap(points, shares)

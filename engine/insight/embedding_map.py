"""The map of the characters: principal components of their embeddings. Uses no random number."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

from engine.insight.snapshot import Snapshot
from engine.insight.trace import FINE_DIGITS, require_finite, rounded
from engine.model.vocab import SPECIALS
from engine.progress import CooperativeTask
from engine.protocol.insight import CharPoint, MapEmbeddings
from engine.text import sanitize_char

MAX_POINTS = 200
NUM_COMPONENTS = 2
_TINY = torch.finfo(torch.float64).tiny


class EmbeddingMap(NamedTuple):
    """The places of all characters."""

    points: Tensor  # (characters, 2)
    variance_shares: Tensor  # (2,)


def map_chars(model: Snapshot, _command: MapEmbeddings) -> CooperativeTask[dict[str, Any]]:
    """Return the fields of `EmbeddingsMapped`."""
    yield
    points, variance_shares = map_embeddings(model.gru.embedding)
    chars = model.vocab.chars
    axes = (rounded(axis, FINE_DIGITS) for axis in points[:MAX_POINTS].t())
    return {
        "points": tuple(
            CharPoint(char=sanitize_char(char), x=x, y=y) for char, x, y in zip(chars[:MAX_POINTS], *axes, strict=True)
        ),
        "variance_shares": tuple(rounded(variance_shares)),
        "num_chars": len(chars),
    }


def map_embeddings(embedding: Tensor) -> EmbeddingMap:
    """Return the map of an embedding matrix (V, E) without its special symbols.

    The components are the first right singular vectors of the centred matrix; decomposing it takes a tenth of the time
    of its covariance where characters are fewer than dimensions. Each has the sign that puts the frequent characters,
    weighted by 1 / rank, on the positive side: their side seldom changes while a model trains, so the map is not
    mirrored from one step to the next. Where a component has no variance, all points are at 0. Raises `DivergedError`
    on non-finite embeddings.
    """
    chars = embedding[len(SPECIALS) :].double()  # (characters, E)
    require_finite(chars)
    left, sizes, _ = torch.linalg.svd(chars - chars.mean(dim=0), full_matrices=False)  # (characters, K), (K,)
    along = (left * sizes)[:, :NUM_COMPONENTS]
    weights = 1 / torch.arange(1, len(chars) + 1).double()  # most frequent first
    along = torch.where(weights @ along >= 0, along, -along)
    shares = sizes.square() / sizes.square().sum().clamp(min=_TINY)
    padding = max(NUM_COMPONENTS - len(sizes), 0)
    return EmbeddingMap(F.pad(along, (0, padding)), F.pad(shares[:NUM_COMPONENTS], (0, padding)))

"""The map of the characters is the principal component analysis of their embeddings, always the same way up."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.errors import DivergedError
from engine.insight.embedding_map import map_embeddings

EMBEDDING = torch.randn(40, 7, generator=torch.Generator().manual_seed(3)) * torch.tensor([3.0, 2, 1, 1, 0.5, 0.5, 0.1])


def test_the_places_and_shares_are_those_of_a_singular_value_decomposition() -> None:
    chars = EMBEDDING[4:].double()
    centred = chars - chars.mean(dim=0)
    left, sizes, _ = torch.linalg.svd(centred, full_matrices=False)
    found = map_embeddings(EMBEDDING)
    assert torch.allclose(found.points.abs(), (left * sizes)[:, :2].abs(), atol=1e-9)
    assert torch.allclose(found.variance_shares, sizes[:2].square() / sizes.square().sum(), atol=1e-9)
    assert torch.equal(map_embeddings(EMBEDDING.clone()).points, found.points)


def test_special_symbols_have_no_part_in_it() -> None:
    changed = EMBEDDING.clone()
    changed[:4] = 1e6
    assert torch.equal(map_embeddings(changed).points, map_embeddings(EMBEDDING).points)


@pytest.mark.parametrize("sign", [1, -1])
def test_frequent_characters_are_on_the_positive_side(sign: int) -> None:
    line = torch.zeros(9, 3)
    line[4:, 1] = sign * torch.arange(5.0)
    line[4:, 0] = -0.5 * sign * torch.arange(5.0)
    points = map_embeddings(line).points
    assert points[:, 0].tolist() == pytest.approx([1.25**0.5 * place for place in (2, 1, 0, -1, -2)], abs=1e-6)


@pytest.mark.parametrize(
    "embedding",
    [EMBEDDING[:5, :3], EMBEDDING[:30, :1], EMBEDDING[:30, :2], torch.full((12, 6), 0.3)],
    ids=["few characters", "one dimension", "two dimensions", "all equal"],
)
def test_few_or_equal_embeddings_give_finite_places(embedding: Tensor) -> None:
    found = map_embeddings(embedding)
    assert found.points.shape == (len(embedding) - 4, 2)
    assert found.points.isfinite().all()
    assert found.variance_shares.isfinite().all()
    assert found.variance_shares.sum() <= 1 + 1e-9
    if torch.equal(embedding, embedding[:1].expand_as(embedding)):
        assert found.points.abs().max() < 1e-6, "at the centre"


def test_non_finite_embeddings_raise() -> None:
    with pytest.raises(DivergedError):
        map_embeddings(EMBEDDING * math.inf)

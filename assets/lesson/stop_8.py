"""What it learned: the characters on a map, and how well a unit tracks a concept."""

import torch
from torch import Tensor, nn


def map_of_characters(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Return the places of characters by two principal components, and the share of variance of each."""
    centred = embeddings - embeddings.mean(dim=0)  # (V, E)
    _, spread, components = torch.linalg.svd(centred, full_matrices=False)
    return centred @ components[:2].T, (spread**2 / (spread**2).sum())[:2]  # (V, 2), (2,)


@torch.no_grad()
def states_along(model: nn.Module, token_ids: Tensor) -> Tensor:
    """Return the hidden state after each input."""
    output, _ = model.rnn(model.embed(token_ids[None]))  # (1, T, H)
    return output[0]  # (T, H)


def correlation(activation: Tensor, concept: Tensor) -> float:
    """Return how well a unit tracks a concept, -1 to 1; `concept` is 1 where it holds, else 0."""
    return torch.corrcoef(torch.stack([activation, concept]))[0, 1].item()

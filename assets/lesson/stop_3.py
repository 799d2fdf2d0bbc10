"""Teacher forcing: one character at a time, then the whole tweet at once. Both give the same loss."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def stepwise_loss(model: nn.Module, token_ids: Tensor) -> Tensor:
    """Return the mean loss, one character at a time; `token_ids` begin with <BOS> and end with <EOS>."""
    hidden, losses = None, []
    for i in range(1, len(token_ids)):
        true_input = token_ids[i - 1]  # never what the model predicted: teacher forcing
        logits, hidden = model(true_input.reshape(1, 1), hidden)  # (1, 1, V)
        losses.append(cross_entropy(logits[0], token_ids[i].reshape(1)))
    return torch.stack(losses).mean()


def sequence_loss(model: nn.Module, token_ids: Tensor) -> Tensor:
    """Return the same in one call."""
    inputs, targets = token_ids[:-1], token_ids[1:]  # <EOS> is never an input, <BOS> never a target
    logits, _ = model(inputs[None])  # (1, T + 1, V)
    return cross_entropy(logits[0], targets)

"""Overfit one tweet: the same batch of one, again and again."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def overfit(model: nn.Module, token_ids: Tensor, num_steps: int = 300, learning_rate: float = 0.001) -> list[float]:
    """Train on one tweet; return the loss of each step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    for _ in range(num_steps):
        logits, _ = model(token_ids[None, :-1])  # (1, T + 1, V)
        loss = cross_entropy(logits[0], token_ids[1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def gates(rnn: nn.GRU, embedded: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return reset gate, update gate and next state for one input (E,) and one state (H,)."""
    from_input = rnn.weight_ih_l0 @ embedded + rnn.bias_ih_l0  # (3H,)
    from_hidden = rnn.weight_hh_l0 @ hidden + rnn.bias_hh_l0  # (3H,)
    r_in, z_in, n_in = from_input.chunk(3)  # (H,) each
    r_hid, z_hid, n_hid = from_hidden.chunk(3)  # (H,) each
    r = torch.sigmoid(r_in + r_hid)
    z = torch.sigmoid(z_in + z_hid)
    n = torch.tanh(n_in + r * n_hid)  # the candidate
    return r, z, z * hidden + (1 - z) * n

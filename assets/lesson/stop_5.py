"""Sampling: draw the next character, feed it back, until <EOS>. Temperature divides the logits."""

import torch
from torch import Tensor, nn

PAD, BOS, EOS, UNK = range(4)


def next_probabilities(logits: Tensor, temperature: float) -> Tensor:
    """Return the distribution that is drawn from; `logits` (V,)."""
    logits = logits.clone()
    logits[[PAD, BOS, UNK]] = -torch.inf  # never drawn
    if temperature == 0:  # greedy: all on the likeliest
        return torch.nn.functional.one_hot(logits.argmax(), len(logits)).float()  # (V,)
    return torch.softmax(logits / temperature, dim=-1)  # (V,)


@torch.no_grad()
def sample(model: nn.Module, itos: list[str], temperature: float = 0.8, max_length: int = 140) -> str:
    """Return a tweet."""
    inp, hidden, tweet = torch.tensor([[BOS]]), None, ""
    while len(tweet) < max_length:
        logits, hidden = model(inp, hidden)  # (1, 1, V)
        drawn = torch.multinomial(next_probabilities(logits[0, 0], temperature), 1)  # (1,)
        if drawn.item() == EOS:
            break
        tweet += itos[int(drawn)]
        inp = drawn[None]  # (1, 1): its own draw is the next input
    return tweet

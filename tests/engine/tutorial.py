"""CSC321 Tutorial 11 as a reader of it would have filled it in: model, training step, sampling. A reference for tests.

Nothing of `engine` is used here, but for the agreement that `<PAD>` is number 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PAD = 0


class TextGenerator(nn.Module):
    """The tutorial's class, blanks filled in."""

    def __init__(self, vocab_size: int, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(num_embeddings=vocab_size, embedding_dim=embedding_size)
        self.rnn = nn.GRU(input_size=embedding_size, hidden_size=hidden_size, batch_first=True)
        self.proj = nn.Linear(in_features=hidden_size, out_features=vocab_size)

    def forward(self, inp: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        emb = self.embed(inp)
        output, hidden = self.rnn(emb, hidden)
        output = self.proj(output)
        return output, hidden


def train(model: TextGenerator, batches: list[Tensor], lr: float) -> list[float]:
    """The tutorial's part (e) on padded tweets (B, T), `<BOS>` first and `<EOS>` last; returns each step's loss."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    losses = []
    for tweet in batches:
        inp, target = tweet[:, :-1], tweet[:, 1:].clone()
        optimizer.zero_grad()
        output, _ = model(inp)
        vocab_size = output.shape[-1]
        loss = criterion(output.reshape(-1, vocab_size), target.reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def greedy_sequence(model: TextGenerator, bos: int, eos: int, never: tuple[int, ...], max_len: int) -> list[int]:
    """The tutorial's `sample_sequence`, with the likeliest token in place of a random one; returns token ids."""
    generated: list[int] = []
    inp = torch.tensor([bos])
    hidden = None
    for _ in range(max_len):
        output, hidden = model(inp.unsqueeze(0), hidden)
        scores = output[0, -1].clone()
        scores[list(never)] = -torch.inf
        top_i = int(scores.argmax())
        if top_i == eos:
            break
        generated.append(top_i)
        inp = torch.tensor([top_i])
    return generated

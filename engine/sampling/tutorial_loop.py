"""CSC321 Tutorial 11 as a reader would complete it: the model, parts (e) and (f), and `sample_sequence`.

The reference for this program's speed: batch-first `nn.GRU` on padded tweets, Adam at 0.004, the loss read in every
step. It is deliberately not optimized; only padding is masked, so that both do the same work and have the same loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.corpus.arrays import Batch
from engine.model.vocab import BOS, EOS, PAD, Vocab

LEARNING_RATE = 0.004


class TutorialGenerator(nn.Module):
    """The tutorial's `TextGenerator`, with the same `state_dict` as ours."""

    def __init__(self, vocab_size: int, embedding_size: int, hidden_size: int) -> None:
        """Draw initial weights from the global generator."""
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embedding_size)
        self.rnn = nn.GRU(embedding_size, hidden_size, batch_first=True)
        self.proj = nn.Linear(hidden_size, vocab_size)

    def forward(self, inp: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits (B, T, V) after each of `inp` (B, T), and the last hidden state (1, B, H)."""
        output, hidden = self.rnn(self.embed(inp), hidden)  # (B, T, H), (1, B, H)
        return self.proj(output), hidden


class TutorialLoop:
    """The loop body of the tutorial's `train`."""

    def __init__(self, model: TutorialGenerator) -> None:
        """Use the model on its device."""
        self._model = model
        self._device = model.proj.weight.device
        self._optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        self._criterion = nn.CrossEntropyLoss(ignore_index=PAD)

    def step(self, batch: Batch) -> float:
        """Train on one batch; return its loss in nats per character."""
        inp = torch.from_numpy(batch.inputs).to(self._device)  # (B, T)
        target = torch.from_numpy(batch.targets).to(self._device)  # (B, T)
        self._optimizer.zero_grad()
        output, _ = self._model(inp)  # (B, T, V)
        loss: Tensor = self._criterion(output.reshape(-1, output.shape[-1]), target.reshape(-1))
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.item()


@torch.no_grad()
def sample_sequence(model: TutorialGenerator, vocab: Vocab, max_len: int, temperature: float) -> tuple[str, int]:
    """Return a tweet and the number of characters drawn, `<EOS>` included."""
    device = model.proj.weight.device
    sequence, num_drawn = "", 0
    inp = torch.tensor([BOS], device=device)
    hidden = None
    for _ in range(max_len):
        output, hidden = model(inp.unsqueeze(0), hidden)  # (1, 1, V), (1, 1, H)
        weights = output.view(-1).div(temperature).exp()  # (V,)
        top_i = int(torch.multinomial(weights, 1)[0])
        num_drawn += 1
        if top_i == EOS:
            break
        sequence += vocab.itos[top_i]
        inp = torch.tensor([top_i], device=device)
    return sequence, num_drawn

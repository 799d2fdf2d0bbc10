"""`TextGenerator`: the tutorial's model. A character goes in, what the model expects next comes out.

Shapes here and in all that calls it: B batch, T characters, V vocabulary, E embedding, H hidden, L layers.

        inp (B, T) ──embed──> (B, T, E) ──rnn──> (B, T, H) ──proj──> logits (B, T, V)
                                        hidden (L, B, H) ──> hidden (L, B, H)

Attribute and parameter names are the tutorial's (CSC321 Tutorial 11), so that its `state_dict` loads here and ours
there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.config.run import ModelConfig


class TextGenerator(nn.Module):
    """Embedding, GRU, projection. With `dropout`, also before the projection; nothing is dropped in eval mode."""

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        *,
        tied_embeddings: bool = False,
    ) -> None:
        """Make a model with PyTorch's default initial weights, drawn from the global generator.

        With `tied_embeddings`, `embed` and `proj` are one matrix, (V, H), that begins on the scale of logits.
        """
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embedding_size)
        between_layers = dropout if num_layers > 1 else 0.0  # nn.GRU warns where there is no between
        self.rnn = nn.GRU(embedding_size, hidden_size, num_layers, batch_first=True, dropout=between_layers)
        self.dropout = nn.Dropout(dropout)
        self.proj = nn.Linear(hidden_size, vocab_size)
        if tied_embeddings:
            nn.init.normal_(self.embed.weight, std=hidden_size**-0.5)
            self.proj.weight = self.embed.weight

    @classmethod
    def from_config(cls, vocab_size: int, config: ModelConfig) -> TextGenerator:
        """Return a new model of the shape that `config` asks for."""
        shape = config.embedding_size, config.hidden_size, config.num_layers, config.dropout
        return cls(vocab_size, *shape, tied_embeddings=config.tied_embeddings)

    @property
    def num_parameters(self) -> int:
        """Numbers that are learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.proj.weight.device

    def forward(self, inp: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return logits over the next character after each of `inp`, and the hidden state after the last.

        `inp` (B, T) token ids, `hidden` (L, B, H) or None for zeros; gives (B, T, V) and (L, B, H).
        """
        embedded = self.embed(inp)  # (B, T, E)
        output, hidden = self.rnn(embedded, hidden)  # (B, T, H), (L, B, H)
        return self.proj(self.dropout(output)), hidden  # (B, T, V)


def weights_with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return those of a checkpoint's tensors whose names begin with `prefix`, by the names in a `state_dict`."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

"""The model: embedding, GRU, projection."""

from torch import Tensor, nn


class TextGenerator(nn.Module):
    """Predicts the next character after each character."""

    def __init__(self, vocab_size: int, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embedding_size)
        self.rnn = nn.GRU(embedding_size, hidden_size, batch_first=True)
        self.proj = nn.Linear(hidden_size, vocab_size)

    def forward(self, inp: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits after each character, and the last hidden state."""
        embedded = self.embed(inp)  # (B, T) -> (B, T, E)
        output, hidden = self.rnn(embedded, hidden)  # (B, T, H)
        return self.proj(output), hidden  # (B, T, V)


def count_parameters(model: nn.Module) -> dict[str, int]:
    """Return the number of weights per part."""
    return {name: sum(each.numel() for each in part.parameters()) for name, part in model.named_children()}

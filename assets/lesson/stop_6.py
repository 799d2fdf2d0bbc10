"""Batches: tweets of similar length together, padded, the padding masked out of the loss."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

PAD = 0


def batches_by_length(tweets: list[Tensor], batch_size: int) -> list[Tensor]:
    """Return padded batches of encoded tweets, shortest first."""
    ordered = sorted(tweets, key=len)
    groups = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
    return [pad_sequence(group, batch_first=True, padding_value=PAD) for group in groups]  # (B, T + 2) each


def masked_loss(model: nn.Module, batch: Tensor) -> Tensor:
    """Return the mean loss of all characters of a batch, without padding."""
    inputs, targets = batch[:, :-1], batch[:, 1:]  # (B, T + 1)
    logits, _ = model(inputs)  # (B, T + 1, V)
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PAD)


def padding_share(batches: list[Tensor]) -> float:
    """Return the share of inputs that are padding: computed for nothing."""
    num_padded = sum(int((batch[:, 1:] == PAD).sum()) for batch in batches)
    return num_padded / sum(batch[:, 1:].numel() for batch in batches)

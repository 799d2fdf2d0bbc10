"""Characters become ids, and ids become one-hot rows."""

from collections import Counter

import torch
from torch import Tensor
from torch.nn.functional import one_hot

PAD, BOS, EOS, UNK = range(4)


def make_vocab(tweets: list[str]) -> tuple[dict[str, int], list[str]]:
    """Return stoi and itos: the special symbols, then the characters, most frequent first."""
    counts = Counter("".join(tweets))
    chars = sorted(counts, key=lambda char: (-counts[char], char))
    itos = ["<PAD>", "<BOS>", "<EOS>", "<UNK>", *chars]
    return {symbol: token_id for token_id, symbol in enumerate(itos)}, itos


def encode(tweet: str, stoi: dict[str, int]) -> Tensor:
    """Return the ids of <BOS>, of each character, and of <EOS>."""
    return torch.tensor([BOS, *(stoi.get(char, UNK) for char in tweet), EOS])  # (T + 2,)


def one_hot_rows(token_ids: Tensor, vocab_size: int) -> Tensor:
    """Return a row per id: zeros, and a single 1 in the column of the id."""
    return one_hot(token_ids, vocab_size)  # (T + 2, V)

"""`EncodedTweets`: tweets as one flat array of token ids, from which padded batches are cut. Never imports torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets
from engine.model.vocab import BOS, EOS, PAD, UNK, Vocab


@dataclass(frozen=True)
class Batch:
    """Padded inputs and targets of B tweets; T is the length of the longest, in characters."""

    inputs: npt.NDArray[np.int64]  # (B, T + 1): BOS, characters, PAD
    targets: npt.NDArray[np.int64]  # (B, T + 1): characters, EOS, PAD
    num_targets: int
    """Targets without padding."""
    total_targets: int = 0
    """Targets of the whole step, over all ranks and micro-batches, that the loss is a mean over; 0 is `num_targets`."""

    def __post_init__(self) -> None:
        """Replace a `total_targets` of 0."""
        if not self.total_targets:
            object.__setattr__(self, "total_targets", self.num_targets)


@dataclass(frozen=True)
class EncodedTweets:
    """Tweets as token ids, in the smallest integer type that fits the vocabulary."""

    token_ids: npt.NDArray[np.integer]  # (all characters,)
    offsets: npt.NDArray[np.int64]  # (tweets + 1,): tweet i is token_ids[offsets[i]:offsets[i + 1]]

    @classmethod
    def from_flat(cls, tweets: FlatTweets, vocab: Vocab) -> EncodedTweets:
        """Encode `tweets` chunk by chunk; characters that `vocab` lacks become `UNK`."""
        lengths = tweets.char_lengths()
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        token_ids = np.empty(offsets[-1], dtype=np.min_scalar_type(len(vocab)))
        first = 0
        for chunk in tweets.chunks():
            encoded = vocab.encode_array(bytes(chunk.utf8).decode("utf-8", "surrogatepass"))
            token_ids[first : first + len(encoded)] = encoded
            first += len(encoded)
        return cls(token_ids, offsets)

    def __len__(self) -> int:
        """Return the number of tweets."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Characters of each tweet without EOS, (tweets,)."""
        return np.diff(self.offsets)

    @property
    def num_targets(self) -> int:
        """Targets in total: every character, and one EOS per tweet."""
        return len(self.token_ids) + len(self)

    @property
    def num_unknown_chars(self) -> int:
        """Characters that the vocabulary lacks."""
        return int(np.count_nonzero(self.token_ids == UNK))

    def num_targets_of(self, indices: npt.NDArray[np.int64]) -> int:
        """Return the targets of the tweets at `indices`, (B,)."""
        return int((self.offsets[indices + 1] - self.offsets[indices]).sum()) + len(indices)

    def batch(self, indices: npt.NDArray[np.int64]) -> Batch:
        """Return the tweets at `indices`, (B,), as one batch, padded to the longest."""
        starts = self.offsets[indices]
        lengths = (
            self.offsets[indices + 1] - starts
        )  # not `self.lengths`: it covers all tweets and would cost more than the batch
        columns = np.arange(lengths.max(initial=0))
        is_char = columns < lengths[:, None]  # (B, T)
        inputs = np.full((len(indices), len(columns) + 1), PAD, dtype=np.int64)
        inputs[:, 0] = BOS
        inputs[:, 1:][is_char] = self.token_ids[(starts[:, None] + columns)[is_char]]
        targets = np.full_like(inputs, PAD)
        targets[:, :-1] = inputs[:, 1:]
        targets[np.arange(len(indices)), lengths] = EOS
        return Batch(inputs, targets, num_targets=self.num_targets_of(indices))

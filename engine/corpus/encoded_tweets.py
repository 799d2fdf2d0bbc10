"""`EncodedTweets`: tweets as one flat array of token ids, from which padded batches are cut. Never imports torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets
from engine.model.vocab import BOS, EOS, PAD, UNK, Vocab

Ids = npt.NDArray[np.int64]


class Batch:
    """Padded inputs and targets of B tweets; T is the length of the longest, in characters."""

    def __init__(self, inputs: Ids, targets: Ids, num_targets: int, total_targets: int = 0) -> None:
        """Use arrays of (B, T + 1); without `total_targets`, the batch is the whole step."""
        self._arrays = inputs, targets
        self.num_targets = num_targets
        """Targets without padding."""
        self.total_targets = total_targets or num_targets
        """Targets of the whole step, over all ranks and micro-batches, that the loss is a mean over."""

    @property
    def inputs(self) -> Ids:
        """BOS, characters, PAD: (B, T + 1)."""
        return self._arrays[0]

    @property
    def targets(self) -> Ids:
        """Characters, EOS, PAD: (B, T + 1)."""
        return self._arrays[1]

    @property
    def num_tweets(self) -> int:
        """B."""
        return len(self.targets)

    def part(self, tweets: slice) -> Batch:
        """Return some of the tweets, as a part of the same step."""
        inputs, targets = self.inputs[tweets], self.targets[tweets]
        return Batch(inputs, targets, int(np.count_nonzero(targets != PAD)), self.total_targets)


class CorpusBatch(Batch):
    """Tweets of a corpus; padded on first access, since a GPU gathers them from its own copy of the corpus."""

    def __init__(self, tweets: EncodedTweets, rows: Ids, total_targets: int = 0, total_columns: int = 0) -> None:
        """Use the tweets at `rows`, (B,); without `total_targets` and `total_columns`, they are the whole step."""
        self.tweets = tweets
        self.rows = rows
        self.num_targets = tweets.num_targets_of(rows)
        self.total_targets = total_targets or self.num_targets
        self._total_columns = total_columns
        self._padded: tuple[Ids, Ids] | None = None

    @property
    def inputs(self) -> Ids:
        """BOS, characters, PAD: (B, T + 1)."""
        return self._pad()[0]

    @property
    def targets(self) -> Ids:
        """Characters, EOS, PAD: (B, T + 1)."""
        return self._pad()[1]

    @property
    def num_tweets(self) -> int:
        """B."""
        return len(self.rows)

    @property
    def num_columns(self) -> int:
        """T + 1."""
        return self.tweets.num_columns_of(self.rows)

    @property
    def total_columns(self) -> int:
        """T + 1 of the whole step, of which this may be a part."""
        return self._total_columns or self.num_columns

    def _pad(self) -> tuple[Ids, Ids]:
        """Return inputs and targets, cut from the corpus the first time."""
        if self._padded is None:
            self._padded = self.tweets.padded(self.rows)
        return self._padded


@dataclass(frozen=True, eq=False)
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

    def batch(self, indices: Ids) -> CorpusBatch:
        """Return the tweets at `indices`, (B,), as one batch."""
        return CorpusBatch(self, indices)

    def num_columns_of(self, indices: Ids) -> int:
        """Return T + 1 of the batch of the tweets at `indices`, (B,)."""
        return int((self.offsets[indices + 1] - self.offsets[indices]).max(initial=0)) + 1

    def padded(self, indices: Ids) -> tuple[Ids, Ids]:
        """Return inputs and targets of the tweets at `indices`, (B,), padded to the longest: (B, T + 1) each."""
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
        return inputs, targets

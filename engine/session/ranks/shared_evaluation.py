"""`SharedEvaluation`: the validation tweets divided among the ranks, batch by batch."""

from __future__ import annotations

import torch

from engine.corpus.encoded_tweets import EncodedTweets
from engine.parallel.ranks import Ranks
from engine.session.memory_fallback import MemoryFallback
from engine.session.state import RunState
from engine.training.evaluation import eval_batches, sum_of_losses
from engine.training.micro_batches import split_batch


class SharedEvaluation:
    """An evaluation of the model as of its creation. All ranks create one at the same step."""

    def __init__(self, ranks: Ranks, state: RunState, tweets: EncodedTweets, memory_fallback: MemoryFallback) -> None:
        self._ranks = ranks
        self._tweets = tweets
        self._device = state.runtime.device
        self._memory_fallback = memory_fallback
        self._sum_of_losses = sum_of_losses(state.trainer.eval_model)
        self._batches = eval_batches(tweets)

    @property
    def num_batches(self) -> int:
        """How many batches there are for all ranks together."""
        return len(self._batches)

    def nats_of(self, first: int, count: int) -> list[float]:
        """Return the summed loss of each batch from `first` on, in nats, each computed by one of the ranks.

        Raises `DeviceMemoryError` where one tweet is too many.
        """
        place = self._ranks.place
        nats = torch.zeros(count, dtype=torch.float64)
        for number in range(place.rank, count, place.world_size):
            nats[number] = self._nats_of_batch(first + number)
        nats = nats.to(self._device)
        self._ranks.sum_(nats)
        return [float(each) for each in nats]

    def _nats_of_batch(self, number: int) -> float:
        batch = self._tweets.batch(self._batches[number])
        return self._memory_fallback.evaluated(
            lambda size: sum(float(self._sum_of_losses(part)) for part in split_batch(batch, size))
        )

"""The epochs that the screen counts by steps are those of the batches that a run trains on."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from engine.config.run import TrainingConfig
from engine.corpus.batches import BatchStream
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.position import Position
from tui.run.epochs import EpochCount


@pytest.mark.parametrize("first_batch_size", [0, 8])
@pytest.mark.parametrize(("num_tweets", "step"), [(96, 0), (96, 5), (12_000, 0), (12_000, 700), (12_000, 1100)])
def test_steps_and_epochs_agree_with_the_batches(num_tweets: int, step: int, first_batch_size: int) -> None:
    tweets = EncodedTweets(np.full(num_tweets, 5, np.uint8), np.arange(num_tweets + 1))
    stream = BatchStream(tweets, 32, 1, Position(), first_batch_size=first_batch_size)
    for _ in islice(stream, step):
        pass
    training = TrainingConfig(batch_size=32, first_batch_size=first_batch_size)
    count = EpochCount.of(training, num_tweets, stream.epochs)
    for steps in range(1200):
        assert count.epochs_after(steps) == pytest.approx(stream.epochs)
        assert count.steps_until(stream.epochs) == pytest.approx(steps)
        next(stream)

"""The check of two ranks, which are real processes, finds one that does not sum, or that fails."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.config.run import TrainingConfig
from engine.errors import RankLostError
from engine.session.ranks.check import Learned, SharedTraining, check_two_ranks
from engine.session.ranks.connection import Ranks
from tests.engine import helpers as h

SIZES: dict[str, Any] = {"device_type": "cpu", "hidden_size": 8, "training": TrainingConfig(batch_size=8)}


class Selfish(SharedTraining):
    """Rank 1 updates its weights by its own gradient alone."""

    def learn(self, ranks: Ranks | None = None) -> Learned:
        if ranks is not None and ranks.place.rank == 1:
            sound = ranks.sum_

            def sum_(tensor: Tensor) -> None:
                before = tensor.clone()
                sound(tensor)
                tensor.copy_(before)

            vars(ranks)["sum_"] = sum_
        return super().learn(ranks)


class Reversed(SharedTraining):
    """Both ranks update their weights by the same wrong sum."""

    def learn(self, ranks: Ranks | None = None) -> Learned:
        if ranks is not None:
            sound = ranks.sum_

            def sum_(tensor: Tensor) -> None:
                sound(tensor)
                tensor[:-1].neg_()  # the last number is the loss

            vars(ranks)["sum_"] = sum_
        return super().learn(ranks)


class Failing(SharedTraining):
    """Rank 1 raises an error, while rank 0 waits for it."""

    def device(self, rank: int = 0) -> torch.device:
        if rank == 1:
            raise RuntimeError("NCCL error")
        return super().device()


def test_a_rank_that_does_not_use_the_sum_is_found() -> None:
    tweets, vocab = h.encoded()
    found = check_two_ranks(Selfish(tweets=tweets, vocab_size=len(vocab), **SIZES))
    assert not found.is_right
    assert found.figure.endswith("from the losses of one process, weights differ")


@pytest.mark.ci
def test_ranks_that_agree_on_a_wrong_sum_are_found() -> None:
    tweets, vocab = h.encoded()
    found = check_two_ranks(Reversed(tweets=tweets, vocab_size=len(vocab), **SIZES))
    assert not found.is_right
    assert found.figure.endswith("from the losses of one process, weights are equal")


@pytest.mark.ci
def test_the_error_of_a_rank_is_reported_at_once_though_the_other_waits_for_it() -> None:
    tweets, vocab = h.encoded()
    with pytest.raises(RankLostError, match="Rank 1 has failed: RuntimeError: NCCL error"):
        check_two_ranks(Failing(tweets=tweets, vocab_size=len(vocab), **SIZES))

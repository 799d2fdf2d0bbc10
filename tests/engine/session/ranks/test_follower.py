"""A follower draws from a generator of its own, whose state a run continues from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch

from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.position import Position
from engine.parallel.leases import Lease, Read, Report, Reported, Steps, Stop, Sync
from engine.parallel.place import Place
from engine.parallel.ranks import Ranks
from engine.session.ranks.follower import Follower

REPORT = Report(has_checksum=True, has_generator=True)
STEPS = Steps(learning_rates=(0.01, 0.01))


class ScriptedRanks:
    """Rank 1 of two, without the others: a sum is the follower's own part, a broadcast changes nothing."""

    place = Place(rank=1, world_size=2)
    waiting_seconds = 0.0

    def __init__(self, *leases: Lease) -> None:
        self._leases: Iterator[Lease] = iter((*leases, Stop()))
        self.replies: list[Any] = []

    def next_lease(self) -> Lease:
        return next(self._leases)

    def reply(self, reply: object) -> None:
        self.replies.append(reply)

    def sum_gradients_(self, _: torch.Tensor) -> None: ...

    def broadcast_(self, _: torch.Tensor) -> None: ...


def generators_of(corpus: Path, *leases: Lease) -> list[str]:
    """Let a follower read the tweets and execute leases; return the generator of each of its reports."""
    ranks = ScriptedRanks(Read(corpus=CorpusConfig(files=(str(corpus),)), known=None), *leases)
    Follower(cast("Ranks", ranks), torch.device("cpu"), num_threads=1).run()
    return [each.generator for each in ranks.replies if isinstance(each, Reported)][:-1]


def sync(step: int, generator: str = "") -> Sync:
    return Sync(
        model=ModelConfig(embedding_size=8, hidden_size=8, dropout=0.5),
        training=TrainingConfig(batch_size=8),
        position=Position(batch=step),
        step=step,
        precision="float32",
        has_weights=True,
        generators=("", generator),
    )


def test_a_follower_continues_from_the_state_of_its_generator_or_is_seeded_by_its_step(corpus: Path) -> None:
    before, after = generators_of(corpus, sync(0), STEPS, REPORT, STEPS, REPORT)
    assert before != after
    assert generators_of(corpus, sync(2, before), STEPS, REPORT) == [after]
    [first], [again], [later] = (generators_of(corpus, sync(step), REPORT) for step in (0, 0, 2))
    assert first == again != later

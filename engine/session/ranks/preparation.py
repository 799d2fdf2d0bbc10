"""What differs in the preparation of a run that several processes train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.checkpoints.format import CheckpointInfo
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, TrainingConfig
from engine.corpus.batches import Part
from engine.corpus.training_data import KnownVocab, TrainingData, load_training_data
from engine.errors import DistributedError
from engine.parallel.leases import Read, TweetsRead
from engine.parallel.ranks import Ranks
from engine.progress import Stage
from engine.session.ranks.follower import threads_of_a_rank

AUTOSAVE_SECONDS = 20.0
"""Between saves of `latest`, unless the user set it: what is lost when one of many processes is lost."""


def config_of_leader(config: RunConfig, ranks: Ranks, info: CheckpointInfo | None) -> RunConfig:
    """Return the config of a shared run: a rank's share of the cores as threads, and more frequent saves.

    `info` is the checkpoint that the run continues from, which has the user's choice of that interval, too.
    """
    default = TrainingConfig.autosave_seconds
    is_open = info is None or info.training.autosave_seconds == default
    threads = config.runtime.threads or threads_of_a_rank(ranks.place.local_world_size)
    return replace(
        config,
        runtime=replace(config.runtime, threads=threads),
        settings={"autosave_seconds": AUTOSAVE_SECONDS, **config.settings} if is_open else config.settings,
    )


def load_for_all(
    ranks: Ranks | None, config: CorpusConfig, known: KnownVocab | None, on_stage: Callable[[Stage], None]
) -> TrainingData:
    """Load the tweets, on all ranks at the same time: from the same tweets, all have the same vocabulary.

    Raises `DistributedError` where theirs are others.
    """
    if ranks is None:
        return load_training_data(config, known, on_stage)
    ranks.send(Read(corpus=config, known=known))
    data = load_training_data(config, known, on_stage)
    stage = Stage("waiting for the other processes to read the tweets")
    for rank, reply in enumerate(ranks.replies(TweetsRead, wait=lambda: on_stage(stage)), start=1):
        if reply.problem:
            raise DistributedError(f"Rank {rank} on {reply.host} can't read the tweets: {reply.problem}", reply.hint)
        if reply.digest != data.corpus.digest:
            raise DistributedError(
                f"The tweets of rank {rank} on {reply.host} are not those of rank 0 on {ranks.place.host}.",
                "Copy the same files, of the same names, to each machine.",
            )
    return replace(data, part=Part(ranks.place.rank, ranks.place.world_size))

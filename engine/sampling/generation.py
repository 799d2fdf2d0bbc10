"""`Generator`: sampling from a checkpoint without a run, as `tweetgen-tui generate` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.checkpoints.catalog import may_read_files
from engine.checkpoints.checkpoint import load_checkpoint
from engine.checkpoints.metadata import CheckpointInfo
from engine.compute.device import Runtime
from engine.config.fields import with_settings
from engine.config.run import RuntimeConfig, Setting
from engine.config.sampling import MAX_DRAFTS, SamplingConfig
from engine.corpus.corpus import Corpus
from engine.corpus.loading import load_corpus
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.errors import CheckpointError, CorpusError
from engine.progress import OnProgress, no_progress
from engine.protocol.events import Novelty, RefusalReason
from engine.sampling.drafts import ChosenDraft, draft_tweets
from engine.sampling.sampler import SampledTweet, sample_tweets
from engine.sampling.tweet_filter import TweetFilter, require_samplable
from engine.text import defused


@dataclass(frozen=True, kw_only=True)
class GeneratedTweet:
    """One sampled tweet; its fields are those of `generate --json`."""

    text: str
    """Every sampled character, blanks at the ends included."""
    temperature: float
    seed: int
    reached_eos: bool
    bits_per_char: float
    novelty: Novelty | None
    """None if the training tweets have not been loaded."""
    num_drafts: int = 1
    """Tweets sampled until this one was chosen, itself included."""
    refused: tuple[tuple[RefusalReason, int], ...] = ()
    """The number of drafts that the filter refused, by the first reason of each."""
    unmet: tuple[RefusalReason, ...] = ()
    """The reasons against this tweet, where no draft passed the filter and it came nearest."""


def load_training_corpus(path: Path, info: CheckpointInfo, on_progress: OnProgress = no_progress) -> Corpus:
    """Return the tweets that the checkpoint at `path` was trained on.

    Raises `CorpusError` if they are missing or changed, `CheckpointError` if the checkpoint is not a local one.
    """
    if not may_read_files(path, info):
        raise CheckpointError(f"{path.name} is from elsewhere, so the files that it names are not read.")
    corpus = load_corpus(info.corpus, on_progress)
    if corpus.digest != info.corpus_digest:
        raise CorpusError(f"{corpus.name} is no longer what the checkpoint was trained on.")
    return corpus


class Generator:
    """A model loaded from a checkpoint, for sampling only."""

    def __init__(self, path: Path, runtime_config: RuntimeConfig) -> None:
        """Load the checkpoint at `path`. Raises `CheckpointError` and `DeviceError`."""
        checkpoint = load_checkpoint(path)
        self._path = path
        self.info: CheckpointInfo = checkpoint.info
        self._vocab = checkpoint.vocab
        self._runtime = Runtime.resolve(runtime_config)
        self._runtime.apply()
        self._model = checkpoint.to_model(self._runtime.device)
        self._novelty: NoveltyIndex | None = None

    def load_training_tweets(self) -> None:
        """Load the training tweets, so that `generate` can detect copies of them. Raises as `load_training_corpus`."""
        self._novelty = load_training_corpus(self._path, self.info).novelty

    def sampling_config(self, settings: dict[str, Setting]) -> SamplingConfig:
        """Return the checkpoint's own distribution, prime and length, overridden by `settings`.

        The filter is that of `settings` alone: with the run's own, some drafts would be refused without being asked.
        Raises `ConfigError` on invalid settings, and `VocabError` as `require_samplable`.
        """
        sampling = with_settings(self.info.sampling.without_filter(), settings)
        sampling.require_satisfiable()
        require_samplable(sampling, self._vocab)
        return sampling

    def generate(self, count: int, sampling: SamplingConfig, seed: int) -> Iterator[GeneratedTweet]:
        """Sample `count` tweets that pass the filter or come nearest, the i-th with the seed `seed` + i.

        `sampling` is from `sampling_config`; with `only_new` the training tweets must have been loaded.
        """

        def sample(seeds: Sequence[int]) -> list[SampledTweet]:
            with torch.inference_mode():
                return sample_tweets(self._model, self._vocab, sampling, seeds, may_compile=False)

        tweet_filter = TweetFilter(sampling, self._novelty.copied_share if self._novelty else None)
        seeds = range(seed, seed + count)
        yield from map(self._to_generated, draft_tweets(sample, tweet_filter, seeds, MAX_DRAFTS))

    def _to_generated(self, chosen: ChosenDraft) -> GeneratedTweet:
        """Return the tweet with its text defused, and its novelty."""
        tweet = chosen.draft
        return GeneratedTweet(
            text=defused(tweet.text),
            temperature=tweet.temperature,
            seed=chosen.seed,
            reached_eos=tweet.reached_eos,
            bits_per_char=tweet.bits_per_char,
            novelty=self._novelty.classify(tweet.text) if self._novelty else None,
            num_drafts=chosen.num_drafts,
            refused=chosen.refused,
            unmet=chosen.unmet,
        )

"""What a model card reports about the training tweets: counts, and figures that need their texts. Quotes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from engine.baselines.ngrams import baseline_pieces
from engine.checkpoints.catalog import may_read_files
from engine.checkpoints.checkpoint import Checkpoint
from engine.config.sampling import SamplingConfig
from engine.corpus.corpus import Corpus
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.loading import load_corpus
from engine.errors import CheckpointError, CorpusError
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.pieces import run_to_end
from engine.protocol.stage import OnProgress, part_of
from engine.sampling.drafts import draft_tweets
from engine.sampling.sampler import SampledTweet, sample_tweets
from engine.sampling.tweet_filter import TweetFilter
from engine.training.evaluation import evaluate

NUM_SAMPLES = 1000
_READ = 0.3
"""Share of the total time that has passed once the tweets are read."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Counts of the training tweets, and the model's figures on them."""

    num_train_tweets: int
    num_val_tweets: int
    num_train_chars: int
    alphabet_size: int
    bits_per_char: float
    """Of the exported weights, on all validation tweets."""
    uniform_bits: float
    """The same of a model to which all characters are equally likely."""
    unigram_bits: float
    """The same of a model that knows how frequent each character is."""
    num_copies: int
    """Of `NUM_SAMPLES` tweets, those that equal a training tweet."""
    num_near_copies: int


def measure(path: Path, checkpoint: Checkpoint, model: TextGenerator, on_progress: OnProgress) -> Measured:
    """Read the tweets that the checkpoint at `path` was trained on, evaluate `model`, and count copies in samples.

    Raises `CorpusError` if the tweets are missing or changed, `CheckpointError` if the checkpoint comes from elsewhere.
    """
    info, vocab = checkpoint.info, checkpoint.vocab
    if not may_read_files(path, info):
        raise CheckpointError(f"{path.name} comes from elsewhere, so its training tweets are not read.")
    corpus = load_corpus(info.corpus, part_of(on_progress, 0.0, _READ))
    if corpus.digest != info.corpus_digest:
        raise CorpusError(f"{corpus.name} has changed since the model was trained on it.")
    on_progress(_READ, "evaluating")
    train, held_out = (EncodedTweets.from_flat(tweets, vocab) for tweets in (corpus.train, corpus.validation))
    baselines = run_to_end(baseline_pieces(train, held_out, len(vocab), highest_order=1))
    own_bits = evaluate(model, held_out).bits_per_char
    novelty = Counter(_novelties(model, vocab, info.sampling, corpus, part_of(on_progress, _READ, 1.0)))
    return Measured(
        num_train_tweets=len(corpus.train),
        num_val_tweets=len(corpus.validation),
        num_train_chars=sum(corpus.char_counts.values()),
        alphabet_size=len(corpus.char_counts),
        bits_per_char=own_bits,
        uniform_bits=baselines["uniform"],
        unigram_bits=baselines["unigram"],
        num_copies=novelty["copy"],
        num_near_copies=novelty["near-copy"],
    )


def _novelties(
    model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, corpus: Corpus, on_progress: OnProgress
) -> Iterator[str]:
    """Sample `NUM_SAMPLES` tweets without prime and filter; yield whether each is new or copied."""
    sampling = replace(sampling.without_filter(), prime="")

    def sample(seeds: Sequence[int]) -> list[SampledTweet]:
        with torch.inference_mode():
            return sample_tweets(model, vocab, sampling, seeds, may_compile=False)

    chosen = draft_tweets(sample, TweetFilter(sampling, None), range(NUM_SAMPLES), max_drafts=1)
    for number, tweet in enumerate(chosen, start=1):
        on_progress(number / NUM_SAMPLES, "writing tweets")
        yield corpus.novelty.classify(tweet.draft.text)

"""What every export reports of its model: bits per character, and how many of its samples are copies it memorized.

Both are measured when a model is exported, with the training corpus: the first on all validation tweets, as `evaluate`
does. Where the corpus can't be read, an export has neither.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.checkpoint import Checkpoint
from engine.compute.device import Runtime
from engine.config.run import RuntimeConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets
from engine.corpus.corpus import Corpus
from engine.corpus.hashing import NoveltyIndex
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.protocol.progress import OnProgress, part_of, run_to_end
from engine.sampling.filter import MAX_BATCH_CHARS, MAX_BATCH_SIZE
from engine.sampling.generation import load_training_corpus
from engine.sampling.sampler import TweetSampler
from engine.training.baselines import baseline_pieces
from engine.training.evaluation import evaluate

NUM_SAMPLES = 1000
_READ = 0.3
"""Share of the total time that has passed once the tweets are read."""


@dataclass(frozen=True, kw_only=True)
class Copies:
    """How many of `NUM_SAMPLES` tweets, with the seeds 0 to 999, are memorized."""

    temperature: float
    num_copies: int
    """Samples that equal a training tweet. Names, links, case and punctuation are ignored."""
    num_near_copies: int
    """Other samples in which long parts of training tweets make up at least half."""

    def __str__(self) -> str:
        """Return two sentences for people."""
        samples = f"Of {NUM_SAMPLES:,} tweets that it wrote at temperature {self.temperature:g}"
        copies = f"{self.num_copies:,}" if self.num_copies else "none"
        if self.num_near_copies:
            near_copies = f"in {self.num_near_copies:,} more, long parts of training tweets made up at least half"
        else:
            others = "no other" if self.num_copies else "none"
            near_copies = f"in {others} did long parts of training tweets make up at least half"
        return (
            f"{samples}, {copies} equalled a training tweet, and {near_copies}. "
            "Names, links, case and punctuation are ignored."
        )


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a page reports of its model."""

    bits_per_char: float
    """On all validation tweets; of an overfit run on its training tweet."""
    copies: Copies


@dataclass(frozen=True, kw_only=True)
class Measured(Figures):
    """What a model card reports: the figures, and counts of the training tweets."""

    num_train_tweets: int
    num_val_tweets: int
    num_train_chars: int
    alphabet_size: int
    uniform_bits: float
    """Bits per character of a model to which all characters are equally likely."""
    unigram_bits: float
    """Bits per character of a model that knows how frequent each character is."""


def measure(path: Path, checkpoint: Checkpoint, sampling: SamplingConfig, on_progress: OnProgress) -> Measured:
    """Read the tweets that the checkpoint at `path` was trained on, evaluate its model, and count copies in samples.

    Raises `CheckpointError` and `CorpusError` as `load_training_corpus`, `DivergedError` as `count_copies`.
    """
    vocab, (corpus, model, bits_per_char) = checkpoint.vocab, _evaluated(path, checkpoint, on_progress)
    train, held_out = (EncodedTweets.from_flat(tweets, vocab) for tweets in (corpus.train, corpus.validation))
    baselines = run_to_end(baseline_pieces(train, held_out, len(vocab), highest_order=1))
    return Measured(
        bits_per_char=bits_per_char,
        copies=count_copies(model, vocab, sampling, corpus.novelty, part_of(on_progress, _READ, 1.0)),
        num_train_tweets=len(corpus.train),
        num_val_tweets=len(corpus.validation),
        num_train_chars=sum(corpus.char_counts.values()),
        alphabet_size=len(corpus.char_counts),
        uniform_bits=baselines["uniform"],
        unigram_bits=baselines["unigram"],
    )


def measure_bits(path: Path, checkpoint: Checkpoint, on_progress: OnProgress) -> float:
    """Return the bits per character alone. Raises as `load_training_corpus`."""
    return _evaluated(path, checkpoint, on_progress)[2]


def _evaluated(path: Path, checkpoint: Checkpoint, on_progress: OnProgress) -> tuple[Corpus, TextGenerator, float]:
    """Return the training corpus, the model on a CPU, and its bits per character."""
    runtime = Runtime.resolve(RuntimeConfig(device="cpu"))
    runtime.apply()
    corpus = load_training_corpus(path, checkpoint.info, part_of(on_progress, 0.0, _READ))
    on_progress(_READ, "evaluating")
    model = checkpoint.to_model(runtime.device)
    bits_per_char = evaluate(model, EncodedTweets.from_flat(corpus.validation, checkpoint.vocab)).bits_per_char
    return corpus, model, bits_per_char


def count_copies(
    model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, novelty: NoveltyIndex, on_progress: OnProgress
) -> Copies:
    """Sample tweets, without the filter of `sampling`, and compare them with the training tweets of `novelty`.

    Raises `DivergedError` if the model's output is not finite.
    """
    counts: Counter[str] = Counter()
    batch_size = max(1, min(MAX_BATCH_SIZE, MAX_BATCH_CHARS // sampling.max_length))
    for first in range(0, NUM_SAMPLES, batch_size):
        seeds = range(first, min(first + batch_size, NUM_SAMPLES))
        for tweet in TweetSampler(model, vocab, sampling, seeds, may_compile=False).results():
            counts[novelty.classify(tweet.text)] += 1
            on_progress(counts.total() / NUM_SAMPLES, "sampling tweets to look for copies")
    return Copies(temperature=sampling.temperature, num_copies=counts["copy"], num_near_copies=counts["near-copy"])

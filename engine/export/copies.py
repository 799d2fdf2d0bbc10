"""What every export reports of its model: bits per character, and how many of its samples are copies it memorized.

Both are measured when a model is exported, with the training corpus: the first on all validation tweets, as `evaluate`
does. Where the corpus can't be read, an export has neither.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import EncodedTweets
from engine.corpus.corpus import Corpus
from engine.corpus.hashing import NoveltyIndex
from engine.model.gru import TextGenerator
from engine.model.vocab import Vocab
from engine.progress import OnProgress
from engine.sampling.filter import MAX_BATCH_CHARS, MAX_BATCH_SIZE
from engine.sampling.sampler import TweetSampler
from engine.training.evaluation import evaluate

NUM_SAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Copies:
    """How many of `NUM_SAMPLES` tweets, with the seeds 0 to 999, are memorized."""

    temperature: float
    num_copies: int
    """Those that equal a training tweet. Names, links, case and punctuation are ignored."""
    num_near_copies: int
    """The others in which long parts of training tweets make up at least half."""

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
    """What a page reports, and with further figures a model card."""

    bits_per_char: float
    copies: Copies


def measure_figures(
    model: TextGenerator, vocab: Vocab, corpus: Corpus, sampling: SamplingConfig, on_progress: OnProgress
) -> Figures:
    """Evaluate a model, and count copies among its samples. Raises as `count_copies`."""
    on_progress(0.0, "evaluating")
    bits_per_char = measure_bits(model, vocab, corpus)
    copies = count_copies(model, vocab, sampling, corpus.novelty, on_progress)
    return Figures(bits_per_char=bits_per_char, copies=copies)


def measure_bits(model: TextGenerator, vocab: Vocab, corpus: Corpus) -> float:
    """Return the bits per character on all validation tweets; of an overfit run that is its training tweet."""
    return evaluate(model, EncodedTweets.from_flat(corpus.validation, vocab)).bits_per_char


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

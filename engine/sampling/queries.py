"""Queries about a text: its continuation, each character's probability, and the training tweet nearest to it.

Nearest is by the Jaccard index of character trigrams, in two passes. The first counts in compiled code, over the bytes
of all tweets, how many of the text's byte trigrams each tweet shares: one lookup, a nanosecond or two, per byte,
and eight bytes of memory per tweet. The second decodes the best candidates and compares characters.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.compute.stepper import CharStepper
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import FlatTweets
from engine.errors import DivergedError
from engine.model.gru import TextGenerator
from engine.model.vocab import BOS, EOS, UNK, UNKNOWN_CHAR_BITS, Vocab
from engine.protocol.events import CharChance, CharRead
from engine.sampling.logits import NEVER_SAMPLED, Floats
from engine.sampling.sampler import TweetSampler
from engine.text import sanitize_char, sanitize_line

_NUM_COMPARED = 100
"""Candidates of the second pass: byte trigrams are so close to character trigrams that the best is among them."""
_NUM_KEYS = 1 << 15
"""`key = (key << 5) ^ byte`, truncated to 15 bits: a byte has left the key three bytes later, and lower-case letters
differ in their low five bits, so their trigrams have distinct keys."""
_SHIFT, _KEPT_BITS = np.uint32(5), np.uint32(_NUM_KEYS - 1)


@dataclass(frozen=True, kw_only=True)
class NearestTweet:
    """The most similar training tweet."""

    text: str = ""
    """Empty if no tweet shares a trigram."""
    share: float = 0.0
    """Jaccard index of the trigrams, 0 to 1."""


def nearest_tweet(train: FlatTweets, text: str) -> NearestTweet:
    """Return the tweet of `train` with the highest Jaccard index of character trigrams with `text`."""
    query = _trigrams(text)
    best = NearestTweet()
    for index in _candidates(train, text):
        tweet = train[index]
        trigrams = _trigrams(tweet)
        share = len(query & trigrams) / max(1, len(query | trigrams))
        if share > best.share:
            best = NearestTweet(text=sanitize_line(tweet), share=round(share, 3))
    return best


def _trigrams(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(len(text) - 2)}


def _candidates(train: FlatTweets, text: str) -> list[int]:
    """Return the indices, in order, of the tweets that share most byte trigrams with `text`."""
    utf8 = text.encode("utf-8", "surrogatepass")
    runs = zip(utf8, utf8[1:], utf8[2:], strict=False)
    keys = list({((first << 10) ^ (second << 5) ^ third) % _NUM_KEYS for first, second, third in runs})
    table = np.zeros(_NUM_KEYS, dtype=np.uint16)
    table[keys] = np.arange(1, len(keys) + 1)
    shares = np.zeros(len(train), dtype=np.float32)
    last_seen = np.full(len(keys) + 1, -1, dtype=np.int32)
    _compiled_count_shared()(train.utf8, train.offsets, table, last_seen, shares)
    lowest = np.partition(shares, -_NUM_COMPARED)[-_NUM_COMPARED] if len(shares) > _NUM_COMPARED else 0.0
    best = np.flatnonzero((shares >= lowest) & (shares > 0))
    return sorted(best[np.argsort(-shares[best], kind="stable")][:_NUM_COMPARED].tolist())


def _count_shared(
    utf8: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    table: npt.NDArray[np.uint16],
    last_seen: npt.NDArray[np.int32],
    shares: npt.NDArray[np.float32],
) -> None:
    """Write the approximate Jaccard index of the byte trigrams of each text and the query to `shares` (texts,).

    `table` (keys,) numbers the query's trigrams from 1 on, 0 for all others; `last_seen` (numbers + 1,) starts at -1. A
    text's repeated trigrams count as distinct. No branch depends on the bytes: the pass takes about 1.5 nanoseconds a
    byte, and with a branch three times that.
    """
    num_query = len(last_seen) - 1
    for text in range(len(offsets) - 1):
        start, end = np.uint64(offsets[text]), np.uint64(offsets[text + 1])  # unsigned: no negative indices to handle
        last_seen[0] = text  # other trigrams are never counted
        key = np.uint32(0)
        count = 0
        for place in range(start, end):
            key = ((key << _SHIFT) ^ np.uint32(utf8[place])) & _KEPT_BITS
            number = table[key]
            count += last_seen[number] != text
            last_seen[number] = text
        shares[text] = count / max(1.0, num_query + float(end - start) - 2.0 - count)


@functools.cache
def _compiled_count_shared() -> Callable[..., None]:
    """Return `_count_shared` as compiled code; Numba is imported late, as most queries do not need it."""
    from engine.compute.cpu.kernels import compiled

    return compiled(_count_shared)


NUM_TOP_CHARS = 8
COMPLETION_CHARS = 40
"""Maximum length of a completion."""


@dataclass(frozen=True, kw_only=True)
class Completion:
    """The model's continuation of a text."""

    text: str = ""
    reached_eos: bool = False
    next_chars: tuple[CharChance, ...] = ()
    bits_per_char: float | None = None
    """Mean surprisal of the text before it; None if that is empty."""


def unknown_chars(vocab: Vocab, text: str) -> tuple[str, ...]:
    """Return the distinct characters of `text` that a prime can't contain, in order and made harmless.

    These are characters outside the vocabulary, and those not allowed in any prime even if the vocabulary has them.
    """
    shown = {char: sanitize_char(char) for char in text}
    return tuple(dict.fromkeys(shown[char] for char in shown if char not in vocab.stoi or shown[char] != char))


def complete(model: TextGenerator, vocab: Vocab, sampling: SamplingConfig, text: str, seed: int) -> Completion:
    """Return the model's continuation of `text`, sampled with `sampling` except for its prime and filter.

    With the same seed, `text` plus the start of its completion is completed by the rest of it. Raises `VocabError` on
    unknown characters, `DivergedError` if the model's output is not finite.
    """
    prompted = replace(sampling.without_filter(), prime=text, max_length=len(text) + COMPLETION_CHARS)
    sampler = TweetSampler(model, vocab, prompted, [seed])
    next_chars = top_chars(vocab, sampler.log_probs[0])
    [tweet] = sampler.results()
    bits = tweet.char_bits[: len(text)]
    return Completion(
        text="".join(map(sanitize_char, tweet.text[len(text) :])),
        reached_eos=tweet.reached_eos,
        next_chars=next_chars,
        bits_per_char=round(sum(bits) / len(bits), 3) if bits else None,
    )


def score_chars(model: TextGenerator, vocab: Vocab, text: str) -> tuple[CharRead, ...]:
    """Return the surprisal of each character of `text` and of its `<EOS>`, with the most likely alternatives.

    Raises `DivergedError` if the model's output is not finite.
    """
    stepper = CharStepper(model)
    token_ids = [*vocab.encode(text), EOS]
    read = []
    for char, before, token_id in zip([*text, ""], [BOS, *token_ids], token_ids, strict=False):
        log_probs = stepper.step(np.array([before]))[0]  # (V,)
        if not np.isfinite(log_probs).all():
            raise DivergedError("The model's output is not finite, so it can't score a text.", "Load a checkpoint.")
        read.append(char_read(vocab, char, token_id, log_probs))
    return tuple(read)


def char_read(vocab: Vocab, char: str, token_id: int, log_probs: Floats) -> CharRead:
    """Return the prediction (V,) of one target: `char`, or "" for `<EOS>`, encoded as `token_id`."""
    bits = -float(log_probs[token_id]) / math.log(2) + (UNKNOWN_CHAR_BITS if token_id == UNK else 0.0)
    return CharRead(char=sanitize_char(char), bits=round(bits, 3), likeliest=top_chars(vocab, log_probs))


def top_chars(vocab: Vocab, log_probs: Floats) -> tuple[CharChance, ...]:
    """Return the most likely next characters, given log-probabilities (V,)."""
    likeliest = np.argsort(-log_probs)[: NUM_TOP_CHARS + len(NEVER_SAMPLED)].tolist()
    shown = [token_id for token_id in likeliest if token_id not in NEVER_SAMPLED][:NUM_TOP_CHARS]
    chars = ["" if token_id == EOS else sanitize_char(vocab.itos[token_id]) for token_id in shown]
    probabilities = [round(math.exp(log_probs[token_id]), 4) for token_id in shown]
    return tuple(CharChance(char=char, probability=share) for char, share in zip(chars, probabilities, strict=True))

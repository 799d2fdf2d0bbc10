"""Similar tweets: near-duplicates, and the split, whose validation tweets share no long run with a training tweet.

Two tweets are near-duplicates (chain tweets, spam, songs, which differ in a word or a name) if their words are equal,
in any order, after deleting at most one word or two adjacent ones (a name) from each, and at least 5 words and 24
characters remain. The search is exact and linear: a tweet's hash is the sum of its words' hashes, a deletion subtracts
a word's hash, and tweets that share one of these hashes are joined (deletion neighbourhoods, as in SymSpell; Garbe
2012). MinHash would need as many hashes and miss some.

Shared runs are found by winnowing (Schleimer, Wilkerson and Aiken 2003). Of the hashes of all windows of 22 characters,
the smallest of every 3 in a row are the fingerprints. A shared run of 24 characters or more contains 3 windows in a
row, of which both tweets choose the same: it is never missed. Half of all windows are chosen. Shorter windows in longer
rows would need fewer fingerprints but join unrelated tweets: with 18 in rows of 7, a twelfth of 48,336 real tweets were
one component.

Never compares two texts, and needs bounded memory. The validation tweets are chosen by a hash of their content: the
split does not depend on order or seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from engine.corpus.arrays import FlatTweets, Indices, Mask
from engine.corpus.hashing import BitTable, HashedChars, Hashes, mix
from engine.protocol.progress import OnProgress, no_progress
from engine.text import counted

MIN_WORDS = 5
MIN_CHARS = 24
_BLANK = 0x20

WINDOW = 22
ROW = 3
SHARED_RUN = WINDOW + ROW - 1
"""Length from which a shared run is always found; shorter ones, down to `WINDOW`, are found by chance."""

VALIDATION_SHARE = 0.05
MIN_VALIDATION_TWEETS = 200
MAX_VALIDATION_SHARE = 0.2
"""Takes precedence over the minimum: at least four fifths of a small corpus are training tweets."""
MAX_COMPONENT_SHARE = 0.01
"""Largest share of the validation set that one component may be."""

MIN_BUFFER_HASHES = 1 << 22
BYTES_PER_BUFFER_HASH = 64
"""Bytes of text per hash in the buffer, where a hash takes about 40 bytes."""

Fingerprints = Callable[[FlatTweets], tuple[Hashes, Indices]]
"""Returns the hashes of some tweets, (hashes,), and the index of each one's tweet, (hashes,)."""


# The split ------------------------------------------------------------------------------------------------------------


def num_validation_tweets(num_tweets: int) -> int:
    """Return the size of the validation set of a corpus of `num_tweets`."""
    wanted = max(round(VALIDATION_SHARE * num_tweets), MIN_VALIDATION_TWEETS)
    return min(wanted, int(MAX_VALIDATION_SHARE * num_tweets))


def validation_mask(keys: FlatTweets, groups: Indices, digests: Hashes, on_progress: OnProgress = no_progress) -> Mask:
    """Return the mask of the validation tweets, (tweets,): whole `groups`, no more than `num_validation_tweets`.

    `groups` are labels, `digests` stable hashes of the keys, both (tweets,). Tweets that share a long run go to the
    same side: whole connected components are held out, in the order of their digests. A component larger than a
    hundredth of the validation set stays in training: the validation loss must not depend on one song. If that is not
    enough, because nearly all tweets are connected as those of a grammar are, groups are held out, and shared runs
    cross the split; `leak_share` measures how many. All False if no group is small enough.
    """
    wanted = num_validation_tweets(len(keys))
    limit = max(1, int(MAX_COMPONENT_SHARE * wanted))
    mask = np.zeros(len(keys), dtype=np.bool_)
    for labels, largest in (
        (join_shared_runs(keys, groups, on_progress), limit),
        (groups, limit),
        (groups, wanted),
    ):
        missing = wanted - int(np.count_nonzero(mask))
        if missing:
            mask |= _lowest(np.where(mask, -1, labels), digests, missing, largest)
    return mask


def _lowest(labels: Indices, digests: Hashes, wanted: int, largest: int) -> Mask:
    """Return the mask of the groups with the lowest digests that fit into `wanted` tweets, none over `largest`.

    A tweet with label -1 is in no group.
    """
    sizes = np.bincount(labels + 1, minlength=len(labels) + 1)[1:]
    lowest = np.full(len(labels), np.iinfo(np.uint64).max, dtype=np.uint64)
    is_free = labels >= 0
    np.minimum.at(lowest, labels[is_free], digests[is_free])
    candidates = np.flatnonzero((sizes > 0) & (sizes <= largest))
    candidates = candidates[np.argsort(lowest[candidates], kind="stable")]
    is_chosen = np.zeros(len(labels) + 1, dtype=np.bool_)  # the last one is for -1
    for candidate, size in zip(candidates.tolist(), sizes[candidates].tolist(), strict=True):
        if size <= wanted:
            is_chosen[candidate] = True
            wanted -= size
            if not wanted:
                break
    return is_chosen[labels]


# Groups of tweets -----------------------------------------------------------------------------------------------------


def near_duplicate_groups(keys: FlatTweets, on_progress: OnProgress = no_progress) -> Indices:
    """Return the smallest index in each tweet's group, (tweets,); equal keys are always in one group."""
    doing = f"comparing {counted(len(keys), 'tweet')}"
    return join_similar(keys, np.arange(len(keys)), deletion_hashes, on_progress, doing)


def join_shared_runs(keys: FlatTweets, labels: Indices, on_progress: OnProgress = no_progress) -> Indices:
    """Return `labels`, (tweets,), with the groups merged that share a run of `SHARED_RUN` characters or more."""
    return join_similar(keys, labels, winnowed, on_progress, "choosing validation tweets")


def deletion_hashes(keys: FlatTweets) -> tuple[Hashes, Indices]:
    """Return the hashes of each tweet without and with each deletion, (hashes,), and the index of each one's tweet.

    A tweet that is too short to be a near-duplicate has a single hash, of its text.
    """
    chars = HashedChars.of(keys)
    is_letter = np.zeros(len(chars.codes) + 2, dtype=np.bool_)
    np.not_equal(chars.codes, _BLANK, out=is_letter[1:-1])
    is_border = np.zeros(len(chars.codes) + 1, dtype=np.bool_)
    is_border[chars.offsets] = True
    starts = np.flatnonzero(is_letter[1:] & (is_border | ~is_letter[:-1]))
    ends = np.flatnonzero(is_letter[:-1] & (is_border | ~is_letter[1:]))
    words, word_chars = mix(chars.runs(starts, ends)), ends - starts  # (words,)
    offsets = np.searchsorted(starts, chars.offsets)  # the words of tweet i begin at offsets[i]
    num_words = np.diff(offsets)
    owners = np.repeat(np.arange(len(num_words)), num_words)

    sums = _sums(words, offsets)
    num_chars = _sums(word_chars.astype(np.uint64), offsets).astype(np.int64) + num_words - 1
    is_long = (num_words >= MIN_WORDS) & (num_chars >= MIN_CHARS)
    whole = np.where(is_long, sums, chars.whole_tweets())
    words_left, chars_left = num_words[owners] - 1, num_chars[owners] - word_chars - 1
    less_one = sums[owners] - words
    one = np.flatnonzero((words_left >= MIN_WORDS) & (chars_left >= MIN_CHARS))
    has_next = owners[1:] == owners[:-1]
    is_two = has_next & (words_left[:-1] > MIN_WORDS) & (chars_left[:-1] - word_chars[1:] - 1 >= MIN_CHARS)
    two = np.flatnonzero(is_two)
    hashes = np.concatenate((whole, less_one[one], less_one[two] - words[two + 1]))
    return hashes, np.concatenate((np.arange(len(keys)), owners[one], owners[two]))


def _sums(values: Hashes, offsets: Indices) -> Hashes:
    """Return the sum of `values`, (words,), per tweet, modulo 2^64, (tweets,)."""
    return np.diff(np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(values)))[offsets])


def winnowed(tweets: FlatTweets) -> tuple[Hashes, Indices]:
    """Return the fingerprints of tweets, (fingerprints,), and the index of each one's tweet, (fingerprints,)."""
    chars = HashedChars.of(tweets)
    begins_row = chars.fits(SHARED_RUN)[: max(0, len(chars.codes) - SHARED_RUN + 1)]
    hashes = chars.windows(WINDOW)
    if not begins_row.any():
        return hashes[:0], np.zeros(0, dtype=np.int64)
    smallest = np.zeros(len(hashes) + ROW - 1, dtype=np.uint64)
    smallest[ROW - 1 : len(hashes)] = _over_rows(np.minimum, hashes) * begins_row
    chosen = np.flatnonzero(hashes == _over_rows(np.maximum, smallest))
    hashes, owners = hashes[chosen], chars.owners[chosen]
    is_new = np.ones(len(chosen), dtype=np.bool_)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[is_new], owners[is_new]


def _over_rows(ufunc: np.ufunc, hashes: Hashes) -> Hashes:
    """Return the minimum or maximum of each `ROW` hashes in a row."""
    chosen = hashes[: len(hashes) - ROW + 1]
    for place in range(1, ROW):
        chosen = ufunc(chosen, hashes[place : len(hashes) - ROW + 1 + place])
    return chosen


# Connected components -------------------------------------------------------------------------------------------------


def join_similar(
    tweets: FlatTweets,
    labels: Indices,
    fingerprints: Fingerprints,
    on_progress: OnProgress,
    doing: str,
    buffer_hashes: int | None = None,
) -> Indices:
    """Return `labels`, (tweets,), with the groups merged whose tweets share a fingerprint.

    A label is the smallest index of a tweet in the group, before and after. `doing` is the text of the progress.

    Each tweet has many hashes, and most occur once. A first pass marks the hashes that may be repeated. Further passes
    collect and sort only those: as many as needed, each over a range of hash values; of a full buffer, the groups are
    joined and one tweet per hash stays.
    """
    labels = labels.copy()
    index_type = np.uint32 if len(labels) < 1 << 32 else np.int64
    buffer_hashes = buffer_hashes or max(MIN_BUFFER_HASHES, tweets.utf8.size // BYTES_PER_BUFFER_HASH)
    repeated, num_repeated = _repeated_slots(tweets, fingerprints, on_progress, doing)
    num_passes = max(1, -(-2 * num_repeated // buffer_hashes))
    bounds = [(number << 64) // num_passes for number in range(num_passes + 1)]
    for number in range(num_passes):
        low, high = np.uint64(bounds[number]), np.uint64(bounds[number + 1] - 1)
        parts: list[tuple[Hashes, npt.NDArray[np.integer]]] = []
        num_collected, limit = 0, buffer_hashes
        for share, hashes, owners in _scan(tweets, fingerprints):
            is_wanted = repeated.has(repeated.slots(hashes))
            if num_passes > 1:
                is_wanted &= (hashes >= low) & (hashes <= high)
            parts.append((hashes[is_wanted], owners[is_wanted].astype(index_type)))
            num_collected += len(parts[-1][0])
            if num_collected >= limit:
                _join_parts(labels, parts)
                num_collected = len(parts[0][0])
                limit = max(limit, 2 * num_collected)  # else a nearly full buffer would be sorted at every chunk
            on_progress(0.5 + (number + share) / num_passes / 2, doing)
        _join_parts(labels, parts)
    return labels


def _scan(tweets: FlatTweets, fingerprints: Fingerprints) -> Iterator[tuple[float, Hashes, Indices]]:
    """Yield the share done, the hashes of a chunk of tweets, and the index of each one's tweet."""
    for first, chunk in tweets.chunks():
        hashes, owners = fingerprints(chunk)
        yield (first + len(chunk)) / len(tweets), hashes, owners + first


def _repeated_slots(
    tweets: FlatTweets, fingerprints: Fingerprints, on_progress: OnProgress, doing: str
) -> tuple[BitTable, int]:
    """Return the hashes that may occur twice, and their number: no false negatives, few false positives.

    The tables are of a quarter to half the texts' size each: there are at most 0.5 hashes per byte.
    """
    seen, repeated = BitTable(2 * tweets.utf8.size), BitTable(2 * tweets.utf8.size)
    num_repeated = 0
    for share, hashes, _ in _scan(tweets, fingerprints):
        slots, counts = np.unique(seen.slots(hashes), return_counts=True)
        again = slots[(counts > 1) | seen.has(slots)]
        num_repeated += int(np.count_nonzero(~repeated.has(again)))
        seen.add(slots)
        repeated.add(again)
        on_progress(share / 2, doing)
    return repeated, num_repeated


def _join_parts(labels: Indices, parts: list[tuple[Hashes, npt.NDArray[np.integer]]]) -> None:
    """Merge the groups of tweets with equal hashes, and leave one tweet per hash in a single part; both in place."""
    hashes = np.concatenate([np.empty(0, dtype=np.uint64), *(part[0] for part in parts)])
    owners = np.concatenate([np.empty(0, dtype=np.uint32), *(part[1] for part in parts)])
    parts.clear()
    order = np.argsort(hashes)
    hashes, owners = hashes[order], owners[order]
    is_repeated = hashes[1:] == hashes[:-1]
    _join_pairs(labels, owners[:-1][is_repeated], owners[1:][is_repeated])
    is_first = np.concatenate(([True], ~is_repeated))[: len(hashes)]
    parts.append((hashes[is_first], owners[is_first]))


def _join_pairs(labels: Indices, ones: npt.NDArray[np.integer], others: npt.NDArray[np.integer]) -> None:
    """Merge, in place, the groups of the tweets `ones[i]` and `others[i]` for all i.

    Each round attaches every group to its smallest neighbour and compresses all paths (Shiloach and Vishkin 1982): the
    number of rounds is at most logarithmic in the longest path.
    """
    one_labels, other_labels = labels[ones], labels[others]
    while True:
        is_apart = one_labels != other_labels
        if not is_apart.any():
            return
        one_labels, other_labels = one_labels[is_apart], other_labels[is_apart]
        np.minimum.at(labels, np.maximum(one_labels, other_labels), np.minimum(one_labels, other_labels))
        while True:
            shorter = labels[labels]
            if np.array_equal(shorter, labels):
                break
            labels[:] = shorter
        one_labels, other_labels = labels[one_labels], labels[other_labels]

"""The chosen drafts are those of a loop that samples one draft after another, whatever the size of the batches."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from engine.compute.device import derived_seed
from engine.config.sampling import SamplingConfig
from engine.protocol.events import RefusalReason
from engine.sampling.drafts import MAX_BATCH_CHARS, ChosenDraft, draft_tweets
from engine.sampling.sampler import SampledTweet
from engine.sampling.tweet_filter import TweetFilter

WORDS = ("sun", "Sunday", "good morning", "@art", "party", "tea")
_DRAFT = 5  # the seeds of drafts are a promise: --seed repeats a tweet


def draft_of(seed: int) -> SampledTweet:
    """Return a made-up draft that depends on its seed alone."""
    numbers = random.Random(seed)  # noqa: S311 - test data
    text = " ".join(numbers.choices(WORDS, k=numbers.randint(1, 4)))
    bits, reached_eos = round(numbers.uniform(1, 3), 1), numbers.random() < 0.8
    return SampledTweet(text=text, temperature=0.8, seed=seed, reached_eos=reached_eos, bits_per_char=bits)


def sample(seeds: Sequence[int]) -> list[SampledTweet]:
    return list(map(draft_of, seeds))


def copied_share(text: str) -> float:
    """Call two words a copy, and three a near-copy, if they begin with the same letter."""
    words = text.split()
    return {2: 1.0, 3: 0.6}.get(len(words), 0.1) if words[0][0] == words[-1][0] else 0.0


def filters() -> SearchStrategy[SamplingConfig]:
    """Settings of the filter: none, easy, rare and unreachable ones."""
    return st.builds(
        SamplingConfig,
        only_new=st.booleans(),
        avoid=st.lists(st.sampled_from(["sun", "art", "good morning", "TEA"]), max_size=2).map(tuple),
        must_contain=st.sampled_from(["", "un", "PARTY", "sunday party", "zebra"]),
        min_length=st.sampled_from([0, 6, 20, 100]),
        best_of=st.integers(1, 4),
    )


def chosen(sampling: SamplingConfig, seeds: Sequence[int], max_drafts: int, batch_size: int) -> list[ChosenDraft]:
    return list(draft_tweets(sample, TweetFilter(sampling, copied_share), seeds, max_drafts, batch_size))


def one_by_one(sampling: SamplingConfig, seed: int, max_drafts: int) -> tuple[SampledTweet, int, int]:
    """Return the chosen draft, the number of drafts and how many of them passed: the definition."""
    reasons, passed, judged = TweetFilter(sampling, copied_share).reasons, [], []
    for number in range(max_drafts):
        judged.append(draft_of(derived_seed(seed, _DRAFT, number) if number else seed))
        passed += [] if reasons(judged[-1]) else [judged[-1]]
        if len(passed) == sampling.best_of:
            break
    nearest = min(passed or judged, key=lambda draft: (len(reasons(draft)), draft.bits_per_char))
    return nearest, len(judged), len(passed)


CASES = {
    "sampling": filters(),
    "seeds": st.lists(st.integers(0, 2**62), max_size=6),
    "max_drafts": st.integers(1, 40),
    "batch_size": st.integers(1, 12),
}


@given(**CASES)
def test_the_choice_is_that_of_a_loop_over_the_drafts_whatever_the_batches_of_which_about_half_is_used(
    sampling: SamplingConfig, seeds: list[int], max_drafts: int, batch_size: int
) -> None:
    batches: list[int] = []

    def counted(batch: Sequence[int]) -> list[SampledTweet]:
        batches.append(len(batch))
        return sample(batch)

    found = list(draft_tweets(counted, TweetFilter(sampling, copied_share), seeds, max_drafts, batch_size))

    assert all(1 <= size <= batch_size for size in batches)
    assert sum(batches) <= sum(max(2 * each.num_drafts, each.num_drafts + sampling.best_of) for each in found)
    assert [each.seed for each in found] == seeds
    for each in found:
        draft, num_drafts, num_passed = one_by_one(sampling, each.seed, max_drafts)
        assert (each.draft, each.num_drafts) == (draft, num_drafts)
        assert each.num_drafts - sum(count for _, count in each.refused) == num_passed
        assert (each.unmet == ()) == (num_passed > 0)
        reasons = [reason for reason, _ in each.refused]
        assert reasons == sorted(reasons, key=get_args(RefusalReason).index)
        assert all(count > 0 for _, count in each.refused)
        assert num_passed > 0 or each.num_drafts == max_drafts


@given(**CASES)
def test_every_tweet_without_reasons_passes_each_setting_of_the_filter(
    sampling: SamplingConfig, seeds: list[int], max_drafts: int, batch_size: int
) -> None:
    for each in chosen(sampling, seeds, max_drafts, batch_size):
        if each.unmet or not sampling.has_filter:
            continue
        words = each.draft.text.lower().replace("@", "")
        assert not (sampling.only_new and copied_share(each.draft.text) >= 0.5)
        assert all(f" {word.lower()} " not in f" {words} " for word in sampling.avoid)
        assert sampling.must_contain.lower() in each.draft.text.lower()
        assert len(each.draft.text) >= sampling.min_length
        assert each.draft.reached_eos


@given(seeds=st.lists(st.integers(0, 2**62), max_size=20), batch_size=st.integers(1, 8))
def test_without_a_filter_a_tweet_is_the_draft_of_its_own_seed(seeds: list[int], batch_size: int) -> None:
    found = chosen(SamplingConfig(min_p=0.1, temperature_last=True), seeds, 100, batch_size)

    assert [(each.draft, each.num_drafts, each.refused) for each in found] == [
        (draft_of(seed), 1, ()) for seed in seeds
    ]
    assert any(not draft_of(seed).reached_eos for seed in range(50))  # an unfinished draft is not refused


def test_where_no_draft_passes_the_one_with_the_fewest_reasons_then_the_fewest_bits_is_chosen() -> None:
    sampling = SamplingConfig(only_new=True, must_contain="zebra", min_length=10, avoid=("sun",))
    reasons = TweetFilter(sampling, copied_share).reasons

    [each] = chosen(sampling, [3], 200, 64)

    drafts = [draft_of(derived_seed(3, _DRAFT, number) if number else 3) for number in range(200)]
    only_that = [draft for draft in drafts if reasons(draft) == ("required text missing",)]
    assert each.unmet == ("required text missing",)
    assert each.draft.bits_per_char == min(draft.bits_per_char for draft in only_that)
    assert each.num_drafts == 200
    assert Counter(dict(each.refused)) == Counter(reasons(draft)[0] for draft in drafts)  # under its first reason
    assert len(each.refused) == 4
    [greedy] = chosen(replace(sampling, temperature=0.0), [1], 1000, 256)  # all drafts are the same
    assert (greedy.num_drafts, greedy.unmet[-1]) == (1, "required text missing")


def test_tweets_are_returned_as_soon_as_they_are_decided() -> None:
    """A reader of the output does not wait for the last tweet of many."""
    rows: list[int] = []

    def counted(batch: Sequence[int]) -> list[SampledTweet]:
        rows.extend(batch)
        return sample(batch)

    found: Iterator[ChosenDraft] = draft_tweets(counted, TweetFilter(SamplingConfig(), None), range(1000), 9, 16)

    assert next(found).seed == 0
    assert rows == list(range(16))


@pytest.mark.parametrize(("max_length", "largest"), [(140, 256), (4000, 250), (100_000, 10)])
def test_batches_of_long_drafts_are_smaller_with_the_same_choice(max_length: int, largest: int) -> None:
    batches: list[int] = []

    def counted(batch: Sequence[int]) -> list[SampledTweet]:
        batches.append(len(batch))
        return sample(batch)

    sampling = SamplingConfig(must_contain="zebra", max_length=max_length)
    found = list(draft_tweets(counted, TweetFilter(sampling, None), range(3), 1000))

    assert max(batches) == largest
    assert largest * max_length <= MAX_BATCH_CHARS
    assert [(each.draft, each.num_drafts) for each in found] == [
        (draft, number) for draft, number, _ in (one_by_one(sampling, seed, 1000) for seed in range(3))
    ]

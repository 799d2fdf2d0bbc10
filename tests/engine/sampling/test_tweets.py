"""Drafts are chosen as by a loop over one after another, refused by the filter, and measured; and the benchmark."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, get_args
from unittest import mock
from unittest.mock import Mock

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.compute.device import Draw, derived_seed
from engine.config.corpus import CorpusConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.arrays import Batch, FlatTweets
from engine.corpus.cleaning import duplicate_key
from engine.corpus.corpus import Corpus
from engine.corpus.hashing import NoveltyIndex
from engine.errors import ConfigError, VocabError
from engine.model.vocab import Vocab
from engine.protocol.events import RefusalReason
from engine.sampling import bench
from engine.sampling import filter as tweet_filter
from engine.sampling.bench import Benchmark, Shape, TutorialGenerator, TutorialLoop, Variant
from engine.sampling.filter import MAX_BATCH_CHARS, TweetFilter, draft_tweets, require_samplable
from engine.sampling.generation import Comparison, GeneratedTweet, compare, unknown_words_in, words_of
from engine.sampling.queries import NearestTweet, nearest_tweet
from engine.sampling.sampler import SampledTweet
from engine.training.trainer import Trainer
from tests.engine.corpus.reading import Case, recorded_cases, unescaped
from tests.engine.helpers import CPU, TickingClock, small_tweets, write_corpus
from tests.fakes import FakeClock
from tests.strategies import hostile_text, tweet_lists, tweets

WORDS = ("sun", "Sunday", "good morning", "@art", "party", "tea")


def draft_of(seed: int) -> SampledTweet:
    """Return a made-up draft that depends on its seed alone."""
    numbers = random.Random(seed)  # noqa: S311 - test data
    text = " ".join(numbers.choices(WORDS, k=numbers.randint(1, 4)))
    bits, reached_eos = round(numbers.uniform(1, 3), 1), numbers.random() < 0.8
    return SampledTweet(text=text, temperature=0.8, seed=seed, reached_eos=reached_eos, bits_per_char=bits)


def sampler() -> Mock:
    """Return what samples made-up drafts of some seeds."""
    return Mock(side_effect=lambda seeds: list(map(draft_of, seeds)))


def batch_sizes(sample: Mock) -> list[int]:
    return [len(seeds) for (seeds,), _ in sample.call_args_list]


def copied_share(text: str) -> float:
    """Call two words a copy, and three a near-copy, if they begin with the same letter."""
    words = text.split()
    return {2: 1.0, 3: 0.6}.get(len(words), 0.1) if words[0][0] == words[-1][0] else 0.0


FILTERS = st.just(SamplingConfig(min_p=0.1, temperature_last=True)) | st.builds(
    SamplingConfig,
    only_new=st.booleans(),
    avoid=st.lists(st.sampled_from(["sun", "art", "good morning", "TEA"]), max_size=2).map(tuple),
    must_contain=st.sampled_from(["", "un", "PARTY", "sunday party", "zebra"]),
    min_length=st.sampled_from([0, 6, 20, 100]),
    best_of=st.integers(1, 4),
)
"""No filter, easy, rare and unreachable ones."""


def one_by_one(sampling: SamplingConfig, seed: int, max_drafts: int) -> tuple[SampledTweet, int, Counter[str]]:
    """Return the chosen draft, the number of drafts and the first reasons of the refused ones: the definition."""
    reasons, passed, judged = TweetFilter(sampling, copied_share).reasons, [], []
    for number in range(max_drafts):
        judged.append(draft_of(derived_seed(seed, Draw.DRAFT, number) if number else seed))
        passed += [] if reasons(judged[-1]) else [judged[-1]]
        if len(passed) == sampling.best_of:
            break
    nearest = min(passed or judged, key=lambda draft: (len(reasons(draft)), draft.bits_per_char))
    return nearest, len(judged), Counter(reasons(draft)[0] for draft in judged if reasons(draft))


@given(
    sampling=FILTERS,
    seeds=st.lists(st.integers(0, 2**62), max_size=6),
    max_drafts=st.integers(1, 40),
    batch_size=st.integers(1, 12),
)
def test_the_choice_is_that_of_a_loop_over_the_drafts_whatever_the_batches_of_which_about_half_is_used(
    sampling: SamplingConfig, seeds: list[int], max_drafts: int, batch_size: int
) -> None:
    sample = sampler()
    with mock.patch.object(tweet_filter, "MAX_BATCH_SIZE", batch_size):
        found = list(draft_tweets(sample, TweetFilter(sampling, copied_share), seeds, max_drafts))
    sizes = batch_sizes(sample)
    assert all(1 <= size <= batch_size for size in sizes)
    assert sum(sizes) <= sum(max(2 * each.num_drafts, each.num_drafts + sampling.best_of) for each in found)
    assert [each.seed for each in found] == seeds
    for each in found:
        draft, num_drafts, refused = one_by_one(sampling, each.seed, max_drafts)
        assert (each.draft, each.num_drafts) == (draft, num_drafts)
        assert Counter(dict(each.refused)) == refused
        num_passed = num_drafts - refused.total()
        assert (each.unmet == ()) == (num_passed > 0)
        assert each.unmet == TweetFilter(sampling, copied_share).reasons(draft)
        reasons = [reason for reason, _ in each.refused]
        assert reasons == sorted(reasons, key=get_args(RefusalReason).index)
        assert num_passed > 0 or each.num_drafts == max_drafts


def test_of_equal_greedy_drafts_only_one_is_sampled() -> None:
    zebra = TweetFilter(SamplingConfig(temperature=0.0, must_contain="zebra"), copied_share)
    [greedy] = draft_tweets(sampler(), zebra, [1], 1000)
    assert (greedy.num_drafts, greedy.unmet[-1]) == (1, "required text missing")


def test_tweets_are_returned_as_soon_as_they_are_decided_and_batches_of_long_drafts_are_smaller() -> None:
    """A reader of the output does not wait for the last tweet of many."""
    sample = sampler()
    assert next(draft_tweets(sample, TweetFilter(SamplingConfig(), None), range(1000), 9)).seed == 0
    assert batch_sizes(sample) == [256]
    for max_length, largest in ((140, 256), (4000, 250), (100_000, 10)):
        sample, sampling = sampler(), SamplingConfig(must_contain="zebra", max_length=max_length)
        assert len(list(draft_tweets(sample, TweetFilter(sampling, None), range(2), 1000))) == 2
        assert max(batch_sizes(sample)) == largest
        assert largest * max_length <= MAX_BATCH_CHARS


def draft(text: str, *, reached_eos: bool = True) -> SampledTweet:
    return SampledTweet(text=text, temperature=0.8, seed=0, reached_eos=reached_eos, bits_per_char=2.0)


def refuses(text: str, **settings: Any) -> bool:
    return TweetFilter(SamplingConfig(**settings), None).reasons(draft(text)) != ()


@recorded_cases("avoided")
def test_avoided_words_are_found_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    pairs = [line.split(" | ") for line in str(case.files["rows"]).splitlines()]
    found = {f"{word} | {text}": refuses(unescaped(text), avoid=(unescaped(word),)) for word, text in pairs}
    assert "\n".join(f"{pair}: {'found' if is_found else 'not found'}" for pair, is_found in found.items()) == snapshot


@given(
    before=tweets(20),
    blank=st.sampled_from(["", " ", "-"]),
    word=st.text("abcXYZéñ", min_size=1, max_size=6),
    after=tweets(20),
)
def test_a_word_is_found_exactly_where_it_is_one_of_the_text(before: str, blank: str, word: str, after: str) -> None:
    text = f"{before}{blank}{word.upper()}{blank}{after}"
    assume("ﬁ" not in text)
    separated = "".join(char if char.isalnum() or char == "_" else " " for char in text.casefold())
    assert refuses(text, avoid=(word,)) == (word.casefold() in separated.split())
    assert refuses(before, must_contain=word) == (word.casefold() not in before.casefold())


def test_required_text_is_found_in_any_case_also_within_words() -> None:
    for required, text in (("art", "pARTy"), ("Ñ", "mañana"), ("a b", "a↵b"), (" a", "b a")):
        assert not refuses(text, must_contain=required)
        assert refuses(text, must_contain=required + "x")


def test_a_draft_can_have_every_reason_but_one_kind_of_copy_as_it_is_shown_and_only_of_a_filter() -> None:
    sampling = SamplingConfig(only_new=True, avoid=("a",), must_contain="b", min_length=11)
    reasons: tuple[RefusalReason, ...] = ("avoided word", "required text missing", "too short", "unfinished")
    bad = draft("  a    c  ", reached_eos=False)
    for share, kind in {1.0: ("copy",), 0.5: ("near-copy",), 0.49: ()}.items():
        assert TweetFilter(sampling, lambda _, share=share: share).reasons(bad) == (*kind, *reasons)  # type: ignore[misc] # a default binds the loop's value
    assert TweetFilter(SamplingConfig(), None).reasons(bad) == ()
    assert TweetFilter(SamplingConfig(best_of=2), None).reasons(bad) == ("unfinished",)
    assert not refuses(bad.text, min_length=10)  # every sampled character counts, as it is printed


@recorded_cases("impossible_filters")
def test_settings_that_no_tweet_can_have_are_refused_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    lines = []
    for row in str(case.files["rows"]).splitlines():
        fields = json.loads(row)
        vocab = Vocab(fields.pop("vocabulary", sorted({*fields.get("prime", ""), *fields.get("must_contain", "")})))
        sampling = SamplingConfig(**fields)
        try:
            sampling.require_for_run()
            require_samplable(sampling, vocab)
            lines.append(f"{row}: accepted")
        except (ConfigError, VocabError) as error:
            lines.append(f"{row}: {error.message}")
        if "prime" in fields and sampling.avoid:
            avoided = [refuses(sampling.prime + end, avoid=sampling.avoid[-1:]) for end in ("", "s", "\u0301")]
            assert lines[-1].endswith("accepted") != all(avoided), "refused where every tweet would have it"
    assert "\n".join(lines) == snapshot


TRAINED = ("mum made a cake", "we love the rain and the long walk home after it", "so late again :)")


def sampled(text: str, *, reached_eos: bool = True, seed: int = 7) -> GeneratedTweet:
    return GeneratedTweet(
        text=text, temperature=0.8, seed=seed, reached_eos=reached_eos, bits_per_char=2.0, novelty=None
    )


def compared(*tweets: GeneratedTweet) -> Comparison:
    train = FlatTweets.from_texts(TRAINED)
    novelty = NoveltyIndex.from_keys(FlatTweets.from_texts(map(duplicate_key, TRAINED)))
    corpus = Mock(spec=Corpus, train=train, char_counts=train.char_counts(), novelty=novelty)
    return compare(list(tweets), FlatTweets.from_texts(["a b"]), corpus)


def test_known_words_distinct_trigrams_and_copies_are_shares_of_what_was_written() -> None:
    # without case, names and punctuation
    assert compared(sampled("@bob MUM, loved the cake!")).written.known_word_share == pytest.approx(3 / 4)
    # abc bca cab abc | abc: three different ones of five; none crosses from one tweet to the next
    assert compared(*map(sampled, ("abcabc", "abc", "ab", ""))).written.distinct_3 == pytest.approx(3 / 5)
    new, copy, near = "a fox sang", "Mum made a cake!!", "we love the rain and the long walk home, then tea"
    quality = compared(*map(sampled, (new, copy, near, new))).written
    assert (quality.copy_share, quality.near_copy_share) == (0.25, 0.25)
    comparison = compared(sampled("ab", reached_eos=False, seed=11), *[sampled("ab", seed=12)] * 3)
    assert (comparison.temperature, comparison.seed) == (0.8, 11)
    assert (comparison.written.ended_share, comparison.held_out.ended_share) == (0.75, 1)


@given(train=tweet_lists(max_size=8), tweets=tweet_lists(max_size=8))
def test_unknown_words_are_those_in_no_training_tweet(train: list[str], tweets: list[str]) -> None:
    known = {word for tweet in train for word in words_of(tweet)}
    assert unknown_words_in(train, tweets) == {word for tweet in tweets for word in words_of(tweet)} - known


TWEETS = small_tweets(60)


def nearest(tweets: list[str], text: str) -> NearestTweet:
    return nearest_tweet(FlatTweets.from_texts(tweets), text)


def trigrams(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(len(text) - 2)}


def test_a_changed_tweet_is_nearest_to_its_original_as_harmless_text_and_one_without_shared_trigrams_to_none() -> None:
    tweets = ["hahahahahahahahahahaha", "the rain in spring", "\x1b[31mred alert\x1b[0m", *TWEETS]
    assert nearest(tweets, "oh the rain in the spring, ha").text == "the rain in spring"
    assert nearest(tweets, "red alert").text == "red alert"
    assert [nearest(TWEETS, text) for text in ("1234567890", "", "ab")] == [NearestTweet()] * 3
    assert [nearest(few, "anything at all") for few in ([], ["", "a"])] == [NearestTweet()] * 2


@given(tweets=tweet_lists(), text=st.text(max_size=60) | hostile_text())
def test_it_has_the_highest_similarity_of_all_tweets(tweets: list[str], text: str) -> None:
    found, query = nearest(tweets, text), trigrams(text)
    pairs = [(query & each, query | each) for each in map(trigrams, tweets)]
    best = max(len(common) / max(1, len(either)) for common, either in pairs)  # the Jaccard index
    assert found.share == pytest.approx(best, abs=5e-4)
    assert bool(found.text) == (found.share > 0)


# The benchmark, on fake clocks ----------------------------------------------------------------------------------------


TINY, OTHER = Shape(4, 8, 5), Shape(4, 18, 5)


@pytest.fixture
def corpus(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CorpusConfig:
    """A small corpus, on a machine with one core that has bfloat16."""
    monkeypatch.setattr(bench, "MANY", 9)
    monkeypatch.setattr(bench, "available_cores", lambda: 1)
    monkeypatch.setattr(bench, "may_train_in_bfloat16", lambda _: True)
    return CorpusConfig(files=(str(write_corpus(tmp_path)),))


def test_on_macos_the_processor_is_the_one_that_the_system_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    command = Mock(return_value=Mock(stdout="Apple M3 Max\n"))
    monkeypatch.setattr(bench.subprocess, "run", command)
    assert bench.machine_info(CPU.device)["processor"] == "Apple M3 Max"
    assert command.call_args.args == (["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],)


def test_all_variants_train_on_the_same_batches_and_a_trial_that_takes_long_ends_early(
    corpus: CorpusConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, seen, step_seconds = FakeClock(), dict[object, list[Batch]](), bench.TRIAL_SECONDS / 2

    def step(loop: object, batch: Batch, *_rate: float) -> None:
        seen.setdefault(loop, []).append(batch)
        clock.advance(step_seconds)

    monkeypatch.setattr(TutorialLoop, "step", step)
    monkeypatch.setattr(Trainer, "step", step)
    monkeypatch.setattr(Benchmark, "_sample", lambda *_: [])
    benchmark = Benchmark(CPU.device, 10.0, Mock(), corpus, [TINY], clock)
    report = benchmark.run()
    assert [row.path for row in report.train] == ["tutorial", "ours", "ours, bfloat16"]
    assert all(row.chars_per_second > 0 and row.ratio_to_tutorial == 1.0 for row in report.train)
    batches, *others = seen.values()
    assert others == [batches, batches]
    assert len({id(batch) for batch in batches}) == len(batches) > 5

    step_seconds, loop = 0.4 * bench.MAX_TRIAL_SECONDS, TutorialLoop(TutorialGenerator(9, 4, 8))
    assert benchmark._train_on(loop, batches) == sum(batch.num_targets for batch in seen[loop])  # type: ignore[arg-type]
    assert len(seen[loop]) == 3


def test_each_round_starts_with_another_variant_the_last_ends_in_time_and_a_slow_variant_runs_once() -> None:
    clock, progress, works = FakeClock(), Mock(), list[int]()

    def trial(seconds: float, work: int) -> int:
        works.append(work)
        clock.advance(seconds)
        return 60

    trials: dict[Variant, Callable[[int], int]] = {
        Variant(name, 1, 1): partial(trial, seconds) for name, seconds in (("a", 1.0), ("b", 1.0), ("slow", 5.0))
    }
    benchmark = Benchmark(CPU.device, 20.0, progress, clock=clock)
    rates = benchmark.run_rounds(trials, lambda number: 100 * number, 20.0, "training")
    begun = [doing.removeprefix("training: ") for (_, doing), _ in progress.call_args_list]
    assert begun == ["a", "b", "slow", "b", "a", "a", "b", "b", "a", "a", "b", "b", "a", "a", "b"]
    assert works == [0, 0, 0, *sorted([*range(100, 700, 100)] * 2)]
    assert clock.now == 19.0
    assert {variant.path: each for variant, each in rates.items()} == {"a": [60.0] * 7, "b": [60.0] * 7, "slow": [12.0]}


def test_figures_are_medians_over_the_rounds_relative_to_the_tutorial_at_its_best_number_of_threads() -> None:
    rates = {
        Variant("tutorial", 5, 1): [100.0, 100.0, 50.0],
        Variant("tutorial", 5, 2): [10.0],
        Variant("ours", 5, 2): [200.0, 800.0, 100.0],
    }
    [_, slow, ours] = bench.figures_of(TINY, rates)
    assert (ours.embedding_size, ours.hidden_size, ours.batch_size, ours.num_threads) == (4, 8, 5, 2)
    assert (ours.chars_per_second, ours.ratio_to_tutorial) == (200.0, 2.0)  # not the ratio of the medians
    assert ours.spread == pytest.approx((500.0 - 150.0) / 200.0)
    assert (slow.ratio_to_tutorial, slow.spread) == (0.1, 0.0)


@pytest.mark.parametrize(("seconds", "tick", "measured"), [(2.0, 0.02, [TINY, OTHER]), (0.01, 0.01, [TINY])])
def test_it_ends_in_about_the_requested_time_after_at_least_the_first_shape(
    corpus: CorpusConfig, seconds: float, tick: float, measured: list[Shape]
) -> None:
    clock, progress, threads = TickingClock(tick), Mock(), torch.get_num_threads()
    benchmark = Benchmark(CPU.device, seconds, progress, corpus, [TINY, OTHER], clock)
    report = benchmark.run()
    assert torch.get_num_threads() == threads
    assert benchmark.skipped_shapes == [shape for shape in (TINY, OTHER) if shape not in measured]
    paths = ("tutorial", "ours", "ours, bfloat16")
    kinds = ((1, "tutorial"), (1, "ours"), (9, "ours"))
    sizes = [shape.hidden_size for shape in measured]
    assert [(row.hidden_size, row.path) for row in report.train] == list(product(sizes, paths))
    sampled = [(row.hidden_size, (row.batch_size, row.path)) for row in report.sample]
    assert sampled == list(product(sizes, kinds))
    assert all(row.chars_per_second > 0 for row in (*report.train, *report.sample))
    shares = [share or 0.0 for (share, _), _ in progress.call_args_list]
    assert shares[-1] == 1.0
    if OTHER in measured:
        assert 1.5 < clock.now < 2.5
        assert shares == sorted(shares)
        assert 0.0 <= shares[0] < 0.1
        assert shares[-2] > 0.8

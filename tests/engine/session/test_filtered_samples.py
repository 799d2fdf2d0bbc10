"""The tweets of a run pass the filter of its sampling settings; training does not depend on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from engine.compute.device import derived_seed
from engine.config.run import Setting
from engine.config.sampling import MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.corpus.similarity.novelty import NoveltyIndex
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.sampling.sampler import TweetSampler
from engine.storage.folders import find_run
from tests.engine.helpers import (
    AnsweringInbox,
    TickingClock,
    latest,
    losses,
    of_type,
    only,
    run_session,
    run_stopped_within_a_tweet,
    tiny_config,
)

UNLIKELY = "the the the"
"""A text of known characters that no draft contains."""
EASY: dict[str, Setting] = {"avoid": ("e",), "min_length": 3, "best_of": 2, "sample_every": 3, "learning_rate": 0.05}


def tweets_of(stream: Iterable[Event]) -> list[e.TweetSampled]:
    return of_type(stream, e.TweetSampled)


def test_due_and_requested_tweets_pass_the_filter_and_count_their_drafts(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, **EASY), {5: [c.SampleNow(), c.SampleNow(prime="a ")]})

    sampled = tweets_of(emitted)
    assert len(sampled) == 2 + 4  # due at steps 0, 3, 6 and 9
    for tweet in sampled:
        assert tweet.unmet == ()
        assert tweet.reached_eos
        assert len(tweet.text) >= 3
        assert "e" not in tweet.text.lower().split()
        assert 1 <= tweet.num_drafts - sum(count for _, count in tweet.refused) <= 2


def test_the_filter_changes_neither_the_training_nor_the_first_draft(corpus: Path) -> None:
    plain = run_session(tiny_config(corpus, run_name="plain", sample_every=1))
    filtered = run_session(tiny_config(corpus, run_name="filtered", sample_every=1, min_length=4))

    assert losses(plain) == losses(filtered)
    same = [
        (one, other) for one, other in zip(tweets_of(plain), tweets_of(filtered), strict=True) if other.num_drafts == 1
    ]
    assert same
    assert all(replace(one, elapsed_seconds=0) == replace(other, elapsed_seconds=0) for one, other in same)


def test_only_new_refuses_copies_of_the_runs_own_training_tweets(corpus: Path) -> None:
    with mock.patch.object(NoveltyIndex, "copied_share", lambda _, text: 1.0 if "a" in text else 0.0):
        emitted = run_session(tiny_config(corpus, only_new=True, sample_every=2, max_length=8))

    passed = [tweet for tweet in tweets_of(emitted) if not tweet.unmet]
    assert passed
    assert all(tweet.novelty == "new" for tweet in passed)
    assert "copy" in {reason for tweet in passed for reason, _ in tweet.refused}


def test_an_unreachable_filter_ends_at_the_bound_with_the_nearest_draft(corpus: Path) -> None:
    config = tiny_config(corpus, must_contain=UNLIKELY, sample_every=6)

    [first, last] = tweets_of(run_session(config))

    for tweet in (first, last):
        assert tweet.num_drafts == MAX_DRAFTS_IN_RUN == sum(count for _, count in tweet.refused)
        assert tweet.refused == (("required text missing", MAX_DRAFTS_IN_RUN),)
        assert "required text missing" in tweet.unmet


def test_a_filter_set_by_a_command_applies_from_the_next_tweet_on_and_is_saved(corpus: Path) -> None:
    sampling = SamplingConfig(max_length=20, must_contain=UNLIKELY, avoid=("a b",))

    emitted = run_session(tiny_config(corpus, sample_every=1, max_steps=4), {2: [c.SetSampling(sampling=sampling)]})

    assert only(emitted, e.SamplingChanged).sampling == sampling
    assert [tweet.num_drafts for tweet in tweets_of(emitted)] == [1, 1, *[MAX_DRAFTS_IN_RUN] * 2]
    assert latest().sampling == sampling


def test_a_run_refuses_to_compare_more_drafts_than_it_samples(corpus: Path) -> None:
    sampling = SamplingConfig(best_of=MAX_DRAFTS_IN_RUN + 1)

    emitted = run_session(tiny_config(corpus, max_steps=4), {2: [c.SetSampling(sampling=sampling)]})

    assert "best_of must be at most 32 in a run" in only(emitted, e.CommandRefused).detail
    assert latest().sampling.best_of == 1


def test_a_temperature_changed_during_the_drafts_applies_to_the_next_character(corpus: Path) -> None:
    """A new filter, prime or length waits for the next tweet."""
    hot = SamplingConfig(temperature=5.0, max_length=12, must_contain=UNLIKELY)
    cold = SamplingConfig(temperature=0.0, max_length=9, min_length=5)
    seen: list[SamplingConfig] = []
    advance = TweetSampler.advance

    def noted(sampler: TweetSampler) -> None:
        seen.append(sampler.sampling)
        advance(sampler)

    def answers() -> Iterator[Command | None]:
        while not seen:
            yield None
        yield from [None] * 8
        yield c.SetSampling(sampling=cold)

    with mock.patch.object(TweetSampler, "advance", noted):
        config = tiny_config(corpus, max_steps=3, sample_every=2, temperature=5.0, max_length=12, must_contain=UNLIKELY)
        emitted = run_session(config, inbox=AnsweringInbox(answers()))

    first, last = tweets_of(emitted)
    assert first.num_drafts == MAX_DRAFTS_IN_RUN
    assert first.unmet
    assert {each.temperature for each in seen[:5]} == {hot.temperature}
    changed = next(index for index, each in enumerate(seen) if each.temperature == 0.0)
    assert {(each.temperature, each.max_length) for each in seen[changed : changed + 5]} == {(0.0, 12)}
    assert last.num_drafts == 1  # greedy
    assert "required text missing" not in last.unmet


def test_a_stop_abandons_the_drafts_and_the_tweet_is_due_again(corpus: Path) -> None:
    sampling = SamplingConfig(max_length=20, must_contain=UNLIKELY)

    emitted = run_stopped_within_a_tweet(tiny_config(corpus, sample_every=4), 4, sampling, num_polls=30)

    assert only(emitted, e.RunFinished).step == 4
    assert [tweet.step for tweet in tweets_of(emitted)] == [0]
    assert latest().last_sample_step == 0


def test_ladder_and_completion_ignore_the_filter(corpus: Path) -> None:
    script: dict[int, list[Command]] = {3: [c.SampleLadder(seed=1), c.CompleteText(text="the ")]}

    with_filter, without = (
        run_session(tiny_config(corpus, run_name=f"run{number}", **settings), script)
        for number, settings in enumerate(({"must_contain": UNLIKELY, "min_length": 19}, {}))
    )

    for kind in (e.LadderSampled, e.TextCompleted):
        one, other = (replace(only(stream, kind), elapsed_seconds=0) for stream in (with_filter, without))
        assert one == other


def test_the_seeds_of_drafts_depend_on_the_step_alone(corpus: Path) -> None:
    seeds: list[int] = []
    original = TweetSampler.__init__

    def noted(self: TweetSampler, model: object, vocab: object, sampling: object, own: list[int]) -> None:
        seeds.extend(own)
        original(self, model, vocab, sampling, own)  # type: ignore[arg-type] # passed on

    with mock.patch.object(TweetSampler, "__init__", noted):
        run_session(tiny_config(corpus, must_contain=UNLIKELY, sample_every=12, max_steps=1, seed=7))

    first = derived_seed(7, 1, 0)
    assert seeds == [first, *(derived_seed(first, 5, number) for number in range(1, MAX_DRAFTS_IN_RUN))]


@pytest.mark.parametrize("length", [1, 3])
def test_no_filter_is_one_draft_whatever_its_length(corpus: Path, length: int) -> None:
    emitted = run_session(tiny_config(corpus, sample_every=2, max_length=length))

    assert all((tweet.num_drafts, tweet.refused, tweet.unmet) == (1, (), ()) for tweet in tweets_of(emitted))


def test_a_run_refuses_a_filter_that_no_draft_can_pass(corpus: Path) -> None:
    impossible = SamplingConfig(must_contain="the 寿")
    avoiding = SamplingConfig(avoid=("the",))
    contradictory = replace(avoiding, prime="the the ")
    script: dict[int, list[Command]] = {
        2: [c.SetSampling(sampling=sampling) for sampling in (impossible, contradictory, avoiding)],
        3: [c.SampleNow(prime="the the ")],
    }

    emitted = run_session(tiny_config(corpus, sample_every=0), script)

    assert [refusal.detail for refusal in of_type(emitted, e.CommandRefused)] == [
        "No tweet can contain “the 寿”: the vocabulary lacks '寿' (U+5BFF).",
        *["prime must be without the avoided word “the”, not 'the the '."] * 2,
    ]
    assert latest().sampling == avoiding
    assert tweets_of(emitted) == []


def test_drafts_that_take_longer_than_two_seconds_are_reported_and_not_journalled(corpus: Path) -> None:
    config = tiny_config(corpus, must_contain=UNLIKELY, sample_every=6, max_steps=6, max_length=20)

    emitted = run_session(config, clock=TickingClock(0.1))

    delays = of_type(emitted, e.TweetDelayed)
    assert {delay.max_drafts for delay in delays} == {MAX_DRAFTS_IN_RUN}
    counts = [delay.num_drafts for delay in delays if delay.step == 0]
    assert counts == sorted(counts)
    assert 1 < len(set(counts)) <= 6  # batches of 1, 1, 2, 4, 8 and 16 drafts
    assert not of_type(run_session(tiny_config(corpus, run_name="free"), clock=TickingClock(0.1)), e.TweetDelayed)
    assert b"TweetDelayed" not in find_run("tiny").journal_path.read_bytes()


def test_a_tweet_waits_for_slow_drafts_no_longer_once_the_filter_is_off(corpus: Path) -> None:
    settings: dict[str, Setting] = {"sample_pacing": "seconds", "sample_every": 100, "max_length": 20}
    config = tiny_config(corpus, must_contain=UNLIKELY, max_steps=16, **settings)
    without_filter = SamplingConfig(max_length=20)

    emitted = run_session(config, {10: [c.SetSampling(sampling=without_filter)]}, clock=TickingClock(0.02))

    assert any(delay.due_in_seconds > 60 for delay in of_type(emitted, e.TweetDelayed))
    by_step = [tweet.step for tweet in tweets_of(emitted)]
    assert [step for step in by_step if step <= 8] == [0, 1, 2, 4, 8]
    assert [step for step in by_step if 8 < step < 16] == [10]


def test_a_tweet_that_waits_after_slow_drafts_is_reported_with_its_time(corpus: Path) -> None:
    settings: dict[str, Setting] = {"sample_pacing": "seconds", "sample_every": 100, "max_length": 20}

    emitted = run_session(tiny_config(corpus, must_contain=UNLIKELY, **settings), clock=TickingClock(0.01))

    tweet, delay = tweets_of(emitted)[0], next(d for d in of_type(emitted, e.TweetDelayed) if d.due_in_seconds)
    took = tweet.elapsed_seconds
    assert delay.elapsed_seconds + delay.due_in_seconds == pytest.approx(took / 0.02, rel=0.2)

"""The tweets of a run, its answers to questions about a text, and the batch that it shows; what they change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.fields import with_settings
from engine.config.run import RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.config.sampling import MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.corpus.arrays import Batch
from engine.corpus.batches import padding_shares
from engine.corpus.hashing import NoveltyIndex
from engine.model.gru import weights_with_prefix
from engine.model.vocab import BOS, UNK, UNKNOWN_CHAR_BITS, Vocab
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.sampling.queries import COMPLETION_CHARS, score_chars
from engine.sampling.sampler import TweetSampler
from engine.session.questions import MAX_CHARS, MAX_ROWS
from engine.session.sampling import MAX_SAMPLE_SHARE, SAMPLE_SECONDS
from engine.session.startup.choices import _paced
from engine.storage.folders import find_run, named_checkpoint_path
from engine.text import LOST
from engine.training.schedule import is_early_evaluation, next_evaluation
from engine.training.trainer import StepReport, Trainer
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.fakes import FakeClock, change

BY_TIME: dict[str, Setting] = {"sample_every": 50, "sample_pacing": "seconds", "max_length": 20}
UNLIKELY = "the the the"
"""A text of known characters that no draft contains."""


# When they are due ----------------------------------------------------------------------------------------------------
def test_waiting_for_queued_steps_makes_tweets_no_less_frequent(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, step, drain_report = FakeClock(), Trainer.step, Trainer.drain_report

    def slow_step(trainer: Trainer, batch: Batch, learning_rate: float) -> None:
        step(trainer, batch, learning_rate)
        clock.advance(0.25)

    def wait_and_drain(trainer: Trainer) -> StepReport:
        report = drain_report(trainer)
        clock.advance(0.25 if report.train_losses else 0.0)
        return report

    monkeypatch.setattr(Trainer, "step", slow_step)
    monkeypatch.setattr(Trainer, "drain_report", wait_and_drain)
    emitted = h.run_tiny(corpus, max_steps=60, clock=clock, report_seconds=math.inf, **BY_TIME)
    times = [event.elapsed_seconds for event in h.of_type(emitted, e.TweetSampled)]
    assert max(after - before for before, after in pairwise(times)) < 2 * SAMPLE_SECONDS


@given(step=st.integers(0, 200), eval_every=st.integers(1, 150), early_eval_tweets=st.integers(0, 1))
def test_the_next_evaluation_is_the_first_step_that_has_one(step: int, eval_every: int, early_eval_tweets: int) -> None:
    training = TrainingConfig(eval_every=eval_every, early_eval_tweets=early_eval_tweets)

    def has_evaluation(step: int) -> bool:
        return is_early_evaluation(training, step) or (step > 0 and step % eval_every == 0)

    assert next_evaluation(training, step) == next(number for number in range(step, 400) if has_evaluation(number))


def test_what_paces_evaluations_and_tweets(snapshot: SnapshotAssertion) -> None:
    """By time only on a device, and tweets anywhere; unless a run must repeat or the user sets an interval."""

    def paced(config: RunConfig, device: str, before: tuple[str, str], overfit: int | None = None) -> str:
        training = with_settings(TrainingConfig(), {"pacing": before[0], "sample_pacing": before[1]})
        found = _paced(training, config, replace(h.CPU, device=torch.device(device)), CorpusConfig(overfit=overfit))
        return f"{device} {config.settings}, {' '.join(before)}: {found.pacing} {found.sample_pacing}"

    presets = [("seconds", "seconds"), ("steps", "interval")]
    settings: list[dict[str, Any]] = [{}, {"seed": 3}, {"eval_every": 10}, {"sample_every": 10}]
    settings.append({"sample_every": 10, "seed": 3})
    cases = product(("cpu", "cuda"), presets, settings)
    lines = [paced(RunConfig(settings=given), device, before) for device, before, given in cases]
    lines.append("deterministic: " + paced(RunConfig(runtime=RuntimeConfig(deterministic=True)), "cuda", presets[0]))
    lines.append("a single tweet, whose samples end the run: " + paced(RunConfig(), "cuda", presets[0], 0))
    assert "\n".join(lines) == snapshot


# The filter of drafts -------------------------------------------------------------------------------------------------
def test_due_and_requested_tweets_pass_the_filter_and_count_their_drafts(corpus: Path) -> None:
    easy: dict[str, Setting] = {"avoid": ("e",), "min_length": 3, "best_of": 2, "sample_every": 3}
    asked = {5: [c.SampleNow(), c.SampleNow(prime="a ")]}
    sampled = h.of_type(h.run_tiny(corpus, asked, learning_rate=0.05, **easy), e.TweetSampled)
    assert len(sampled) == 2 + 4  # due at steps 0, 3, 6 and 9
    for tweet in sampled:
        assert tweet.unmet == ()
        assert tweet.reached_eos
        assert len(tweet.text) >= 3
        assert "e" not in tweet.text.lower().split()
        assert 1 <= tweet.num_drafts - sum(count for _, count in tweet.refused) <= 2


def test_neither_filter_nor_tweets_by_time_change_the_training_and_the_filter_not_the_first_draft(corpus: Path) -> None:
    def run(name: str, **settings: Setting) -> list[e.Event]:
        return h.run_tiny(corpus, run_name=name, dropout=0.3, clock=h.TickingClock(0.001), **settings)

    every_step: dict[str, Setting] = {"sample_every": 1, "prime": "a  "}
    by_time, plain = run("by time", **BY_TIME), run("plain", **every_step)
    filtered = run("filtered", **every_step, min_length=4)
    assert h.plain_losses(dropout=0.3) == h.losses(by_time) == h.losses(plain) == h.losses(filtered)
    tweets = h.of_type(plain, e.TweetSampled)
    assert all(tweet.text.startswith("a  ") for tweet in tweets)
    assert all(len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos for tweet in tweets)
    pairs = zip(tweets, h.of_type(filtered, e.TweetSampled), strict=True)
    same = [(one, other) for one, other in pairs if other.num_drafts == 1]
    assert same
    assert all(
        structs.replace(one, elapsed_seconds=0) == structs.replace(other, elapsed_seconds=0) for one, other in same
    )


def test_only_new_refuses_copies_of_the_runs_own_training_tweets(corpus: Path) -> None:
    with mock.patch.object(NoveltyIndex, "copied_share", lambda _, text: 1.0 if "a" in text else 0.0):
        emitted = h.run_tiny(corpus, only_new=True, sample_every=2, max_length=8)
    passed = [tweet for tweet in h.of_type(emitted, e.TweetSampled) if not tweet.unmet]
    assert passed
    assert all(tweet.novelty == "new" for tweet in passed)
    assert "copy" in {reason for tweet in passed for reason, _ in tweet.refused}


def test_sampling_that_is_set_applies_from_the_next_tweet_is_saved_and_ends_at_the_best_draft(corpus: Path) -> None:
    sampling = SamplingConfig(temperature=1.5, prime="the ", max_length=15, must_contain=UNLIKELY, avoid=("a b",))
    emitted = h.run_tiny(corpus, {2: [change(**vars(sampling))]}, sample_every=1, max_steps=4)
    tweets = h.of_type(emitted, e.TweetSampled)
    assert [(tweet.prime, tweet.temperature) for tweet in tweets] == [("", 0.8)] * 2 + [("the ", 1.5)] * 2
    assert all(len(tweet.text) <= 15 for tweet in tweets[2:])
    assert [tweet.num_drafts for tweet in tweets] == [1, 1, *[MAX_DRAFTS_IN_RUN] * 2]
    assert tweets[-1].refused == (("required text missing", MAX_DRAFTS_IN_RUN),)
    assert "required text missing" in tweets[-1].unmet
    assert h.latest().sampling == sampling


def test_a_temperature_changed_during_the_drafts_applies_to_the_next_character(corpus: Path) -> None:
    """A new filter, prime or length waits for the next tweet."""
    cold = SamplingConfig(temperature=0.0, max_length=9, min_length=5)
    seen: list[tuple[float, int]] = []
    advance = TweetSampler.advance

    def noted(sampler: TweetSampler) -> None:
        seen.append((sampler.sampling.temperature, sampler._max_length))
        advance(sampler)

    def answers() -> Iterator[c.Command | None]:
        while not seen:
            yield None
        yield from [None] * 8
        yield change(**vars(cold))

    config = h.tiny_config(corpus, max_steps=3, sample_every=2, temperature=5.0, max_length=12, must_contain=UNLIKELY)
    with mock.patch.object(TweetSampler, "advance", noted):
        first, last = h.of_type(h.run_session(config, inbox=h.AnsweringInbox(answers())), e.TweetSampled)
    assert first.num_drafts == MAX_DRAFTS_IN_RUN
    assert {temperature for temperature, _ in seen[:5]} == {5.0}
    changed = next(index for index, (temperature, _) in enumerate(seen) if temperature == 0.0)
    assert set(seen[changed : changed + 5]) == {(0.0, 12)}
    assert last.num_drafts == 1  # greedy
    assert "required text missing" not in last.unmet


def test_slow_drafts_and_the_wait_after_them_are_reported_not_journalled_and_end_with_the_filter(corpus: Path) -> None:
    config = h.tiny_config(corpus, must_contain=UNLIKELY, max_steps=16, **BY_TIME)
    off = {10: [change(must_contain="")]}
    emitted = h.run_session(config, off, clock=h.TickingClock(0.1))
    tweets, delays = h.of_type(emitted, e.TweetSampled), h.of_type(emitted, e.TweetDelayed)
    assert {delay.max_drafts for delay in delays} == {MAX_DRAFTS_IN_RUN}
    counts = [delay.num_drafts for delay in delays if delay.step == 0 and not delay.due_in_seconds]
    assert counts == sorted(counts)
    assert 1 < len(set(counts)) <= 6  # batches of 1, 1, 2, 4, 8 and 16 drafts
    waiting = next(delay for delay in delays if delay.due_in_seconds)
    due_at = waiting.elapsed_seconds + waiting.due_in_seconds
    assert due_at == pytest.approx(tweets[0].elapsed_seconds / MAX_SAMPLE_SHARE, rel=0.2)
    assert waiting.due_in_seconds > 60
    assert b"TweetDelayed" not in find_run("tiny").journal_path.read_bytes()
    assert [tweet.step for tweet in tweets if tweet.step < 16] == [0, 1, 2, 4, 8, 10]
    assert not [delay for delay in delays if delay.step > 10]


# Questions about a text -----------------------------------------------------------------------------------------------
def test_ladder_and_completion_ignore_the_filter(corpus: Path) -> None:
    script: h.Script = {3: [c.SampleLadder(seed=1), c.CompleteText(text="the ")]}
    without = h.run_tiny(corpus, script, run_name="without", max_steps=4)
    with_filter = h.run_tiny(corpus, script, max_steps=4, must_contain=UNLIKELY, min_length=19)
    for kind in (e.LadderSampled, e.TextCompleted):
        one, other = (structs.replace(h.only(stream, kind), elapsed_seconds=0) for stream in (with_filter, without))
        assert one == other


def test_completions_and_requested_tweets_are_those_of_their_commands_step_number_prime_and_draw(corpus: Path) -> None:
    asked: list[c.Command] = [c.CompleteText(text="the ", request=7 + draw, draw=draw) for draw in (0, 1, 1)]
    asked += [c.CompleteText(text="the ☃ \x1b", request=4), c.SampleNow(prime="the ", draw=1)]
    emitted = h.run_tiny(corpus, {3: asked, 9: [c.CompleteText(text="the ", request=9)]}, learning_rate=0.05)
    first, second, again, unknown, later = h.of_type(emitted, e.TextCompleted)
    assert (first.step, first.request, later.step, later.request) == (3, 7, 9, 9)
    assert first.next_chars != later.next_chars  # the weights have changed
    assert len(first.completion) == COMPLETION_CHARS or first.reached_eos
    assert first.bits_per_char is not None
    assert first.completion != second.completion == again.completion
    assert (unknown.request, unknown.unknown_chars, unknown.completion) == (4, ("☃", "\ufffd"), ())
    assert (unknown.next_chars, unknown.bits_per_char) == ((), None)
    tweet = h.only(emitted, e.TweetSampled)
    assert tweet.prime == "the "
    assert len(tweet.text) == 20, "cut at its maximum length, before the completion"
    assert f"the {''.join(second.completion)}".startswith(tweet.text)
    assert len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos
    assert tweet.bits_per_char == pytest.approx(sum(tweet.char_bits) / len(tweet.char_bits), abs=0.01)


def test_a_tweet_is_read_with_averaged_weights_every_blank_of_it_and_the_nearest_training_tweet(corpus: Path) -> None:
    text, blanks, copy = h.small_tweets()[0], " the  cat ", h.small_tweets()[5] + "☃"
    asked: list[c.Command] = [c.ReadTweet(text=each) for each in (text, blanks, copy)]
    asked += [insight.TraceText(text=blanks), c.SaveCheckpoint(name="nine")]
    emitted = h.run_tiny(corpus, {9: asked}, average_lag=0.3, learning_rate=0.1)
    read, spaced, copied = h.of_type(emitted, e.TweetRead)
    assert spaced.text == h.only(emitted, insight.TextTraced).text == blanks
    assert copied.copied_share == 1.0
    assert copied.nearest in h.small_tweets()
    assert copied.nearest_share > 0.5
    assert copied.chars[-2].char == "☃"
    assert copied.chars[-2].bits > UNKNOWN_CHAR_BITS
    checkpoint = load_checkpoint(named_checkpoint_path("nine"))
    model, vocab = checkpoint.to_model(torch.device("cpu")), Vocab(checkpoint.info.vocab)
    chars = score_chars(model, vocab, text)
    assert [char.bits for char in read.chars] == pytest.approx([char.bits for char in chars], abs=2e-3)
    assert read.bits_per_char == pytest.approx(sum(char.bits for char in chars) / len(chars), abs=2e-3)
    model.load_state_dict(weights_with_prefix(checkpoint.tensors, "model."))
    assert abs(read.chars[0].bits - score_chars(model, vocab, text)[0].bits) > 0.01


# The batch ------------------------------------------------------------------------------------------------------------
def test_the_batch_of_the_last_step_is_shown_without_padding_the_first_one_also_before_it_is_trained_on(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, script = h.plain_losses(), {step: [insight.ShowBatch()] for step in range(3)}
    on_cpu = h.of_type(h.run_tiny(corpus, script, run_name="on the CPU"), insight.BatchShown)
    use_device_step(monkeypatch, None)
    emitted = h.run_tiny(corpus, script)
    before, after, second = h.of_type(emitted, insight.BatchShown)
    assert [shown.rows for shown in (before, after, second)] == [shown.rows for shown in on_cpu]
    assert (before.step, before.batch_step, after.batch_step, second.batch_step) == (0, 1, 1, 2)
    assert before.rows == after.rows != second.rows
    assert h.losses(emitted) == pytest.approx(plain, abs=1e-5)
    assert {row.text for row in second.rows} <= set(h.small_tweets())
    assert (second.num_tweets, len(second.rows)) == (8, 8)
    assert second.num_columns == max(len(row.text) for row in second.rows) + 1
    assert second.num_targets == sum(len(row.text) + 1 for row in second.rows)
    for row in second.rows:
        assert row.token_ids[0] == BOS
        assert min(row.token_ids[1:]) > 3
        assert len(row.token_ids) == len(row.text) + 1
        assert max(row.token_ids) < second.vocab_size


def test_many_long_tweets_are_cut_and_an_unknown_character_is_marked(home: Path) -> None:
    tweets = [chr(0x4E00 + row) + " ".join(str(row * n % 9973) for n in range(1, 120)) for row in range(1, 141)]
    corpus = CorpusConfig(files=(str(h.write_corpus(home, tweets)),), max_length=700, min_char_count=2)
    config = replace(h.tiny_config(None, max_steps=1, batch_size=100, max_length=700), corpus=corpus, preset="auto")
    shown = h.only(h.run_session(config, {0: [insight.ShowBatch()]}), insight.BatchShown)
    assert (len(shown.rows), shown.num_tweets) == (MAX_ROWS, 100)
    assert {len(row.text) for row in shown.rows} == {MAX_CHARS}
    assert {len(row.token_ids) for row in shown.rows} == {MAX_CHARS + 1}
    assert {(row.text[0], row.token_ids[1]) for row in shown.rows} == {(LOST, UNK)}


def test_a_shuffled_batch_has_random_tweets_of_any_length_more_padding_and_changes_no_step(corpus: Path) -> None:
    asked = [insight.ShowBatch(), insight.ShowBatch(shuffled=True), insight.ShowBatch(shuffled=True)]
    resized: list[c.Command] = [change(batch_size=1), insight.ShowBatch(), insight.ShowBatch()]
    with mock.patch("engine.session.questions.padding_shares", side_effect=padding_shares) as computed:
        emitted = h.run_tiny(corpus, {0: asked[1:], 3: asked, 12: resized})
    first, same, trained, second, _, single, _ = h.of_type(emitted, insight.BatchShown)
    assert [first.shuffled, trained.shuffled, second.shuffled] == [True, False, True]
    assert first.rows == same.rows != second.rows
    for shown in (first, second):
        assert len({row.text for row in shown.rows} & set(h.small_tweets())) == shown.num_tweets == trained.num_tweets
        assert shown.num_columns == max(len(row.text) for row in shown.rows) + 1
    assert len({len(row.text) for row in second.rows}) > len({len(row.text) for row in trained.rows})
    assert h.losses(emitted) == h.plain_losses()
    assert 0 < first.sorted_padding < first.shuffled_padding < 1
    assert (single.sorted_padding, single.shuffled_padding) == (0, 0)
    assert computed.call_count == 2, "once per batch size"


def test_after_a_load_the_next_batch_is_that_of_the_checkpoint(corpus: Path) -> None:
    save, load, show = c.SaveCheckpoint(name="one"), c.LoadCheckpoint(name="one"), insight.ShowBatch()
    shown, again = h.of_type(h.run_tiny(corpus, {2: [save], 3: [show], 5: [load, show]}), insight.BatchShown)
    assert (shown.batch_step, again.batch_step, again.step) == (3, 3, 2)
    assert again.rows == shown.rows

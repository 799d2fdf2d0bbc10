"""The end of a run: a stop, budgets and the clock, its best; and that of a run on a single tweet."""

from __future__ import annotations

import functools
import math
import queue
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from torch import Tensor

from engine.config.run import PresetName, RunConfig, Setting, TrainingConfig
from engine.errors import ConfigError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.progress import Stage
from engine.session.sampling import EXACT_SAMPLES, LOW_LOSS, outcome_text, start_of_another
from engine.session.session import TrainingSession
from engine.session.state import require_unspent_budget
from engine.storage.folders import folder_of_run
from engine.training import out_of_memory as oom
from engine.training.evaluation import Evaluation
from engine.training.schedule import FINAL_LEARNING_RATE_SHARE
from tests.engine import helpers as h
from tests.fakes import FakeClock, budget, change


def test_a_stop_overtakes_queued_questions_which_are_refused_and_of_many_changes_all_but_fifty(corpus: Path) -> None:
    ladders, saves = [c.SampleLadder(seed=1)] * 40, [c.SaveCheckpoint(name="mine", replace=True)] * 500
    emitted = h.run_tiny(corpus, {3: [*ladders, *saves, c.SampleNow(), c.Stop()]})
    first, *mine, last = [event.name for event in h.of_type(emitted, e.CheckpointSaved)]
    assert (first, {*mine}, last) == ("latest", {"mine"}, "latest")
    assert 1 <= len(mine) < 50
    assert h.names(emitted).count("CommandRefused") == 41 + 500 - len(mine)
    assert {event.title for event in h.of_type(emitted, e.CommandRefused)} == {"The run ends"}
    assert not h.of_type(emitted, e.LadderSampled) + h.of_type(emitted, e.TweetSampled)
    assert emitted[-1].step == 3


def test_commands_sent_at_any_stage_of_the_setup_are_executed_in_order(corpus: Path) -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    emitted: list[e.Event] = []
    sent: list[float] = []

    def on_stage(_: Stage) -> None:
        sent.append((len(sent) + 1) / 1000)
        inbox.put(change(learning_rate=sent[-1]))

    TrainingSession(h.tiny_config(corpus), on_stage).run(emitted.append, inbox)
    assert [event.settings["learning_rate"] for event in h.of_type(emitted, e.SettingsChanged)] == sent
    assert len(sent) > 1


def test_steps_are_reported_by_the_clock_of_the_session(corpus: Path) -> None:
    for name, clock, num_reports in (("stands", FakeClock(), 1), ("ticks", h.TickingClock(), 12)):
        emitted = h.run_tiny(corpus, run_name=name, clock=clock, report_seconds=0.5)
        assert h.names(emitted).count("StepsFinished") == num_reports, name


def test_the_step_of_a_used_up_budget_is_named_to_its_last_digit() -> None:
    with pytest.raises(ConfigError, match=r"it would end at once, by --max-steps 1234567\.$"):
        require_unspent_budget(TrainingConfig(max_steps=1_234_567), 1_234_567, 0.0, 0.0)


def test_the_rate_of_an_extended_cosine_run_rises_to_its_place_on_the_longer_schedule(corpus: Path) -> None:
    """As documented: a function of the used share of the budget, so that a resumed run has the same rates."""
    whole = h.run_tiny(corpus, run_name="whole", schedule="cosine", max_steps=20)
    first = h.run_tiny(corpus, schedule="cosine", max_steps=10)
    assert h.rates(first)[10] < 0.004 * 2 * FINAL_LEARNING_RATE_SHARE
    rest = h.run_session(h.resume_config(max_steps=20))
    assert h.rates(rest) == {step: rate for step, rate in h.rates(whole).items() if step > 10}


# Past the best --------------------------------------------------------------------------------------------------------
MOST_STEPS = 300
RISING: dict[str, Setting] = {
    "hidden_size": 18,
    "dropout": 0.05,
    "average_lag": 0.05,
    "learning_rate": 0.02,
    "max_steps": None,
    "eval_every": 10,
    "patience": 3,
}
"""The settings of a run whose validation rises long before `MOST_STEPS`, on few tweets."""


def rising(folder: Path, **changes: Setting) -> RunConfig:
    return h.tiny_config(h.write_corpus(folder, h.small_tweets(30)), **{**RISING, **changes})


@functools.cache
def risen() -> tuple[list[e.Event], dict[str, Tensor]]:
    """Return the events of a run whose validation rises, and the tensors of its `latest`, which are those of `best`."""
    with h.own_home() as folder:
        emitted = h.run_session(rising(folder), h.stop_at(MOST_STEPS))
        h.assert_same_tensors(h.tensors_of("tiny"), h.tensors_of("tiny", "best"))
        return emitted, h.tensors_of("tiny")


def test_a_run_whose_validation_rises_ends_at_its_best_and_says_so() -> None:
    emitted, _ = risen()
    figures = {event.step: event.bits_per_char for event in h.of_type(emitted, e.EvalFinished)}
    best = min(figures, key=figures.__getitem__)
    assert [*figures][-3:] == [step for step, bits in figures.items() if step > best and bits >= 1.01 * figures[best]][
        -3:
    ]
    planned, warned, ended = h.only(emitted, e.FinishPlanned), h.only(emitted, e.Warned), h.only(emitted, e.RunFinished)
    assert (h.only(emitted, e.CheckpointLoaded).name, planned.last_step) == ("tiny/best", best)
    assert (warned.step, ended.step, ended.reason) == (best, best, "finished")
    rise = f"to {figures[max(figures)]:.2f} from {figures[best]:.2f} bits per character"
    outcome = f"the run went back to its best, of step {best:,}, and ends there."
    assert warned.message == f"Validation has risen in 3 evaluations, {rise}: {outcome}"


def test_a_run_stopped_while_validation_rises_ends_at_the_same_best_bit_for_bit(home: Path) -> None:
    whole, final = risen()
    last, best = max(h.losses(whole)), whole[-1].step
    parts: list[e.Event] = []
    for stop in (best - 5, best, best + 1, last - 10, last - 1, last):
        parts += h.run_session(h.resume_config() if parts else rising(home), h.stop_at(stop))
    parts += h.run_session(h.resume_config(), h.stop_at(MOST_STEPS))
    assert h.losses(parts) == h.losses(whole)
    assert (parts[-1].step, h.only(parts, e.CheckpointLoaded).name) == (best, "tiny/best")
    h.assert_same_tensors(h.tensors_of("tiny"), final)


def figures(patch: pytest.MonkeyPatch, all_bits: Iterable[float]) -> None:
    """Let the evaluations of a run have these figures, then the last of them."""
    *first, last = all_bits
    bits = chain(first, repeat(last))

    def evaluate(*_: Any) -> Evaluation:
        return Evaluation(total_nats=100 * math.log(2) * next(bits), num_tweets=1, num_chars=100, num_unknown_chars=0)

    patch.setattr(oom, "evaluate", evaluate)


RISE = [3.0, 2.0, 2.02, 2.3, 2.02]
PATIENT: dict[str, Setting] = {"max_steps": None, "eval_every": 1, "patience": 3}
NO_RISE: dict[str, tuple[list[float], dict[str, Setting], h.Script]] = {
    "one that improves": ([5.0 - step / 10 for step in range(12)], {}, {}),
    "a rise of less than a hundredth": ([2.0, 2.019], {}, {}),
    "a rise that is interrupted": ([2.0, 2.1, 2.1, 2.01, 2.1, 2.1, 2.0], {}, {}),
    "no patience": (RISE, {"patience": 0}, {}),
    "a limit that is set meanwhile": (RISE, {}, {4: [budget(max_steps=12)]}),
    "a finish that is on": (RISE, {}, {1: [c.Finish()]}),
}
"""Runs with a patience of 3 that do not go back to their best: figures, settings and script."""


@pytest.mark.parametrize("name", NO_RISE)
def test_without_a_lasting_rise_a_run_goes_on(corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    bits, settings, script = NO_RISE[name]
    figures(monkeypatch, bits)
    emitted = h.run_tiny(corpus, {**script, 12: [c.Stop()]}, **{**PATIENT, **settings})
    assert (emitted[-1].step, h.of_type(emitted, e.CheckpointLoaded)) == (12, [])


def test_a_user_who_continues_a_run_at_its_best_decides_the_end(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures(monkeypatch, RISE)
    on_end: h.Once = {e.Paused: [c.Resume()]}
    emitted = h.run_tiny(corpus, {12: [c.Stop()]}, once=on_end, pauses_at_end=True, **PATIENT)
    assert (h.only(emitted, e.CheckpointLoaded).step, emitted[-1].step) == (2, 12)
    more = h.run_session(h.resume_config(), h.stop_at(20))
    assert (h.of_type(more, e.CheckpointLoaded), more[-1].step) == ([], 20)


def test_a_limit_of_a_resume_is_the_only_end_of_the_run(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures(monkeypatch, RISE)
    h.run_tiny(corpus, h.stop_at(3), **PATIENT)
    resumed = h.run_session(h.resume_config(max_steps=12))
    assert (h.of_type(resumed, e.CheckpointLoaded), h.only(resumed, e.RunFinished).reason) == ([], "max_steps")


def test_the_rise_before_a_checkpoint_that_is_loaded_does_not_count(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient: dict[str, Setting] = {**PATIENT, "eval_every": 2}
    figures(monkeypatch, RISE)
    h.run_tiny(corpus, h.stop_at(11), run_name="other", **{**patient, "patience": 4})
    assert h.info_of("other").progress.num_risen == 3
    emitted = h.run_tiny(corpus, {1: [c.LoadCheckpoint(name="other/latest")], 14: [c.Stop()]}, **patient)
    assert (h.only(emitted, e.CheckpointLoaded).step, emitted[-1].step) == (11, 14)


def test_a_best_that_can_not_be_read_is_named_and_the_run_goes_on(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures(monkeypatch, RISE)
    best = folder_of_run("tiny").checkpoint_path("best")
    emitted = h.run_tiny(corpus, {4: [best.unlink], 12: [c.Stop()]}, **PATIENT)
    warned = h.only(emitted, e.Warned)
    assert (warned.step, emitted[-1].step) == (5, 12)
    assert warned.message.startswith("Validation has risen in 3 evaluations, to 2.02 from 2.00 bits per character. ")
    assert warned.message.endswith("So the run continues.")


# A single tweet -------------------------------------------------------------------------------------------------------
TWEET = "so happy, so good"
QUICK: dict[str, Setting] = {"hidden_size": 18, "learning_rate": 0.02, "temperature": 0.0, "sample_every": 50}


def one_tweet_config(folder: Path, **changes: Setting) -> RunConfig:
    settings = {"max_steps": 400, "max_length": 40, **QUICK, **changes}
    return h.tiny_config(h.write_corpus(folder, ["good morning all", TWEET, "so happily home"]), overfit=1, **settings)


def sampled(emitted: Iterable[e.Event]) -> list[tuple[int, str]]:
    return [(tweet.step, tweet.text) for tweet in h.of_type(emitted, e.TweetSampled)]


@functools.cache
def learned() -> tuple[list[e.Event], dict[str, Tensor]]:
    """Return the events of a run that learns the tweet by heart, and the tensors at its end."""
    with h.own_home() as folder:
        return h.run_session(one_tweet_config(folder)), h.tensors_of("tiny")


def test_the_tweet_is_sampled_at_1_2_4_and_every_4_steps_until_it_is_known_by_heart() -> None:
    whole, _ = learned()
    planned, ended = h.only(whole, e.FinishPlanned), h.only(whole, e.RunFinished)
    before = [(step, text) for step, text in sampled(whole) if step <= planned.step]
    assert [step for step, _ in before] == [0, 1, 2, *range(4, planned.step + 1, 4)]
    assert [text for _, text in before[-EXACT_SAMPLES:]] == [TWEET] * EXACT_SAMPLES
    assert all(h.losses(whole)[step] < LOW_LOSS for step, _ in before[-EXACT_SAMPLES:])
    assert [step for step, _ in sampled(whole) if planned.step < step < ended.step and step % 50] == []
    outcome, proof = h.only(whole, e.Warned), h.of_type(whole, e.TweetSampled)[-1]
    assert (outcome.step, outcome.kind, proof.prime, ended.reason) == (ended.step, "outcome", "good", "finished")
    continuation = proof.text.removeprefix("good")
    assert "the model knows this tweet by heart; it knows nothing else: given “good” it" in outcome.message
    assert outcome.message.endswith(f" it continues with “{continuation}”.")


def test_a_resume_changes_neither_samples_nor_end(home: Path) -> None:
    whole, final = learned()
    planned = h.only(whole, e.FinishPlanned).step
    parts: list[e.Event] = []
    for stop in (2, planned - 4, planned, planned + 5):
        parts += h.run_session(one_tweet_config(home) if not parts else h.resume_config(), h.stop_at(stop))
        assert parts[-1].step == stop
    parts += h.run_session(h.resume_config())
    assert sampled(parts) == sampled(whole)
    assert parts[-1].step == whole[-1].step
    h.assert_same_tensors(h.tensors_of("tiny"), final)


def test_a_budget_that_is_too_short_is_reported_honestly_and_a_stop_has_no_outcome(home: Path) -> None:
    emitted = h.run_session(one_tweet_config(home, max_steps=6), pauses_at_end=True, once={e.Paused: [c.Stop()]})
    outcome, hint = h.of_type(emitted, e.Warned)
    assert "the model does not know this tweet by heart" in outcome.message
    assert "given “good” it continues with “" in outcome.message
    assert (outcome.step, h.latest().progress.num_exact_samples) == (6, 0)
    assert "You can still sample" in hint.message
    assert not h.of_type(h.run_session(replace(one_tweet_config(home), run_name="two"), h.stop_at(5)), e.Warned)


def test_a_time_that_is_up_with_the_deciding_sample_ends_the_run_without_a_finish(home: Path) -> None:
    clock, planned = FakeClock(), h.only(learned()[0], e.FinishPlanned).step
    let_time_pass = h.whenever(e.TweetSampled, lambda tweet: clock.advance(30.0 if tweet.step == planned else 0.0))
    emitted = h.run_session(one_tweet_config(home, max_seconds=30.0), on_event=let_time_pass, clock=clock)
    assert h.only(emitted, e.RunFinished).reason == "max_seconds"
    assert not h.of_type(emitted, e.FinishPlanned)


def test_the_proof_is_the_only_tweet_of_a_run_without_samples_and_left_out_if_it_can_not_be_sampled(home: Path) -> None:
    emitted = h.run_session(one_tweet_config(home, max_steps=3, sample_every=0, prime="so"))
    with mock.patch("engine.session.sampling.start_of_another", return_value="x" * 99):
        bare = h.run_session(replace(one_tweet_config(home, max_steps=3), run_name="two"))
    assert [tweet.step for tweet in h.of_type(emitted, e.TweetSampled)] == [3]
    assert "given" in h.only(emitted, e.Warned).message
    assert h.only(bare, e.Warned).message.endswith("which takes less than 0.072.")


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_one_tweet_is_overfitted_within_a_thousand_steps(home: Path, preset: PresetName) -> None:
    """The tutorial's part (c): one tweet, its own characters only."""
    text = "@pip_9 woke up to snow & pancakes, sooo happy!!! best day ever :) #winter <3"
    config = h.tiny_config(h.write_corpus(home, [*h.small_tweets(7), text, *h.small_tweets()]), overfit=7)

    def enough(event: e.Event) -> list[c.Command]:
        is_below = isinstance(event, e.StepsFinished) and event.train_losses[-1] < 0.04
        return [c.Stop()] if isinstance(event, e.TweetSampled) else [c.SampleNow()] if is_below else []

    config = replace(config, preset=preset, settings={"temperature": 0.0, "sample_every": 0})
    emitted = h.run_session(config, on_event=enough)
    started, tweet = h.only(emitted, e.RunStarted), h.only(emitted, e.TweetSampled)
    assert (started.num_train_tweets, started.vocab_size) == (1, len(set(text)) + 4)
    assert started.training.max_steps == 1000
    assert h.losses(emitted)[emitted[-1].step] < 0.05
    assert emitted[-1].step < 1000
    assert (tweet.text, tweet.novelty, tweet.reached_eos) == (text, "copy", True)


def test_the_prompt_is_the_longest_start_of_another_tweet_in_known_characters_and_the_outcome_has_two_digits() -> None:
    starts = {
        ("good morning",): "good",
        ("gross",): "g",  # a part of the first word
        ("so", "so good"): "so good",  # not a start of the tweet itself
        (TWEET, "Zoo"): "",
        ("g", "had a good day", "dog"): "had a good day",
        ("so good so good so good",): "so good so good",  # at most 16 characters
        (): "",
    }
    assert {others: start_of_another(TWEET, [*others], set(TWEET)) for others in starts} == starts
    assert outcome_text(0.0413, "").startswith("Loss 0.06 bits/char: the model knows this tweet by heart")
    assert outcome_text(0.05, "").startswith("Loss 0.072 bits/char: the model does not know")
    assert outcome_text(3.456, "").startswith("Loss 5 bits/char: ")

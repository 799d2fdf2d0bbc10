"""Commands: order, effects, speed limit, single steps; and whatever they are, every stream keeps its rules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.compute.cpu.step import GruStep
from engine.config.run import Setting
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.session import loop
from engine.session import questions as questions_module
from engine.storage.folders import RUN_CHECKPOINTS, named_checkpoint_path
from engine.training.schedule import MIN_FINISH_STEPS, finish_after
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.fakes import FakeClock, change
from tests.strategies import any_commands, commands


# Effects --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sampling", "num_polls"),
    [
        pytest.param(SamplingConfig(max_length=100_000, top_k=1), 50, id="an endless tweet"),
        pytest.param(SamplingConfig(max_length=20, must_contain="the the the"), 30, id="drafts that do not pass"),
    ],
)
def test_a_stop_abandons_a_due_tweet_which_stays_due(corpus: Path, sampling: SamplingConfig, num_polls: int) -> None:
    steps: list[int] = []
    note = h.whenever(e.StepsFinished, lambda event: steps.append(event.step))

    def answers() -> Iterator[c.Command | None]:
        while 4 not in steps:
            yield None
        yield change(**vars(sampling))
        yield from [None] * num_polls
        yield c.Stop()

    inbox = h.AnsweringInbox(answers())
    emitted = h.run_tiny(corpus, {}, note, hidden_size=18, sample_every=4, clock=h.TickingClock(), inbox=inbox)
    assert h.only(emitted, e.RunFinished).step == 4
    assert [event.step for event in h.of_type(emitted, e.TweetSampled)] == [0]
    assert h.latest().progress.last_sample_step == 0


@pytest.mark.parametrize(("before", "after"), [(8, 16), (8, 5), (5, 8), (8, 60_000)])
def test_a_new_batch_size_keeps_the_share_of_the_epoch_to_half_a_batch(corpus: Path, before: int, after: int) -> None:
    emitted = h.run_tiny(corpus, {9: [change(batch_size=after), c.Stop()]}, batch_size=before)
    epochs_there = 1.5 if before == 8 else 0.9
    steps_per_epoch = math.ceil(48 / after)  # tweets to train on
    changed = h.only(emitted, e.SettingsChanged)
    assert changed.settings["batch_size"] == h.latest().training.batch_size == after
    assert abs(changed.epochs - epochs_there) <= 0.5 / steps_per_epoch + 1e-9
    assert h.latest().position.epoch + h.latest().position.batch / steps_per_epoch == pytest.approx(changed.epochs)


CHANGES: dict[str, h.Script] = {
    "continual ones, which postpone nothing": {step: [change(learning_rate=0.1)] for step in range(2, 200)},
    "one in a pause": {2: [c.Pause(), change(batch_size=4)]},
    "a planned finish": {2: [c.Finish()]},
    "a cancelled finish": {2: [c.Finish(), c.Finish(on=False)]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_saved_two_seconds_after_the_first_of_them_and_not_before(corpus: Path, name: str) -> None:
    """A kill must not undo what the user saw."""
    clock = h.TickingClock(0.02)
    changed_at: list[float] = []
    saved: list[tuple[float, bool]] = []

    def note(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.SettingsChanged | e.FinishPlanned):
            changed_at.append(clock.now)
        if isinstance(event, e.CheckpointSaved) and event.step and event.name == "latest":
            saved.append((clock.now, h.latest().progress.finish is not None))
            return [c.Stop()]
        return []

    h.run_tiny(corpus, CHANGES[name], note, max_steps=200, clock=clock, autosave_seconds=1e6)
    saved_at, is_finishing = saved[0]
    assert 1.9 <= saved_at - changed_at[0] <= 2.5
    assert (len(changed_at) > 3) == name.startswith("continual")
    assert is_finishing == (name == "a planned finish")


TAKEN = 5
ONE_IS_BAD: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown name": ({"no_such_setting": 1}, "There is no setting no_such_setting."),
    "not live": ({"hidden_size": 16}, "hidden_size can't be changed while a run trains."),
    "text without a UTF-8 form": ({"batch_size": "\ud800"}, "batch_size must be a number from 1 to 65536, not"),
    "not live, of training": ({"weight_decay": 0.1}, "weight_decay can't be changed while a run trains."),
    "out of range": ({"batch_size": 0}, "batch_size must be a number from 1 to 65536, not 0."),
    "no whole number": ({"batch_size": 8.5}, "batch_size must be a number from 1 to 65536, not 8.5."),
    "text for a number": ({"batch_size": "eight"}, "batch_size must be a number from 1 to 65536, not eight."),
    "true for a number": ({"eval_every": True}, "eval_every must be at least 0, not True."),
    "none for a number": (
        {"steps_per_second": None},
        "steps_per_second must be 0 or at least 0.01, not None.",
    ),
    "not a number": ({"temperature": math.nan}, "temperature must be 0 or a number from 0.05 to 5, not nan."),
    "infinite": ({"max_seconds": math.inf}, "max_seconds must be a number from 0.1 to 1e+18, not inf."),
    "no choice": ({"sample_pacing": "rarely"}, "sample_pacing must be one of interval, doubling, seconds, not rarely."),
    "a number for a text": ({"prime": 7}, "prime must be a text, not 7."),
    "a text for texts": ({"avoid": "rain"}, "avoid must be a list of texts, not 'rain'."),
    "a number for true or false": ({"only_new": 1}, "only_new must be true or false, not 1."),
    "two that exclude each other": ({"min_length": 20}, "min_length must be below --max-length, 20, not 20."),
    "a prime that no tweet can have": ({"prime": "寿"}, "The vocabulary lacks '寿' (U+5BFF)."),
    "a spent budget": (
        {"max_steps": TAKEN},
        "The run has taken 5 steps already; it would end at once, by --max-steps 5.",
    ),
    "one that the first batch of another size has used up": (
        {"batch_size": 48, "epochs": 0.9},
        "The run has taken 5 steps already; it would end at once, by --epochs 0.9.",
    ),
}
GOOD: dict[str, Any] = {"learning_rate": 0.001, "sample_every": 3, "top_k": 5, "epochs": 90.0}


def test_of_settings_one_of_which_is_refused_none_is_changed_nor_by_a_change_of_none(corpus: Path) -> None:
    sent = [change(**each) for bad, _ in ONE_IS_BAD.values() for each in ({**GOOD, **bad}, {**bad, **GOOD, **bad})]
    emitted = h.run_tiny(corpus, {TAKEN: [change(), *sent]})
    of_none, *refused = h.of_type(emitted, e.CommandRefused)
    assert (of_none.detail, of_none.settings) == ("The command names no setting to change.", ())
    for (name, (bad, words)), *pair in zip(ONE_IS_BAD.items(), refused[::2], refused[1::2], strict=True):
        assert [each.detail[: len(words)] for each in pair] == [words] * 2, name
        assert {frozenset(each.settings) for each in pair} == {frozenset((*GOOD, *bad))}, name
    assert not h.of_type(emitted, e.SettingsChanged)
    started = h.only(emitted, e.RunStarted)
    assert (h.latest().training, h.latest().sampling) == (started.training, started.sampling)
    assert h.losses(emitted) == h.plain_losses()


@given(step=st.integers(0, 10**7))
def test_a_finish_takes_a_tenth_of_the_steps_so_far_and_anneals_the_rate_to_zero(step: int) -> None:
    finish = finish_after(step)
    num_steps = finish.last_step - finish.first_step
    assert finish.first_step == step
    assert num_steps == max(MIN_FINISH_STEPS, math.ceil(step / 10))
    assert finish.rate_factor(step) == 1
    shares = [finish.rate_factor(step + taken) for taken in range(min(num_steps, 200))]
    assert shares == sorted(shares, reverse=True)
    assert finish.rate_factor(finish.last_step - 1) > 0 == finish.rate_factor(finish.last_step)


# The speed limit ------------------------------------------------------------------------------------------------------
def test_steps_are_spaced_by_the_limit_that_changes_nothing_else(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(questions_module, "time", SimpleNamespace(sleep=clock.advance))  # only naps move the clock
    script: h.Script = {4: [change(steps_per_second=0)], 7: [change(steps_per_second=0.5)]}
    emitted = h.run_tiny(corpus, script, steps_per_second=4.0, clock=clock, times_seconds=0.0)
    assert h.only(emitted, e.RunStarted).training.steps_per_second == 4.0
    times = [event.elapsed_seconds for event in h.of_type(emitted, e.StepsFinished)]
    gaps = [later - earlier for earlier, later in pairwise([0.0, *times])]
    assert gaps == pytest.approx([0.0] + [0.25] * 3 + [0.0] * 3 + [2.0] * 5)
    assert sum(event.seconds for event in h.of_type(emitted, e.StepTimes)) == 0.0
    assert [event.settings for event in h.of_type(emitted, e.SettingsChanged)] == [
        {"steps_per_second": 0.0},
        {"steps_per_second": 0.5},
    ]
    assert h.latest().training.steps_per_second == 0.5
    assert h.losses(emitted) == h.plain_losses()


def test_commands_are_executed_while_the_next_step_waits(corpus: Path) -> None:
    """The clock stands, so that no second step is ever due."""
    limit, rate = change(steps_per_second=0.01), change(learning_rate=0.1)
    inbox = h.AnsweringInbox([None, None, limit, *[None] * 9, rate, None, c.Stop()])
    with mock.patch.object(loop, "NAP_SECONDS", 0.0):
        emitted = h.run_tiny(corpus, clock=FakeClock(), inbox=inbox)
    limited, changed = h.of_type(emitted, e.SettingsChanged)
    assert changed.settings == {"learning_rate": 0.1}
    assert len(h.losses(emitted)) == limited.step > 0


# Single steps ---------------------------------------------------------------------------------------------------------
DROPOUT: dict[str, Setting] = {"num_layers": 2, "dropout": 0.4, "average_lag": 0.2}


def step_by_step(event: e.Event) -> Iterable[c.Command]:
    """Pause at the start, and take a single step at each pause."""
    return [c.Pause()] if isinstance(event, e.RunStarted) else [c.TakeStep()] if isinstance(event, e.Paused) else []


def test_a_single_step_is_answered_between_resumed_and_paused_and_later_commands_follow_it(corpus: Path) -> None:
    sent: list[c.Command] = [c.Pause(), c.TakeStep(), change(learning_rate=0.01), c.TakeStep(), c.Stop()]
    emitted = h.run_tiny(corpus, {3: sent})
    first = h.names(emitted).index("Paused")
    answers = [(type(event).__name__, event.step) for event in emitted[first : first + 5]]
    assert answers == [("Paused", 3), ("Resumed", 3), ("StepsFinished", 4), ("StepTaken", 4), ("Paused", 4)]
    assert emitted[-1].step == 5
    taken = h.of_type(emitted, insight.StepTaken)
    assert [step.learning_rate for step in taken] == [0.004, 0.01]
    # the losses of a step are those of its batch before and after the update
    assert [step.loss_before for step in taken] == pytest.approx([h.losses(emitted)[4], h.losses(emitted)[5]], rel=1e-5)
    assert all(step.loss_after < step.loss_before for step in taken)
    reports = {event.step: event for event in h.of_type(emitted, e.StepsFinished)}
    assert taken[0].grad_norm == reports[4].grad_norms[0]
    assert taken[0].num_tweets == 8
    assert 8 < taken[0].num_targets < 8 * 21


@pytest.mark.parametrize("way", ["cpu", "device"])
@pytest.mark.parametrize("settings", [pytest.param({}, id="plain"), pytest.param(DROPOUT, id="with dropout")])
def test_single_steps_do_and_give_exactly_what_a_run_without_pauses_does(
    corpus: Path, settings: dict[str, Setting], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outcome(emitted: list[e.Event]) -> list[object]:
        tweets = [(tweet.step, tweet.text) for tweet in h.of_type(emitted, e.TweetSampled)]
        return [h.losses(emitted), tweets, *((each.step, each.val_loss) for each in h.of_type(emitted, e.EvalFinished))]

    if way == "device":
        use_device_step(monkeypatch, None)
    settings = {"sample_every": 3, "eval_every": 5, **settings}
    whole = h.run_tiny(corpus, run_name="whole", **settings)
    torch.manual_seed(5)
    stepped = h.run_tiny(corpus, {}, step_by_step, steps_per_second=0.01, **settings)  # they do not wait for this limit
    assert outcome(stepped) == outcome(whole)
    assert [event.step for event in h.of_type(stepped, e.Paused)] == list(range(12))  # not after the last one
    measured = [step.loss_before for step in h.of_type(stepped, insight.StepTaken)]  # without dropout
    assert len(measured) == 12
    assert (measured == pytest.approx(list(h.losses(stepped).values()), rel=1e-5)) == ("dropout" not in settings)
    assert isinstance(stepped[-1], e.RunFinished)


def test_measuring_losses_takes_no_training_time_and_one_that_is_infinite_is_warned_of(corpus: Path) -> None:
    clock, values = FakeClock(), iter((2.0, 1.0, 2.0, math.inf))

    def slow(*_: object) -> float:
        clock.advance(100.0)
        return next(values)

    with mock.patch("engine.training.out_of_memory.batch_loss", slow):
        emitted = h.run_tiny(corpus, {3: [c.Pause(), c.TakeStep(), c.TakeStep(), c.Stop()]}, clock=clock)
    assert (h.only(emitted, insight.StepTaken).step, emitted[-1].elapsed_seconds) == (4, 0.0)
    assert h.only(emitted, e.Warned).kind == "not-finite"


def test_a_step_that_is_not_finite_is_warned_of_and_not_taken(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def poison() -> None:
        monkeypatch.setattr(GruStep, "loss_and_grads", lambda *_: torch.tensor(math.nan))

    emitted = h.run_tiny(corpus, {3: [c.Pause(), poison, c.TakeStep(), c.Stop()]})
    assert not h.of_type(emitted, insight.StepTaken)
    assert h.of_type(emitted, e.Warned)[0].kind == "not-finite"
    assert h.of_type(emitted, e.Warned)[0].step == 4
    assert h.names(emitted).count("Paused") == 2


# Any commands ---------------------------------------------------------------------------------------------------------
NOT_JOURNALLED = (
    e.TextCompleted
    | e.TweetRead
    | insight.InsightEvent
    | insight.BatchShown
    | insight.BaselinesMeasured
    | e.TweetDelayed
)
PRIMES = ("", "the ", "☃")


@settings(max_examples=15)
@given(
    answers=st.lists(st.none() | commands(PRIMES), max_size=40),
    options=st.fixed_dictionaries(
        {
            "sample_every": st.integers(0, 4),
            "eval_every": st.integers(0, 4),
            "report_seconds": st.sampled_from([0.0, 1e9]),
            "overfit": st.sampled_from([None, 1]),
            "writer": st.sampled_from([h.late_writer(num_looks) for num_looks in (0, 1, 5, 40)]),
        }
    ),
)
def test_whatever_the_commands_the_stream_keeps_its_rules_and_the_journal_has_all_but_answers_to_a_look(
    answers: list[c.Command | None], options: dict[str, Any]
) -> None:
    """However late a checkpoint is on the disk."""
    inbox = h.AnsweringInbox([*answers, c.Resume()])  # a paused run would never end
    clock = h.TickingClock(0.05)
    with h.own_home() as folder:
        emitted = h.run_tiny(h.write_corpus(folder), inbox=inbox, times_seconds=0.0, clock=clock, **options)
        assert isinstance(emitted[-1], e.RunFinished)
        kept = [event for event in emitted if not isinstance(event, NOT_JOURNALLED)]
        assert h.journalled() == kept
        num_unread = len(list(inbox.unread))
        asked = [each for each in answers[: len(answers) + 1 - num_unread] if isinstance(each, c.SaveCheckpoint)]
        refused = [event for event in h.of_type(emitted, e.CommandRefused) if event.command == "SaveCheckpoint"]
        saved = [event for event in h.of_type(emitted, e.CheckpointSaved) if event.name not in RUN_CHECKPOINTS]
        named = [event for event in saved if not event.name.startswith("step-")]
        assert len(named) + len(refused) == len(asked)


@settings(max_examples=10)
@given(sent=st.lists(any_commands(), max_size=6))
@example(sent=[c.Stop(reason="\x1b[2J\x07\u202e" + "x" * 60_000)])
def test_whatever_text_commands_contain_events_contain_harmless_text_only(sent: list[c.Command]) -> None:
    with h.own_home() as folder:
        emitted = h.run_tiny(h.write_corpus(folder), {3: [*sent, c.Resume(), c.Stop()]})
    assert isinstance(emitted[-1], e.RunFinished)


def test_tweets_of_a_checkpoint_that_samples_escape_sequences_are_made_harmless(home: Path) -> None:
    """Its model samples mostly these."""
    favourites = ("\x1b", "[", "\u202e", "\n", "\ud7ff", "\u2028")
    h.run_tiny(h.write_corpus(home), {2: [c.SaveCheckpoint(name="sound"), c.Stop()]}, run_name="source")
    sound = load_checkpoint(named_checkpoint_path("sound"))
    num_others = len(sound.vocab.chars) - len(favourites)
    others = tuple(chr(0x4E00 + number) for number in range(num_others))
    tensors = {name: tensor.clone() for name, tensor in sound.tensors.items()}
    tensors["model.proj.bias"] += torch.tensor([0.0] * 4 + [9.0] * len(favourites) + [0.0] * num_others)
    save_checkpoint(named_checkpoint_path("hostile"), replace(sound.info, vocab=(*favourites, *others)), tensors)
    tweets = [others[number % 20] * 3 + others[number // 5] for number in range(60)]
    config = h.tiny_config(h.write_corpus(home, tweets, "han.txt"), run_name="hostile", sample_every=1)
    asked: list[c.Command] = [c.SampleNow(), *(c.SampleLadder(seed=1, prime=prime) for prime in ("[[", "\x1b["))]
    emitted = h.run_session(replace(config, checkpoint="hostile"), {4: asked})
    assert h.only(emitted, e.CommandRefused).command == "SampleLadder"
    assert h.only(emitted, e.LadderSampled).rungs[0].text.startswith("[[")
    assert len(h.of_type(emitted, e.TweetSampled)) > 3

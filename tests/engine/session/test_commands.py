"""Commands: order, effects, speed limit, single steps; and whatever they are, every stream keeps its rules.

Most are sent to runs that are recorded: what they emit when they are also continued, given other tweets, and save.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.catalog import pin_path
from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.compute.cpu.step import GruStep
from engine.config.run import Setting
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.session import loop
from engine.session import questions as questions_module
from engine.storage.folders import RUN_CHECKPOINTS, home, named_checkpoint_path
from engine.training.schedule import MIN_FINISH_STEPS, finish_after
from tests.engine import helpers as h
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.engine.session.recorded import Play, recorded_plays
from tests.fakes import FakeClock, change
from tests.strategies import any_commands, commands


# Recorded runs --------------------------------------------------------------------------------------------------------
def itself(corpus: Path) -> Path:
    """Use the same file."""
    return corpus


def fewer(corpus: Path) -> Path:
    return h.write_corpus(corpus.parent, h.small_tweets()[:40], "fewer.txt")


def others(corpus: Path) -> Path:
    """Write tweets that a model of the small tweets predicts far worse.

    Its vocabulary lacks more of their characters than are named, one of them invisible.
    """
    joined = "e\N{COMBINING TILDE}\N{ZERO WIDTH JOINER}e Ж"
    return h.write_corpus(corpus.parent, [f"{each[::-1].upper()} {joined}" for each in h.small_tweets()], "others.txt")


def change_tweets() -> None:
    others(home() / "small.txt").replace(home() / "small.txt")


def save_loud_and_broken() -> None:
    """Save a checkpoint with another vocabulary, and a damaged one."""
    loud = h.write_corpus(home(), [tweet.upper() for tweet in h.small_tweets()], "loud.txt")
    h.run_tiny(loud, {3: [c.SaveCheckpoint(name="loud"), c.Stop()]}, run_name="loud")
    content = named_checkpoint_path("loud").read_bytes()
    named_checkpoint_path("broken").write_bytes(content[:-1])


def pin_mine() -> None:
    pin_path(named_checkpoint_path("mine")).touch()


def write_markup() -> None:
    h.write_corpus(home(), [f"<li id='{n}'>{tweet}</li>" for n, tweet in enumerate(h.small_tweets())])


def trained() -> None:
    """Train to step 13, of a second each; the last evaluation and tweet are those of step 12."""
    settings: dict[str, Any] = {"max_steps": 10**6, "eval_every": 6, "sample_every": 6}
    h.run_tiny(home() / "small.txt", h.stop_at(13), seconds={e.StepsFinished: 1.0}, **settings)


@recorded_plays("runs")
@mock.patch("engine.training.schedule._FIRST_EARLY_EVALUATION", 4)
def test_a_run_is_as_recorded(corpus: Path, play: Play, snapshot: SnapshotAssertion) -> None:
    assert play.lines(corpus, globals()) == snapshot


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


@pytest.mark.parametrize(
    ("script", "is_finishing"),
    [
        pytest.param({step: [change(learning_rate=0.1)] for step in range(2, 200)}, False, id="continual"),
        pytest.param({2: [c.Pause(), change(batch_size=4)]}, False, id="one in a pause"),
        pytest.param({2: [c.Finish()]}, True, id="a planned finish"),
        pytest.param({2: [c.Finish(), c.Finish(on=False)]}, False, id="a cancelled finish"),
    ],
)
def test_changes_are_saved_two_seconds_after_the_first_of_them_and_not_before(
    corpus: Path, script: h.Script, is_finishing: bool
) -> None:
    """A kill must not undo what the user saw."""
    clock = h.TickingClock(0.02)
    at: dict[str, float] = {}

    def note(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.SettingsChanged | e.FinishPlanned):
            at.setdefault("changed", clock.now)
        if isinstance(event, e.CheckpointSaved) and event.step and event.name == "latest" and "saved" not in at:
            at["saved"] = clock.now
            assert (h.latest().progress.finish is not None) == is_finishing
            return [c.Stop()]
        return []

    emitted = h.run_tiny(corpus, script, note, max_steps=200, clock=clock, autosave_seconds=1e6)
    assert 1.9 <= at["saved"] - at["changed"] <= 2.5
    assert (len(h.of_type(emitted, e.SettingsChanged)) > 3) == (len(script) > 1)


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


@pytest.mark.parametrize(("settings", "way"), [({}, "cpu"), (DROPOUT, "cpu"), (DROPOUT, "device")])
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
    taken, reports = h.of_type(stepped, insight.StepTaken), h.of_type(stepped, e.StepsFinished)
    measured = [step.loss_before for step in taken]  # without dropout
    assert (measured == pytest.approx(list(h.losses(stepped).values()), rel=1e-5)) == ("dropout" not in settings)
    assert all(step.loss_after < step.loss_before for step in taken)
    assert [step.grad_norm for step in taken] == [report.grad_norms[0] for report in reports]
    assert sum(step.num_targets for step in taken) == h.only(stepped, e.RunFinished).total_chars


def test_measuring_losses_takes_no_training_time_and_steps_that_are_not_finite_are_warned_of(corpus: Path) -> None:
    """One after which the loss is infinite, and one that is not taken."""
    clock, values = FakeClock(), iter((2.0, 1.0, 2.0, math.inf, 2.0))

    def slow(*_: object) -> float:
        clock.advance(100.0)
        return next(values)

    with mock.patch("engine.training.out_of_memory.batch_loss", slow), pytest.MonkeyPatch.context() as patch:
        poison = partial(patch.setattr, GruStep, "loss_and_grads", lambda *_: torch.tensor(math.nan))
        steps = [c.Pause(), c.TakeStep(), c.TakeStep()]
        once: h.Once = {e.Warned: [poison, c.TakeStep(), c.Stop()]}
        emitted = h.run_tiny(corpus, {3: steps}, clock=clock, once=once)
    assert (h.only(emitted, insight.StepTaken).step, emitted[-1].elapsed_seconds) == (4, 0.0)
    assert [(event.kind, event.step) for event in h.of_type(emitted, e.Warned)] == [
        ("not-finite", 5),
        ("not-finite", 6),
    ]
    assert h.names(emitted).count("Paused") == 4


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


def test_tweets_of_a_checkpoint_that_samples_escape_sequences_are_made_harmless(corpus: Path) -> None:
    """Its model samples mostly these."""
    favourites = ("\x1b", "[", "\u202e", "\n", "\ud7ff", "\u2028")
    h.run_tiny(corpus, {2: [c.SaveCheckpoint(name="sound"), c.Stop()]}, run_name="source")
    sound = load_checkpoint(named_checkpoint_path("sound"))
    num_others = len(sound.vocab.chars) - len(favourites)
    others = tuple(chr(0x4E00 + number) for number in range(num_others))
    tensors = {name: tensor.clone() for name, tensor in sound.tensors.items()}
    tensors["model.proj.bias"] += torch.tensor([0.0] * 4 + [9.0] * len(favourites) + [0.0] * num_others)
    save_checkpoint(named_checkpoint_path("hostile"), replace(sound.info, vocab=(*favourites, *others)), tensors)
    tweets = [others[number % 20] * 3 + others[number // 5] for number in range(60)]
    config = h.tiny_config(h.write_corpus(home(), tweets, "han.txt"), run_name="hostile", sample_every=1)
    asked: list[c.Command] = [c.SampleNow(), *(c.SampleLadder(seed=1, prime=prime) for prime in ("[[", "\x1b["))]
    emitted = h.run_session(replace(config, checkpoint="hostile"), {4: asked})
    assert h.only(emitted, e.CommandRefused).command == "SampleLadder"
    assert h.only(emitted, e.LadderSampled).rungs[0].text.startswith("[[")
    assert len(h.of_type(emitted, e.TweetSampled)) > 3

"""Short runs, as recorded: what they emit when they are sent commands, continued or given other tweets, and save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import PresetName
from engine.config.sampling import MAX_DRAFTS_IN_RUN
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.engine import helpers as h
from tests.engine.session.recorded import lines_of, record
from tests.fakes import budget, change

Run = Callable[[Path], str]
"""Records a run on a corpus; its lines are the event stream and the last checkpoint."""
Runs = dict[str, Run]
"""By what they show."""


def tiny(script: h.Script | None = None, once: h.Once | None = None, **options: Any) -> Run:
    """Return a run of the tiny model; options that a session does not have are settings."""
    return lambda corpus: lines_of(h.run_tiny(corpus, script, once=once, **options))


def resumed(script: h.Script | None = None, run: str = "last", **settings: Any) -> Run:
    """Return the resume of a run."""
    own = {name: settings.pop(name) for name in ("once", "pauses_at_end") if name in settings}
    return lambda _: record(h.resume_config(run, **settings), script, **own)


def branch(write: Callable[[Path], Path | None], script: h.Script | None = None, **settings: Any) -> Run:
    """Return a new run from the checkpoint of `tiny`, on tweets that are written beside the corpus."""
    own = {name: settings.pop(name) for name in ("once", "pauses_at_end", "seconds") if name in settings}
    settings = {"run_name": "new", **settings}
    return lambda corpus: record(h.branch_config(write(corpus), **settings), script, **own)


def itself(corpus: Path) -> Path:
    """Use the same file."""
    return corpus


def its_own(_: Path) -> None:
    """Use the tweets of the checkpoint."""


def after(first: Callable[[Path], object], *others: Run) -> Run:
    """Return the last runs of several; the first is no part of the lines."""

    def run(corpus: Path) -> str:
        first(corpus)
        return "\n\n".join(other(corpus) for other in others)

    return run


# Commands -------------------------------------------------------------------------------------------------------------
ENDLESS: dict[str, Any] = {"max_steps": 10**6}


def on_one_tweet(preset: PresetName, **settings: Any) -> Run:
    """Return the first step of a run on a single tweet."""

    settings |= {"overfit": 1, "max_steps": 1}
    return lambda corpus: record(replace(h.tiny_config(corpus, **settings), preset=preset), h.stop_at(1))


OVERFIT: Runs = {
    "on one tweet the learning rate is that of the tutorial's part c": on_one_tweet("tutorial"),
    "or that of the command line": on_one_tweet("tutorial", learning_rate=0.02),
    "or that of the preset auto": on_one_tweet("auto", warmup_steps=0),
}
FINISHES: Runs = {
    "a finish anneals the rate to zero and ends the run at its planned step, with an evaluation": tiny(
        {30: [c.Finish()]}, **ENDLESS, eval_every=500
    ),
    "a run stopped while finishing plans the same end when it is resumed, and then trains at its own rate": after(
        tiny({3: [c.Finish()], 9: [c.Stop()]}, **ENDLESS), resumed(), resumed(h.stop_at(26))
    ),
    "a second finish is refused, and the first can be cancelled": tiny(
        {30: [c.Finish(), c.Finish()], 35: [c.Finish(on=False)]}, max_steps=45
    ),
    "a finished run on the screen pauses, refuses a finish, and continues at its own rate": tiny(
        {5: [c.Finish()], 27: [c.Stop()]}, {e.Warned: [c.Finish(), c.Resume()]}, **ENDLESS, pauses_at_end=True
    ),
    "loading a checkpoint cancels a finish": tiny(
        {10: [c.SaveCheckpoint(name="early")], 30: [c.Finish()], 35: [c.LoadCheckpoint(name="early")]},
        {e.CheckpointLoaded: [c.Stop()]},
        **ENDLESS,
    ),
}


# The end --------------------------------------------------------------------------------------------------------------
def at_end(*sent: c.Command, script: h.Script | None = None, **options: Any) -> Run:
    """Return a run that pauses at its end, is sent commands there, and stopped at its second end."""

    def run(corpus: Path) -> str:
        ends = iter([sent, [c.Stop()]])
        on_event = h.whenever(e.Warned, lambda warned: next(ends) if warned.kind == "finished" else [])
        return lines_of(h.run_tiny(corpus, script, on_event, pauses_at_end=True, **options))

    return run


def extended(before: dict[str, Any], **limits: Any) -> Run:
    """Return a run to the end of its budget and then to that of a larger one, with half a second per step."""
    return at_end(budget(**limits), c.Resume(), seconds={e.StepsFinished: 0.5}, **before)


SIX: dict[str, Any] = {"max_steps": 6}
SIX_AND_PAUSE: dict[str, Any] = {**SIX, "pauses_at_end": True}
ENDS: Runs = {
    "paused at its end a run samples and saves, and a stop ends it for the reason of its end": tiny(
        once={
            e.Warned: [c.SampleNow(), c.SampleLadder(seed=1)],
            e.LadderSampled: [c.SaveCheckpoint(name="end"), c.Stop()],
        },
        **SIX_AND_PAUSE,
    ),
    "a finished run is not resumed beyond its budget; where it pauses at its end it can be resumed there": after(
        itself,
        tiny(once={e.Warned: [c.Resume(), c.Stop()]}, **SIX_AND_PAUSE),
        resumed(once={e.Warned: [c.SampleNow()], e.TweetSampled: [c.Stop()]}, pauses_at_end=True),
    ),
    "a refused resume leaves a finished run finished": tiny(
        {3: [c.Finish()]}, {e.Warned: [c.Resume(), c.Stop()]}, max_steps=23, pauses_at_end=True
    ),
    "commands in the last evaluation, right before which the steps are emitted, are executed within it": tiny(
        {
            6: [
                change(learning_rate=0.1),
                c.SaveCheckpoint(name="mine"),
                c.Finish(on=False),
                c.CompleteText(text="the "),
            ]
        },
        **SIX,
        eval_every=9,
        report_seconds=1e9,
    ),
    "a stop unless unsaved writes latest once, and in a pause its reason is that of the end": tiny(
        {3: [c.Pause(), c.Stop(reason="stopped by the user", unless_unsaved=True)]}, **SIX_AND_PAUSE
    ),
}
BUDGETS: Runs = {
    "a larger budget of steps": extended(SIX, max_steps=10),
    "a larger budget of epochs": extended({"max_steps": 100, "epochs": 1.0}, epochs=2.0),
    "a larger budget of seconds": extended({**ENDLESS, "max_seconds": 2.0}, max_seconds=4.0),
    "a budget of epochs after one of seconds": extended({**ENDLESS, "max_seconds": 2.0}, epochs=2.0),
    "a budget of seconds after one of steps": extended({**SIX, "epochs": 50.0}, max_seconds=4.0),
    "a larger budget leaves a paused run paused": tiny(
        once={e.Warned: [budget(max_steps=9), c.SampleNow()], e.TweetSampled: [c.Stop()]}, **SIX_AND_PAUSE
    ),
    "a smaller budget ends the run earlier, and one that is used up is refused": tiny(
        {5: [budget(max_steps=5), budget(max_steps=8)]}
    ),
    "without a limit a run continues until it is stopped": tiny({3: [budget()], 20: [c.Stop()]}, **SIX),
    "a budget replaces a planned finish": tiny({5: [c.Finish()], 10: [budget(max_steps=30)]}, **ENDLESS),
    "a budget replaces a finish that is over, also of a run that is resumed": after(
        itself,
        at_end(budget(max_steps=30), c.Resume(), script={5: [c.Finish()]}, **ENDLESS),
        resumed(max_steps=33),
    ),
    "a finish after the end anneals the rate over the steps that a larger budget allows": at_end(
        budget(max_steps=26), c.Finish(), c.Resume(), **SIX
    ),
    "a new budget is saved with the run, and an option of a resume replaces it": after(
        itself, tiny({4: [budget(max_steps=14, max_seconds=1e6)], 6: [c.Stop()]}, max_steps=8), resumed(max_steps=9)
    ),
}

STEPS: Runs = {
    "a step is refused while the run is not paused and once the budget is used up": tiny(
        {3: [c.TakeStep()]}, {e.Paused: [c.TakeStep(), c.Stop()]}, pauses_at_end=True
    ),
    "a stop during what is due comes before the step, and a resume does what was due": after(
        itself, tiny({3: [c.Pause(), c.TakeStep()]}, {e.Resumed: [c.Stop()]}, eval_every=3), resumed()
    ),
}

# Settings and checkpoints ---------------------------------------------------------------------------------------------
IMPLIED: dict[str, Any] = {"first_batch_size": 2, "eval_every": 4, "pacing": "seconds", "early_eval_tweets": 7}
SETTINGS: Runs = {
    "the peak learning rate is changed, and the warm-up still multiplies it": tiny(
        {4: [change(learning_rate=0.02)]}, learning_rate=0.01, warmup_steps=10, max_steps=8
    ),
    "several are changed by one command, and restored with those it implied by the values before": tiny(
        {
            3: [change(batch_size=4, eval_every=5, temperature=1, avoid=("rain",), steps_per_second=0)],
            7: [change(batch_size=8, temperature=0.8, avoid=(), steps_per_second=0.0, **IMPLIED)],
        },
        **IMPLIED,
    ),
    "a resume with another batch size keeps the share of the epoch, and ends the small batches of the start": after(
        tiny(h.stop_at(9), batch_size=4, first_batch_size=2), resumed(h.stop_at(9), batch_size=16)
    ),
    "settings that a run can't have are refused": tiny(
        {
            3: [
                change(steps_per_second=0.001),
                change(best_of=MAX_DRAFTS_IN_RUN + 1),
                change(must_contain="the 寿"),
                change(avoid=("the",), prime="the the "),
                change(avoid=("the",)),
                c.SampleNow(prime="the the "),
                c.CompleteText(text="the ", draw=-1),
                c.SampleNow(draw=-1),
            ]
        },
        max_steps=4,
    ),
}
LOAD_THREE, HALVED_THREE = (c.LoadCheckpoint(name="three", halves_rate=halves_rate) for halves_rate in (False, True))


def loading(*sent: c.Command, **options: Any) -> Run:
    """Return a run that saves a checkpoint after step 3, and is sent commands after step 6."""
    return tiny({3: [c.SaveCheckpoint(name="three")], 6: sent}, **options)


CHECKPOINTS: Runs = {
    "an existing name is refused without replace": tiny(
        {
            2: [c.SaveCheckpoint(name="mine"), c.SaveCheckpoint(name="mine")],
            6: [c.SaveCheckpoint(name="mine", replace=True)],
        }
    ),
    "a paused run takes no step and its clock stands, also if a checkpoint is loaded": loading(
        c.Pause(), LOAD_THREE, c.SampleNow(), c.Resume(), seconds={e.StepsFinished: 0.125, e.TweetSampled: 3600.0}
    ),
    "a state just saved by name is not saved again before a load": loading(c.SaveCheckpoint(name="six"), LOAD_THREE),
    "a state whose rate has changed since is; half the rate is of the lower of the checkpoint and the run": loading(
        c.SaveCheckpoint(name="six"), change(learning_rate=0.4), HALVED_THREE, change(learning_rate=0.001), HALVED_THREE
    ),
    "a checkpoint of another shape is loaded, and the run resumed with it": after(
        tiny({3: [c.SaveCheckpoint(name="wide")]}, run_name="wide", hidden_size=18, num_layers=2),
        tiny({5: [c.LoadCheckpoint(name="wide"), c.SampleNow(), c.Stop()]}),
        resumed(run="tiny"),
    ),
}

# Tweets and evaluations -----------------------------------------------------------------------------------------------
BY_TIME: dict[str, Any] = {"sample_every": 50, "sample_pacing": "seconds"}
SLOW = {e.StepsFinished: 0.01, e.TweetSampled: 9.0, e.EvalFinished: 9.0}
EARLY: dict[str, Any] = {"eval_every": 20, "early_eval_tweets": 3, "max_steps": 26}
DUE: Runs = {
    "tweets by time at doubling steps, then every two seconds, and no sooner by a pause": tiny(
        {40: [c.Pause()]},
        {e.Paused: [c.Resume()]},
        **BY_TIME,
        max_steps=90,
        seconds={e.StepsFinished: 0.125, e.Paused: 20.0},
    ),
    "a slow tweet takes at most a fiftieth of the time": tiny(
        **BY_TIME, max_steps=50, seconds={e.StepsFinished: 0.875, e.TweetSampled: 0.125}
    ),
    "tweets and evaluations at intervals, whatever they take, from the step after a change on; 0 disables": tiny(
        {5: [change(eval_every=3, sample_every=0)], 10: [change(eval_every=0, sample_every=5)]},
        sample_every=2,
        eval_every=4,
        max_steps=16,
        seconds=SLOW,
    ),
    "paced by seconds they are skipped where they would take too much of the time": tiny(
        sample_every=4, eval_every=3, pacing="seconds", seconds=SLOW
    ),
    "by steps alone no clock changes when tweets are due": tiny(
        sample_every=12, sample_pacing="doubling", max_steps=26, seconds={e.StepsFinished: 3.0}
    ),
    "an interval that the user sets is followed to the step": tiny(
        {1: [change(eval_every=0, sample_every=3)]}, **BY_TIME, pacing="seconds", seconds=SLOW
    ),
    "a change of the evaluations leaves tweets by time, which an interval of 0 ends": tiny(
        {
            1: [change(eval_every=2, sample_every=50, sample_pacing="seconds")],
            5: [change(sample_every=0, sample_pacing="seconds")],
        },
        **BY_TIME,
        early_eval_tweets=3,
        seconds={e.StepsFinished: 3.0},
    ),
    "early evaluations at powers of two, none of them the best, and none after a resume at an interval": after(
        itself, tiny(h.stop_at(9), **EARLY), resumed(eval_every=10)
    ),
    "a run that ends at an early evaluation is evaluated on all tweets once": after(
        tiny(h.stop_at(9), save_every=8, **EARLY),
        branch(
            its_own,
            once={e.Warned: [c.SampleNow(), c.Stop()]},
            checkpoint="tiny/step-8",
            max_steps=8,
            pauses_at_end=True,
        ),
    ),
}


# Other tweets ---------------------------------------------------------------------------------------------------------
def others(corpus: Path) -> Path:
    """Write tweets that a model of the small tweets predicts far worse.

    Its vocabulary lacks more of their characters than are named, one of them invisible.
    """
    joined = "e\N{COMBINING TILDE}\N{ZERO WIDTH JOINER}e Ж"
    return h.write_corpus(corpus.parent, [f"{each[::-1].upper()} {joined}" for each in h.small_tweets()], "others.txt")


def with_auto(run_name: str, **changes: Any) -> Run:
    """Return a first step with the preset `auto` on tweets with many characters that the shipped model lacks."""

    def run(corpus: Path) -> str:
        foreign = h.write_corpus(corpus.parent, [f"{tweet} 零壹贰叁" for tweet in h.small_tweets()], "foreign.txt")
        settings: dict[str, Any] = {"batch_size": 8, "sample_every": 0, "eval_every": 0, "seed": 3}
        config = h.tiny_config(foreign, run_name=run_name)
        return record(replace(config, preset="auto", settings=settings, **changes), h.stop_at(1))

    return run


SECOND = {e.StepsFinished: 1.0}
TRAINED = tiny(h.stop_at(13), **ENDLESS, eval_every=6, sample_every=6, seconds=SECOND)
"""Its last evaluation and tweet are those of step 12."""
OTHER_TWEETS: Runs = {
    "tweets with many characters that the shipped model lacks start from random weights": after(
        itself, with_auto("warm"), with_auto("asked for", from_scratch=True)
    ),
    "a new run on other tweets has no figures, clock and characters, and counts the steps": after(
        TRAINED, branch(others, h.stop_at(13)), resumed(h.stop_at(19), "new")
    ),
    "a new run on other tweets has all of its seconds": after(
        TRAINED, branch(others, max_seconds=13.0, eval_every=0, sample_every=0, seconds=SECOND)
    ),
    "the steps that were taken count towards its budget": after(TRAINED, branch(others, max_steps=13)),
    "a new run on the same tweets continues the clock and counts on": after(TRAINED, branch(itself, h.stop_at(14))),
    "a new run from the best of another evaluates at once, and has a best of its own": after(
        TRAINED, branch(its_own, h.stop_at(13), checkpoint="tiny/best")
    ),
    "on fewer of them nothing is said about characters": after(
        TRAINED, branch(lambda corpus: h.write_corpus(corpus.parent, h.small_tweets()[:40], "fewer.txt"), h.stop_at(14))
    ),
    "a resume on changed tweets keeps its clock and compares evaluations of these tweets only": after(
        lambda corpus: (TRAINED(corpus), others(corpus).replace(corpus)), resumed(h.stop_at(19))
    ),
    "a load of a checkpoint of other tweets brings none of its figures": after(
        TRAINED, branch(others, {15: [c.LoadCheckpoint(name="tiny/latest"), c.Stop()]})
    ),
    "tweets that do not look like text are warned of once": after(
        lambda corpus: h.write_corpus(
            corpus.parent, [f"<li id='{n}'>{tweet}</li>" for n, tweet in enumerate(h.small_tweets())]
        ),
        tiny(h.stop_at(2)),
        resumed(h.stop_at(3)),
    ),
}
RUNS = OVERFIT | FINISHES | ENDS | BUDGETS | STEPS | SETTINGS | CHECKPOINTS | DUE | OTHER_TWEETS


@pytest.mark.parametrize("name", RUNS)
@mock.patch("engine.training.schedule._FIRST_EARLY_EVALUATION", 4)
def test_a_run_is_as_recorded(corpus: Path, name: str, snapshot: SnapshotAssertion) -> None:
    assert RUNS[name](corpus) == snapshot

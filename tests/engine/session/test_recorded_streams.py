"""What runs emit that are sent commands, as recorded: the answers to the commands, their effects, and the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import Setting
from engine.config.sampling import MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from tests.engine.helpers import Script, run_session, tiny_config
from tests.engine.session.event_lines import lines_of
from tests.engine.session.stream_rules import assert_valid_stream

ENDLESS = 10**6
AVOIDING = SamplingConfig(avoid=("the",))


@dataclass
class Case:
    """A run of the tiny model and the commands that it is sent."""

    script: Script
    """By step."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    once: Mapping[type[Event], list[Command]] = field(default_factory=dict)
    """By the first event of a type."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `run_session`."""


FINISHES = {
    "a finish anneals the rate to zero and ends the run at its planned step, with an evaluation": Case(
        {30: [c.Finish()]}, {"max_steps": ENDLESS, "eval_every": 500}
    ),
    "a finish that is cancelled": Case({30: [c.Finish()], 35: [c.CancelFinish()]}, {"max_steps": 45}),
    "a second finish is refused": Case({5: [c.Finish(), c.Finish(), c.Stop()]}, {"max_steps": ENDLESS}),
    "a finish after the end is refused": Case(
        {}, {"max_steps": 6}, {e.Warned: [c.Finish(), c.Stop()]}, {"pauses_at_end": True}
    ),
    "a finished run on the screen pauses, and continues at its own rate": Case(
        {5: [c.Finish()], 27: [c.Stop()]},
        {"max_steps": ENDLESS},
        {e.Warned: [c.Resume()]},
        {"pauses_at_end": True},
    ),
    "loading a checkpoint cancels a finish": Case(
        {10: [c.SaveCheckpoint(name="early")], 30: [c.Finish()], 35: [c.LoadCheckpoint(name="early")]},
        {"max_steps": ENDLESS},
        {e.FinishCancelled: [c.Stop()]},
    ),
}
SETTINGS = {
    "changed sampling settings apply from the next tweet on": Case(
        {2: [c.SetSampling(sampling=SamplingConfig(temperature=0.0, prime="the ", max_length=15))]},
        {"sample_every": 1, "max_steps": 4},
    ),
    "changed intervals apply from the next step on, and 0 disables": Case(
        {
            5: [c.SetIntervals(eval_every=3, sample_every=0)],
            10: [c.SetIntervals(eval_every=0, sample_every=5)],
        },
        {"sample_every": 2, "eval_every": 4, "max_steps": 16},
    ),
    "the peak learning rate is changed, and the warm-up still multiplies it": Case(
        {4: [c.SetLearningRate(learning_rate=0.02)]}, {"learning_rate": 0.01, "warmup_steps": 10, "max_steps": 8}
    ),
    "settings that a run can't have are refused": Case(
        {
            3: [
                c.SetSpeedLimit(steps_per_second=0.001),
                c.SetSampling(sampling=SamplingConfig(best_of=MAX_DRAFTS_IN_RUN + 1)),
                c.SetSampling(sampling=SamplingConfig(must_contain="the 寿")),
                c.SetSampling(sampling=SamplingConfig(avoid=("the",), prime="the the ")),
                c.SetSampling(sampling=AVOIDING),
                c.SampleNow(prime="the the "),
                c.CompleteText(text="the ", draw=-1),
                c.SampleNow(draw=-1),
            ]
        },
        {"max_steps": 4},
    ),
}
QUESTIONS = {
    "a question in the last evaluation is answered before its end": Case(
        {6: [c.CompleteText(text="the ", request=3)]},
        {"eval_every": 9, "max_steps": 6},
        options={"report_seconds": 1e9},  # the steps are emitted right before that evaluation
    ),
}
CHECKPOINTS = {
    "an existing name is refused without replace": Case(
        {
            2: [c.SaveCheckpoint(name="mine")],
            4: [c.SaveCheckpoint(name="mine")],
            6: [c.SaveCheckpoint(name="mine", replace=True)],
        }
    ),
    "a checkpoint is loaded while paused, and the run stays paused": Case(
        {3: [c.SaveCheckpoint(name="three")], 6: [c.Pause(), c.LoadCheckpoint(name="three"), c.SampleNow(), c.Resume()]}
    ),
    "a state that was just saved by name is not saved again before a load": Case(
        {
            3: [c.SaveCheckpoint(name="three")],
            6: [c.Pause(), c.SaveCheckpoint(name="six"), c.LoadCheckpoint(name="three"), c.Resume()],
        }
    ),
    "a state whose rate has changed since is saved before a load": Case(
        {
            3: [c.SaveCheckpoint(name="three")],
            6: [
                *(c.Pause(), c.SaveCheckpoint(name="six"), c.SetLearningRate(learning_rate=0.05)),
                *(c.LoadCheckpoint(name="three"), c.Resume()),
            ],
        }
    ),
    "a load that halves the rate halves that of the checkpoint, which is lower": Case(
        {
            3: [c.SaveCheckpoint(name="three")],
            6: [c.SetLearningRate(learning_rate=0.4), c.LoadCheckpoint(name="three", halves_rate=True)],
        }
    ),
    "a load that halves the rate halves that of the run, which is lower": Case(
        {
            3: [c.SaveCheckpoint(name="three")],
            6: [c.SetLearningRate(learning_rate=0.001), c.LoadCheckpoint(name="three", halves_rate=True)],
        }
    ),
}
CASES = FINISHES | SETTINGS | QUESTIONS | CHECKPOINTS


@pytest.mark.parametrize("name", CASES)
def test_a_run_emits_what_is_recorded(corpus: Path, name: str, snapshot: SnapshotAssertion) -> None:
    case = CASES[name]
    left = dict(case.once)

    def on_event(event: Event) -> Iterable[Command]:
        return left.pop(type(event), ())

    emitted = run_session(tiny_config(corpus, **case.settings), case.script, on_event, **case.options)

    assert_valid_stream(emitted)
    assert lines_of(emitted) == snapshot

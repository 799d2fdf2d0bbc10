"""Arbitrary commands from the socket are executed or refused, and the run continues to its end."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.codec import DecodeError
from engine.session.sampling_service import MAX_READ_CHARS
from tests.engine.helpers import latest, losses, of_type, only, run_session, tiny_config
from tests.engine.session.stream_rules import assert_valid_stream
from tests.hostile import obeyed


def line(command: str, **fields: Any) -> str:
    return json.dumps({"command": command, **fields})


@pytest.mark.parametrize(
    "line_of_command",
    [
        line("SetBatchSize", batch_size=2**64),
        line("SetBatchSize", batch_size=8.5),
        line("SetLearningRate", learning_rate=float("nan")),
        '{"command":"SetLearningRate","learning_rate":1e999}',
        line("SetSampling", sampling={"temperature": 0.001}),
        line("SetSampling", sampling={"prime": "\x1b]0;title\x07"}),
        line("SampleLadder", seed=0, temperatures=["hot"]),
        line("Stop", reason=None),
        line("SampleNow", prime="\ud800"),
    ],
)
def test_commands_with_invalid_values_are_refused(line_of_command: str) -> None:
    with pytest.raises(DecodeError):
        c.from_json(line_of_command)


REFUSED = [
    line("SetBatchSize", batch_size=10**18),
    line("SetLearningRate", learning_rate=1e38),
    line("SetIntervals", eval_every=-1, sample_every=0),
    line("SetBudget", max_steps=0),
    line("SetBudget", max_seconds=-1.0),
    line("SetSampling", sampling={"prime": "ß☃"}),
    line("SampleNow", prime="\x1b[2J"),
    line("SampleNow", prime="x" * 60_000),
    line("SampleLadder", seed=0, temperatures=[1] * 20_000),
    line("SampleLadder", seed=0, prime="\x1b[2J"),
    line("SaveCheckpoint", name="../../x"),
    line("SaveCheckpoint", name="x" * 60_000),
    line("SaveCheckpoint", name="\x1b[31m\x00"),
    line("LoadCheckpoint", name="/dev/zero"),
    line("LoadCheckpoint", name="../../../etc/passwd"),
    line("LoadCheckpoint", name="a\x00b"),
    line("CompleteText", text="x" * 60_000),
    line("ReadTweet", text=""),
    line("ReadTweet", text="x" * (MAX_READ_CHARS + 1)),
    line("SetBatchSize", batch_size=0),
    line("SampleNow", prime="☃"),
]


def test_invalid_commands_are_refused_and_the_losses_are_unchanged(corpus: Path, home: Path) -> None:
    plain = run_session(tiny_config(corpus, run_name="plain"))
    before = sorted(home.parent.iterdir())

    emitted = run_session(tiny_config(corpus), {3: [c.from_json(line_of_command) for line_of_command in REFUSED]})

    refused = of_type(emitted, e.CommandRefused)
    assert Counter(each.command for each in refused) == Counter(
        json.loads(line_of_command)["command"] for line_of_command in REFUSED
    )
    assert all(each.title and each.detail for each in refused)
    assert not any(obeyed(e.to_json(event)) for event in emitted)
    assert losses(emitted) == losses(plain)
    assert latest().training == only(emitted, e.RunStarted).training
    assert_valid_stream(emitted)
    assert sorted(home.parent.iterdir()) == before
    assert list((home / "checkpoints").glob("*")) == []


def test_the_reason_of_a_stop_is_made_harmless_and_short(corpus: Path) -> None:
    reason = "\x1b[2J\x07\u202e" + "x" * 60_000
    emitted = run_session(tiny_config(corpus), {3: [c.from_json(line("Stop", reason=reason))]})

    last = only(emitted, e.RunFinished)
    assert last.step == 3
    assert not obeyed(last.reason)
    assert len(last.reason) < 10_000

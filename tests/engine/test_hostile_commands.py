"""Commands as anybody might send them through the socket: answered or refused, and the run goes on to its end."""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine import events as e
from engine.wire import WireError
from tests.engine.helpers import losses, of_type, run_session, tiny_config, write_corpus
from tests.engine.stream_rules import assert_keeps_the_rules
from tests.hostile import obeyed

MAX_LINE_CHARS = 64 * 1024


@pytest.fixture
def corpus(home: Path) -> Path:
    return write_corpus(home)


def line(command: str, **fields: Any) -> str:
    return json.dumps({"command": command, **fields})


NO_COMMANDS = [
    line("SetBatchSize", batch_size=2**64),
    line("SetBatchSize", batch_size=8.5),
    line("SetLearningRate", learning_rate=float("nan")),
    line("SetLearningRate", learning_rate=float("inf")),
    '{"command":"SetLearningRate","learning_rate":1e999}',
    line("SetSampling", sampling={"temperature": 0.001}),
    line("SetSampling", sampling={"temperature": -1}),
    line("SetSampling", sampling={"prime": "\x1b]0;title\x07"}),
    line("SetSampling", sampling={"prime": "\u202ex"}),
    line("SetSampling", sampling={"prime": "x" * 5000, "max_length": 100_000}),
    line("SetSampling", sampling={"max_length": 10**9}),
    line("SetSampling", sampling={"top_k": -1}),
    line("SampleLadder", seed="0"),
    line("SampleLadder", seed=0, temperatures=["hot"]),
    line("Stop", reason=None),
    line("Stop", reason="\ud800"),
    line("SampleNow", prime="\ud800"),
    line("LoadCheckpoint", name="\ud800"),
]
REFUSED = [
    line("SetBatchSize", batch_size=10**18),
    line("SetBatchSize", batch_size=0),
    line("SetBatchSize", batch_size=-(2**62)),
    line("SetLearningRate", learning_rate=0),
    line("SetLearningRate", learning_rate=-1),
    line("SetLearningRate", learning_rate=1e38),
    line("SetIntervals", eval_every=-1, sample_every=0),
    line("SetIntervals", eval_every=0, sample_every=2**62),
    line("SetSampling", sampling={"prime": "ß☃"}),
    line("SampleNow", prime="\x1b[2J"),
    line("SampleNow", prime="x" * 60_000),
    line("SampleLadder", seed=-1),
    line("SampleLadder", seed=0, temperatures=[]),
    line("SampleLadder", seed=0, temperatures=[0.001]),
    line("SampleLadder", seed=0, temperatures=[1e30]),
    line("SampleLadder", seed=0, temperatures=[1] * 20_000),
    line("SampleLadder", seed=0, prime="\x1b[2J"),
    line("SaveCheckpoint", name="../../x"),
    line("SaveCheckpoint", name="/etc/x"),
    line("SaveCheckpoint", name=""),
    line("SaveCheckpoint", name="."),
    line("SaveCheckpoint", name="x" * 60_000),
    line("SaveCheckpoint", name="a\x00b"),
    line("SaveCheckpoint", name="a\nb"),
    line("SaveCheckpoint", name="\x1b[31m"),
    line("LoadCheckpoint", name="/dev/zero"),
    line("LoadCheckpoint", name="/dev/stdin"),
    line("LoadCheckpoint", name="/"),
    line("LoadCheckpoint", name="/proc/self/mem"),
    line("LoadCheckpoint", name="../../../etc/passwd"),
    line("LoadCheckpoint", name=""),
    line("LoadCheckpoint", name="a\x00b"),
    line("LoadCheckpoint", name="x" * 60_000),
    line("LoadCheckpoint", name="\x1b[31m"),
    line("CompleteText", text="x" * 60_000),
    line("ReadTweet", text="x" * 60_000),
    line("ReadTweet", text=""),
]


@pytest.mark.parametrize("said", NO_COMMANDS, ids=lambda said: said[:60].encode("ascii", "replace").decode())
def test_what_no_command_can_hold_is_none(said: str) -> None:
    with pytest.raises(WireError):
        c.from_json(said)


def after(corpus: Path, *said: str) -> tuple[list[e.Event], list[float]]:
    """Run twelve steps, with these commands after the third; return the events, and how long each took to come."""
    wishes = []
    for each in said:
        assert len(each) < MAX_LINE_CHARS
        wishes.append(c.from_json(each))
    moments: list[float] = []

    def note(_: e.Event) -> tuple[()]:
        moments.append(time.perf_counter())
        return ()

    told = run_session(tiny_config(corpus), {3: wishes}, note)
    assert_keeps_the_rules(told)
    assert isinstance(told[-1], e.RunFinished)
    assert list(losses(told)) == list(range(1, 13))
    assert not any(obeyed(e.to_json(event)) for event in told)
    return told, [after - before for before, after in pairwise(moments)]


def test_what_cannot_be_followed_is_refused_and_the_run_goes_on(corpus: Path, home: Path) -> None:
    before = sorted(home.parent.iterdir())
    told, seconds = after(corpus, *REFUSED)
    refused = of_type(told, e.CommandRefused)
    assert Counter(each.command for each in refused) == Counter(json.loads(said)["command"] for said in REFUSED)
    assert all(each.title and each.detail for each in refused)
    assert max(seconds) < 2.0
    assert sorted(home.parent.iterdir()) == before
    assert [path.name for path in (home / "checkpoints").glob("*")] == []


@pytest.mark.parametrize("reason", ["", "\x1b[2J\x07", "x" * 60_000, "a\nb", "\u202e"])
def test_a_reason_to_stop_is_told_harmless(corpus: Path, reason: str) -> None:
    wish = c.from_json(line("Stop", reason=reason))
    told = run_session(tiny_config(corpus), {3: [wish]})
    last = told[-1]
    assert isinstance(last, e.RunFinished)
    assert last.step == 3
    assert not obeyed(last.reason)
    assert e.from_json(e.to_json(last)) == last
    assert len(last.reason) < 10_000

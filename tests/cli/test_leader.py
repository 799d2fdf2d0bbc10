"""The leader of several processes: its signals, and its port."""

from __future__ import annotations

import queue
import signal
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.config.run import RunConfig
from engine.parallel.handshake import PortInUseError
from engine.parallel.place import Place
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import run_started
from tui.cli import ranks
from tui.cli.headless import _listen_to_signals
from tui.cli.ranks import RunLeader
from tui.process.launch.folder import LaunchFolder


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_leader_that_gets_a_signal_directly_and_from_the_launcher_stops_once_and_saves(
    number: signal.Signals,
) -> None:
    output: Any = SimpleNamespace(inbox=queue.SimpleQueue(), has_hung_up=threading.Event())
    leader: Any = SimpleNamespace(leave_if_alone=lambda: None, receive_signals=lambda: None)
    _listen_to_signals(output, leader, stops_on_hangup=False)
    for _ in range(2):
        signal.raise_signal(number)
    stop = output.inbox.get_nowait()
    assert isinstance(stop, c.Stop)
    assert stop.reason in {"interrupted", "terminated"}
    assert output.inbox.empty()


def test_a_leader_whose_port_another_program_has_taken_leaves_for_another_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Left(Exception):  # noqa: N818 - stands for the end of the process
        pass

    def leave_lost(why: str) -> None:
        raise Left(why)

    def join(*_: object) -> None:
        raise PortInUseError("The port is in use.")

    monkeypatch.setattr(ranks, "join", join)
    rank: Any = SimpleNamespace(lifeline=SimpleNamespace(), leave_lost=leave_lost, folder=LaunchFolder(Path()))
    with pytest.raises(Left, match="The port is in use"):
        RunLeader(Place(rank=0, world_size=2), rank).prepare(RunConfig(), lambda: None)
    with pytest.raises(PortInUseError):
        RunLeader(Place(rank=0, world_size=2)).prepare(RunConfig(), lambda: None)


@pytest.mark.parametrize("last", ["Paused", "Resumed"])
def test_after_a_restart_the_run_continues_as_it_was_paused_or_not_and_the_notice_says_which_restart(
    home: Path, last: str
) -> None:
    folder = home / "runs" / "mine"
    folder.mkdir(parents=True)
    now: dict[str, Any] = {"step": 7, "elapsed_seconds": 1.0}
    stream: list[e.Event] = [run_started(run="mine"), e.Paused(**now), e.Resumed(**now), e.Paused(**now)]
    stream.append(e.Resumed(**now) if last == "Resumed" else e.Warned(message="!", **now))
    (folder / "events.jsonl").write_text("".join(e.to_json(event) + "\n" for event in stream))
    leader = RunLeader(Place(rank=0, world_size=2, restart_count=1, max_restarts=3))
    others: Any = SimpleNamespace(recall=lambda _: "mine")
    assert leader._config_of_attempt(RunConfig(), others).resume == "mine"
    assert leader.was_paused is (last == "Paused")
    assert leader.notice.endswith("All processes started again from the latest checkpoint (restart 1 of at most 3).")

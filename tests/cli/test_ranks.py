"""`train` as a rank of several processes: what ends it, and what starts again."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from engine.config.run import RunConfig
from engine.errors import DistributedError, RankLostError
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.ranks.place import Place
from engine.storage.folders import RunFolder, folder_of_run
from tests import fakes
from tests.cli.program import Cli, assert_two_line_error
from tests.tui.process.host_and_client import FINISHED
from tui.cli import headless, options
from tui.cli.commands import train
from tui.process import ranks
from tui.process.torchrun import Agent

NOW: dict[str, Any] = {"step": 7, "elapsed_seconds": 1.0}
SetRank = Callable[[int], None]


def leader(job: str = "job", **changes: int) -> ranks.RunLeader:
    """Return a leader that the parent of this process has started."""
    return ranks.RunLeader(Place(rank=0, world_size=2, job=job, **changes))


def agent_of(process: int, **changes: Any) -> Agent:
    """Return a process of this machine as the agent that a run's folder names."""
    agent = Agent.of_process(process, "job")
    assert agent is not None
    return replace(agent, **changes)


@pytest.fixture
def set_rank(monkeypatch: pytest.MonkeyPatch) -> SetRank:
    """Return a function that sets the variables of torchrun, for a rank that waits for the others for one second."""

    def set_(rank: int) -> None:
        place = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": 0}
        for name, value in {**place, "TWEETGEN_RANK_TIMEOUT": 1}.items():
            monkeypatch.setenv(name, str(value))

    monkeypatch.setattr(train, "leave_process", exit)
    return set_


def test_a_rank_starts_no_others_and_has_no_screen(cli: Cli, home: Path, set_rank: SetRank) -> None:
    set_rank(0)
    assert_two_line_error(cli(), "RANK is set", "torchrun")
    for option in ("--nproc-per-node=2", "--detach"):
        ended = cli("train", option)
        assert ended.code == 0
        assert "RANK is set" in ended.error_lines[0]


def test_a_leader_with_invalid_options_ends_in_order(cli: Cli, set_rank: SetRank) -> None:
    set_rank(0)
    for given, words in (
        ("--resume x --run-name y", "--run-name"),
        ("--temperature 99", "temperature"),
        ("--resume missing", "There is no run called missing"),
    ):
        ended = cli("train", *given.split())
        assert words in ended.error_lines[0]
        assert ended.code == 0  # else torchrun would start it again


def test_a_leader_whose_others_don_t_come_ends(cli: Cli, set_rank: SetRank, tweets: Path) -> None:
    set_rank(0)
    ended = cli("train", "--data", tweets, "--json")
    [failed] = map(e.from_json, ended.lines)
    assert isinstance(failed, e.RunFailed)
    assert "within 1 s" in failed.detail
    assert "TWEETGEN_RANK_TIMEOUT" in failed.hint
    assert ended.error_lines[-2] == f"tweetgen-tui: {failed.detail}"
    assert ended.code == 0  # torchrun would start it again


def test_only_a_rank_that_has_lost_another_is_to_start_again(cli: Cli, set_rank: SetRank) -> None:
    set_rank(1)
    for error, code, words in (
        (RankLostError("A sum failed."), 75, "A sum failed."),
        (DistributedError("Rank 0 has failed."), 0, "Rank 0 has failed."),
        (ZeroDivisionError("by zero"), 0, "ZeroDivisionError: by zero"),
    ):
        cli.monkeypatch.setattr(ranks, "follow", mock.Mock(side_effect=error))
        ended = cli("train")
        assert (ended.code, ended.error_lines[0]) == (code, f"tweetgen-tui: {words}")


def test_a_leader_that_gets_a_signal_twice_stops_once_and_saves_also_at_a_hangup() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signalled = leader()
        output: Any = SimpleNamespace(inbox=queue.SimpleQueue(), has_hung_up=threading.Event(), leader=signalled)
        headless._listen_to_signals(output, stops_on_hangup=False)
        for _ in range(2):
            signal.raise_signal(number)
        assert isinstance(output.inbox.get_nowait(), c.Stop)
        assert output.inbox.empty()
        assert signalled._is_terminated == (number == signal.SIGTERM)


@pytest.mark.parametrize("last", ["Paused", "Resumed"])
def test_after_a_restart_the_run_of_the_same_torchrun_continues_as_it_was_paused_or_not(home: Path, last: str) -> None:
    run, first = folder_of_run("mine"), leader()
    assert not first.is_restarted
    stream: list[e.Event] = [fakes.run_started(run="mine"), e.Paused(**NOW), e.Resumed(**NOW), e.Paused(**NOW)]
    stream += [e.Resumed(**NOW) if last == "Resumed" else e.Warned(message="!", **NOW)]
    for event in (*stream, e.CheckpointSaved(name="latest", path="", bits_per_char=None, weights_step=1, **NOW)):
        first.note(event)
    run.journal_path.write_text("".join(codec.encode(event) + "\n" for event in stream))
    run.checkpoint_path("latest").parent.mkdir()
    run.checkpoint_path("latest").touch()
    again = leader(restart_count=1, max_restarts=3)
    config = again._config_of_attempt(RunConfig(run_name="mine", settings={"batch_size": 5}))
    assert (config, again.was_paused, again.has_ended) == (RunConfig(resume="mine"), last == "Paused", False)
    assert again.notice.endswith("All processes started again from the latest checkpoint (restart 1 of at most 3).")
    again.note(fakes.run_started(run="mine"))
    again.note(FINISHED)
    assert leader().has_ended


def test_a_run_of_another_torchrun_or_of_none_is_not_continued(home: Path) -> None:
    run, parent = folder_of_run("theirs"), os.getppid()
    agent_of(parent).write(run)
    assert leader().is_restarted
    for changes in ({"pid": 1}, {"started": 0.0}, {"host": "another"}, {"job": "another"}):
        agent_of(parent, **changes).write(run)
        assert not leader().is_restarted, changes
    agent_of(parent, job="", has_ended=True).write(run)
    alone = leader(job="")
    assert (alone.agent, alone.is_restarted, alone.has_ended) == (None, False, False)


def test_a_run_lost_before_its_first_checkpoint_starts_anew_and_replaces_no_run_of_another(home: Path) -> None:
    run, config = folder_of_run("mine"), RunConfig(run_name="mine")
    run.path.mkdir(parents=True)
    run.pins_path.touch()
    assert leader(restart_count=2)._config_of_attempt(config) == config
    assert run.pins_path.exists()
    leader().note(fakes.run_started(run="mine"))
    saved_in_part = run.checkpoint_path("latest").parent / ".latest.safetensors.x.tmp"
    saved_in_part.parent.mkdir()
    saved_in_part.touch()
    again = leader(restart_count=2, max_restarts=3)
    assert again._config_of_attempt(config) == config
    assert again.notice == "A process was lost. All processes started again (restart 2 of at most 3)."
    assert not run.path.exists()


def test_a_run_whose_processes_start_again_is_restarting_and_not_resumed(cli: Cli, trained: Path) -> None:
    run = RunFolder(trained / "runs" / "first")
    run.journal_path.write_text(codec.encode(fakes.run_started(run="first")) + "\n")
    agent_of(os.getppid()).write(run)
    assert options.config_to_train({"resume": "first"}).resume == "first", "a torchrun of the user's may resume it"
    agent_of(os.getpid()).write(run)

    def state() -> str:
        return str(cli("runs", "list", "--json").object["state"])

    assert state() == "restarting"
    assert_two_line_error(cli("attach"), "terminal", "runs list")  # else how the run was cut off is printed
    assert_two_line_error(cli("train", "--resume", "first", "--max-steps", "50"), "is active already", "attach first")
    for over in ({"has_ended": True}, {"started": 0.0}, {"host": "another"}):
        agent_of(os.getpid(), **over).write(run)
        assert state() == "cut off"
        assert "The run was cut off" in cli("attach", "first").err
    agent_of(os.getpid()).write(run)
    run.journal_path.write_text(codec.encode(FINISHED) + "\n")
    assert state() == "finished"

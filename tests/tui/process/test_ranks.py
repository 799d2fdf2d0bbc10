"""The leader of several processes after a restart: which run it continues, and from where."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config.run import RunConfig
from engine.protocol import codec
from engine.protocol import events as e
from engine.session.ranks.place import Place
from engine.storage.folders import folder_of_run
from tests import fakes
from tests.tui.process.host_and_client import FINISHED
from tui.process import ranks
from tui.process.torchrun import Agent

NOW: dict[str, Any] = {"step": 7, "elapsed_seconds": 1.0}


def leader(job: str = "job", **changes: int) -> ranks.RunLeader:
    """Return a leader that the parent of this process has started."""
    return ranks.RunLeader(Place(rank=0, world_size=2, job=job, **changes))


def agent_of(process: int, **changes: Any) -> Agent:
    """Return a process of this machine as the agent that a run's folder names."""
    agent = Agent.of_process(process, "job")
    assert agent is not None
    return replace(agent, **changes)


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

"""Two processes on gloo train one run: steered, killed one after the other, continued by one process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from engine.checkpoints.metadata import read_info
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import Event
from engine.storage.folders import RunFolder
from tests.cli.program import PROGRAM, Cli, kill_processes_in, processes_in
from tests.e2e.conftest import QUIET, OpenTerminal
from tests.e2e.journals import events_of, journal_of
from tests.event_files import LOSS, scalars_in
from tests.waiting import wait_until
from tui.remote.client import RemoteBridge
from tui.remote.socket_path import is_active

TWO = ("--nproc-per-node", "2", "--device", "cpu")
WORKER = "tui.process.launch.worker"


OpenLauncher = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def launcher(home: Path) -> Iterator[OpenLauncher]:
    """Return a function that trains in two processes, in the foreground."""
    processes: list[subprocess.Popen[bytes]] = []

    def open_(*arguments: str | Path) -> subprocess.Popen[bytes]:
        command = [*PROGRAM, "train", *TWO, *map(str, arguments)]
        variables = {**os.environ, "TWEETGEN_HOME": str(home)}
        processes.append(subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL))
        return processes[-1]

    yield open_
    for process in processes:
        process.kill()
        process.wait()
    kill_processes_in(home)


class Screen:
    """What an attached screen does, without drawing."""

    def __init__(self, home: Path, run: str) -> None:
        folder = RunFolder(home / "runs" / run)
        wait_until(lambda: is_active(folder), "the run")
        self.bridge = RemoteBridge(folder)
        self.view = self.bridge.connect()
        self.events: list[Event] = []

    def wait_for(self, is_wanted: Callable[[Event], bool], what: str) -> None:
        """Wait for an event."""

        def has_come() -> bool:
            self.events.extend(self.bridge.drain().events)
            return any(map(is_wanted, self.events))

        wait_until(has_come, what)

    def send(self, command: c.Command, answer: type[Event]) -> None:
        """Send a command, and wait for the event that answers it."""
        self.events.clear()
        self.bridge.send(command)
        self.wait_for(lambda event: isinstance(event, answer), f"{answer.__name__} after {command}")


def ranks_in(home: Path) -> dict[int, psutil.Process]:
    """Return the processes of the launch by rank."""
    workers = [process for process in processes_in(home) if WORKER in process.cmdline()]
    return {int(process.environ()["RANK"]): process for process in workers}


def losses_in(home: Path) -> list[str]:
    """Return why ranks were lost."""
    messages = (event.message for event in events_of(home, "shared") if isinstance(event, e.Warned))
    return [message for message in messages if message.startswith("Rank ")]


@pytest.mark.timeout(300)  # it starts twelve processes that import torch
def test_a_run_of_two_processes_is_steered_outlives_each_of_them_and_ends_saved_with_its_launcher(
    launcher: OpenLauncher, cli: Cli, home: Path, tweets: Path
) -> None:
    tracked = ("--run-name", "shared", "--tensorboard", home / "logs")
    process = launcher("--data", tweets, *QUIET, "--batch-size", "8", *tracked)
    screen = Screen(home, "shared")
    assert screen.view.started is not None
    assert (screen.view.started.world_size, screen.view.started.backend) == (2, "gloo")
    steer(screen)
    for rank in (1, 0):
        lose(rank, screen, home)
    process.kill()
    process.wait()
    wait_until(lambda: not processes_in(home), "the end of all processes")
    ended = events_of(home, "shared")[-1]
    assert isinstance(ended, e.RunFinished)
    assert ended.reason == "launcher ended"
    info = read_info(home / "runs/shared/checkpoints/latest.safetensors")[0]
    assert (info.step, info.training.batch_size, info.training.learning_rate) == (ended.step, 12, 0.001)
    resumed = cli("train", "--resume", "shared", "--max-steps", str(ended.step + 5), "--threads", "1")
    assert resumed.code == 0, resumed.err
    assert events_of(home, "shared")[-1].step == ended.step + 5
    assert len(list((home / "logs/shared").iterdir())) == 3  # the leader's, at the start and after each loss
    points = [step for step, _ in scalars_in(home / "logs/shared")[LOSS]]
    assert points == sorted(set(points))


def steer(screen: Screen) -> None:
    """Have every kind of command answered."""
    screen.send(c.Pause(), e.Paused)
    screen.send(c.Resume(), e.Resumed)
    screen.send(c.SetLearningRate(learning_rate=0.001), e.LearningRateChanged)
    screen.send(c.SetBatchSize(batch_size=12), e.BatchSizeChanged)
    screen.send(c.SampleNow(), e.TweetSampled)
    screen.send(c.SaveCheckpoint(name="kept"), e.CheckpointSaved)
    screen.send(c.LoadCheckpoint(name="kept"), e.CheckpointLoaded)
    screen.send(c.SetIntervals(eval_every=5, sample_every=0), e.EvalFinished)
    screen.send(c.Pause(), e.Paused)  # else the few steps of the finish may be over before it is cancelled
    screen.send(c.Finish(), e.FinishPlanned)
    screen.send(c.CancelFinish(), e.FinishCancelled)
    screen.send(c.Resume(), e.Resumed)


def lose(rank: int, screen: Screen, home: Path) -> None:
    """Kill a rank; wait until the run continues, on the same screen."""
    num_lost = len(losses_in(home))
    ranks_in(home)[rank].kill()
    wait_until(lambda: screen.bridge.badge == "restarting", "the badge")
    wait_until(lambda: screen.bridge.badge == "attached", "another connection")
    wait_until(lambda: len(losses_in(home)) > num_lost, "the reason")
    assert losses_in(home)[-1].startswith(f"Rank {rank} was killed. All processes started again")
    screen.events.clear()
    screen.wait_for(lambda event: isinstance(event, e.StepsFinished), "steps after the restart")


def test_the_screen_launches_a_run_that_quitting_saves_and_stops(
    open_terminal: OpenTerminal, home: Path, tweets: Path
) -> None:
    screen = open_terminal(*TWO, "--data", tweets, *QUIET, "--run-name", "watched", "--tensorboard", home / "logs")
    screen.wait_for("starting 2 processes")
    screen.wait_for(r"▶ training(.|\n)*step +[1-9](.|\n)*ranks +2, gloo")
    screen.press("q")
    screen.wait_for("y stop the run")
    screen.press("y")
    assert screen.wait_for_exit()[0] == 0
    assert "tweetgen-tui --resume watched" in screen.text
    ended = events_of(home, "watched")[-1]
    assert isinstance(ended, e.RunFinished)
    wait_until(lambda: not processes_in(home), "the end of the processes")
    assert scalars_in(home / "logs/watched")[LOSS][-1][0] == ended.step


def test_quitting_before_the_run_has_started_ends_its_launcher(
    open_terminal: OpenTerminal, home: Path, tweets: Path
) -> None:
    screen = open_terminal(*TWO, "--data", tweets, *QUIET, "--run-name", "watched")
    screen.wait_for("starting 2 processes")
    screen.press("q")
    assert screen.wait_for_exit()[0] == 0
    wait_until(lambda: not processes_in(home), "the end of the launcher")
    assert not journal_of(home).exists()

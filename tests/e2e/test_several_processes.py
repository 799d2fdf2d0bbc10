"""Two processes on gloo train one run, started by the screen, by `train` and by torchrun; one of them is killed."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.protocol import events as e
from engine.storage.folders import folder_of_run
from tests.cli.conftest import Launch
from tests.cli.program import processes_in
from tests.e2e.conftest import QUIET, OpenTerminal, quiet_config
from tests.e2e.terminal import events_of, journal_of, last_step, wait_for_end, wait_for_steps
from tests.engine.helpers import losses, of_type
from tests.engine.session.ranks.shared_runs import run_shared
from tests.event_files import LOSS, scalars_in
from tests.rank_kills import kill_after_a_save, rank_in
from tests.waiting import wait_until
from tui.process.attached import AttachedRun

pytestmark = [pytest.mark.ci, pytest.mark.timeout(300)]  # each starts up to five processes that import torch

TWO = ("--nproc-per-node", "2", "--device", "cpu")
NAMED = ("--run-name", "watched")
DOCS = Path(__file__).parents[2] / "docs/distributed.md"


def test_two_ranks_one_of_which_is_killed_have_the_losses_of_a_run_left_alone_and_the_screen_comes_back(
    open_terminal: OpenTerminal, home: Path, tweets: Path
) -> None:
    options = {"max_steps": 80, "seed": 1, "autosave_seconds": 1.0, "dropout": 0.0}
    line = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    screen = open_terminal(*TWO, "--data", tweets, *QUIET, *NAMED, *line, "--steps-per-second", "20")
    screen.wait_for("starting 2 processes")
    screen.wait_for(r"▶ training(.|\n)*step +[1-9](.|\n)*ranks +2, gloo")
    kill_after_a_save(home, "watched", rank=1, session=1)
    screen.wait_for("restarting")
    screen.wait_for("A process was lost")
    screen.wait_for("■ finished")
    screen.press("q", shows="y stop the run")
    screen.press("y")
    screen.assert_ends(0)
    assert "tweetgen-tui --resume watched" in screen.text
    wait_until(lambda: not processes_in(home), "the end of all processes")
    events = events_of(home)
    assert len(of_type(events, e.RunStarted)) == 2
    assert [event.reason for event in of_type(events, e.RunFinished)] == ["max_steps"]
    assert losses(events) == losses(run_shared(quiet_config(tweets, **options)))


def test_ctrl_c_saves_and_ends_a_run_whose_events_are_those_of_its_journal_and_the_second_kills_all(
    launch: Launch, home: Path, tweets: Path
) -> None:
    training = launch("train", *TWO, "--data", tweets, *QUIET, *NAMED, "--json")
    events = training.read_events("StepsFinished", 3)
    training.send(signal.SIGINT)
    ended = training.wait()
    assert ended.code == 130
    assert wait_for_end(home).reason == "interrupted"
    recorded = journal_of(home).read_text(encoding="utf-8").splitlines()
    assert ended.lines == recorded[-len(ended.lines) :]
    assert events[0]["first_step"] == 1
    training = launch("train", *TWO, "--resume", "watched", "--max-steps", "1000000")
    wait_for_steps(home, 10)
    rank_in(home, 0).suspend()
    training.send(signal.SIGINT)
    training.send_until_it_ends(signal.SIGINT)
    assert training.wait().code == 130
    wait_until(lambda: not processes_in(home), "the end of all processes")


@pytest.mark.parametrize("detaches", [True, False])
def test_a_run_lives_on_after_train_has_detached_or_was_killed_and_can_be_attached_to(
    launch: Launch, home: Path, tweets: Path, detaches: bool
) -> None:
    training = launch("train", *TWO, "--data", tweets, *QUIET, *NAMED, *(["--detach"] if detaches else []))
    if detaches:
        ended = training.wait()
        assert (ended.code, ended.error_lines[-1][-22:]) == (0, "tweetgen-tui attach watched"[-22:])
    else:
        wait_until(lambda: last_step(home), "the first step")
        training.send(signal.SIGKILL)
    wait_for_steps(home, 20)
    run = AttachedRun(folder_of_run("watched"))
    started = run.connect().started
    assert started is not None
    assert (started.world_size, started.backend) == (2, "gloo")
    run.stop("stopped by the user")
    assert wait_for_end(home).reason == "stopped by the user"
    assert run.wait(60)
    wait_until(lambda: not processes_in(home), "the end of all processes")


def test_the_documented_line_of_torchrun_trains_and_continues_where_a_rank_is_killed(home: Path, tweets: Path) -> None:
    [line] = re.findall(r"^torchrun (.*--standalone.*) --max-steps \d+$", DOCS.read_text("utf-8"), re.MULTILINE)
    command = [sys.executable, "-m", "torch.distributed.run", *shlex.split(line), "--data", str(tweets), *QUIET]
    options = ("--autosave-seconds", "1", "--steps-per-second", "20", "--max-steps", "80", *NAMED)
    tracked = ("--tensorboard", str(home / "logs"))
    with subprocess.Popen([*command, *options, *tracked], stderr=subprocess.PIPE, text=True) as process:
        kill_after_a_save(home, "watched", rank=1, session=1)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "All processes started again from the latest checkpoint (restart 1 of at most 3)." in err
    assert "watched: 80 steps" in err
    assert len(losses(events_of(home))) == 80
    assert [step for step, _ in scalars_in(home / "logs/watched")[LOSS]] == list(range(1, 81))


FAILING = """
import os
from engine.training.trainer import Trainer
from tui.__main__ import main

def step(self, *given, sound=Trainer.step):
    if os.environ["RANK"] == "{rank}" and self.step_count == 20:
        raise ZeroDivisionError("by zero")
    sound(self, *given)

Trainer.step = step
main()
"""


@pytest.mark.parametrize(
    ("rank", "words"), [(0, "ZeroDivisionError: by zero"), (1, "Rank 1: ZeroDivisionError: by zero")]
)
def test_an_error_of_a_rank_ends_all_in_order_and_torchrun_starts_none_again(
    home: Path, tweets: Path, tmp_path: Path, rank: int, words: str
) -> None:
    program = tmp_path / "failing.py"
    program.write_text(FAILING.format(rank=rank), encoding="utf-8")
    line = ["--standalone", "--nproc-per-node", "2", "--max-restarts", "3", program, "train", "--device", "cpu"]
    command = [sys.executable, "-m", "torch.distributed.run", *line, "--data", tweets, *QUIET, *NAMED]
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count(f"tweetgen-tui: {words}") == 2  # by each rank
    events = events_of(home)
    assert len(of_type(events, e.RunStarted)) == 1
    assert isinstance(failed := events[-1], e.RunFailed)
    assert failed.detail == words
    assert processes_in(home) == []

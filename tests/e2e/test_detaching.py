"""The screen may go, the training stays: detached by hand or by a dropped connection, attached to from anywhere."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil

from engine import events as e
from engine.checkpoint_info import read_info
from engine.journal import is_in_use, read_journal
from tests.cli.conftest import Launch
from tests.cli.program import Cli, processes_in
from tests.e2e.conftest import QUIET, Open
from tests.e2e.terminal import DEADLINE_SECONDS, Terminal
from tests.engine.stream_rules import assert_keeps_the_rules


def last_step(home: Path, run: str = "watched") -> int:
    """Return the last step that the journal of a run tells of."""
    return max((event.step for event in read_journal(home / "runs" / run / "events.jsonl")), default=0)


def wait_for_steps(home: Path, num_steps: int, run: str = "watched") -> None:
    """Wait until a run has come so many steps further."""
    before, deadline = last_step(home, run), time.monotonic() + DEADLINE_SECONDS
    while last_step(home, run) < before + num_steps:
        assert time.monotonic() < deadline, "the run does not go on"
        time.sleep(0.05)


def wait_for_end(home: Path, run: str = "watched") -> e.Event:
    """Wait until no process has a run any more; return its last event."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_in_use(home / "runs" / run / "events.jsonl"):
        assert time.monotonic() < deadline, "the run does not end"
        time.sleep(0.05)
    told = list(read_journal(home / "runs" / run / "events.jsonl"))
    assert_keeps_the_rules(told)
    return told[-1]


def trainer_of(home: Path) -> psutil.Process:
    """Return the process that trains: of those with this data folder, the one with torch in it."""
    return max(processes_in(home), key=lambda process: process.memory_info().rss)


def losses_of(home: Path, run: str) -> dict[int, float]:
    """Return the loss of every step of a run."""
    losses: dict[int, float] = {}
    for event in read_journal(home / "runs" / run / "events.jsonl"):
        if isinstance(event, e.StepsFinished):
            losses.update(zip(range(event.first_step, event.step + 1), event.train_losses, strict=True))
    return losses


def test_a_dropped_connection_leaves_the_training_and_attach_steers_it_to_its_end(
    screen: Terminal, open_terminal: Open, home: Path, tweets: Path, launch: Launch
) -> None:
    screen.hang_up()
    wait_for_steps(home, 50)
    attached = open_terminal("attach", "watched")
    attached.wait_for("▶ training")
    attached.press("+", "+")
    attached.wait_for("temperature 0.90")
    attached.press("g")
    attached.wait_for("0.90 [●◐○]")
    attached.press("space")
    attached.wait_for("‖ paused")
    attached.press("space")
    attached.wait_for("▶ training")
    attached.press("q")
    attached.wait_for("e end the run")
    attached.press("e")
    assert attached.wait_for_exit()[0] == 0
    assert attached.modes_left_set == []
    assert "tweetgen-tui --resume watched" in attached.text
    ended = wait_for_end(home)
    assert isinstance(ended, e.RunFinished)
    assert ended.reason == "stopped by the user"
    assert read_info(home / "runs/watched/checkpoints/latest.safetensors")[0].step == ended.step
    undisturbed = launch("train", "--json", "--data", tweets, *QUIET, "--run-name", "undisturbed")
    while undisturbed.read_events("StepsFinished")[0]["step"] < ended.step:
        pass
    undisturbed.send(signal.SIGTERM)
    undisturbed.wait()
    losses = losses_of(home, "undisturbed")
    assert losses_of(home, "watched") == {step: losses[step] for step in range(1, ended.step + 1)}


def test_d_gives_the_shell_back_with_a_line_and_the_run_goes_on(
    screen: Terminal, open_terminal: Open, home: Path
) -> None:
    screen.press("d")
    status, seconds = screen.wait_for_exit()
    assert (status, seconds < 5.0) == (0, True)
    assert screen.modes_left_set == []
    assert screen.text.strip() == "The run watched goes on in the background:  tweetgen-tui attach watched"
    trainer = trainer_of(home)
    assert all(os.readlink(f"/proc/{trainer.pid}/fd/{number}") == os.devnull for number in range(3))
    assert trainer.terminal() is None
    wait_for_steps(home, 50)
    trainer.send_signal(signal.SIGTERM)
    ended = wait_for_end(home)
    assert isinstance(ended, e.RunFinished)
    assert ended.reason == "terminated"


def test_several_watch_one_run_and_what_one_does_the_others_see(screen: Terminal, open_terminal: Open) -> None:
    second = open_terminal("attach", columns=80, rows=24)
    second.wait_for("This is the run watched")
    second.wait_for("▶ training")
    third = open_terminal("attach", "watched", "--read-only", columns=80, rows=24)
    third.wait_for("▶ training")
    second.press("+")
    for terminal in (second, third, screen):
        terminal.wait_for(r"temp(erature)? +0\.85")
    third.press("-")
    third.wait_for("only watching")
    third.press("q")
    assert third.wait_for_exit()[0] == 0
    assert "The run watched goes on" in third.text
    screen.press("space")
    second.wait_for("‖ paused")
    second.press("space")
    screen.wait_for("▶ training")
    screen.press("q")
    assert screen.wait_for_exit()[0] == 0
    second.wait_for("The run is over")
    second.press("q")
    assert second.wait_for_exit()[0] == 0


def test_train_detach_gives_the_shell_back_once_it_has_started_and_ends_by_its_budget(
    launch: Launch, cli: Cli, home: Path, tweets: Path
) -> None:
    started = launch("train", "--data", tweets, *QUIET, "--run-name", "watched", "--max-steps", "1500", "--detach")
    finished = started.wait()
    assert finished.code == 0, finished.err
    assert finished.error_lines[-1] == "The run watched goes on in the background:  tweetgen-tui attach watched"
    listed = [facts for facts in cli("runs", "list", "--json").objects if facts["run"] == "watched"]
    assert [(facts["state"], facts["elapsed_seconds"] > 0) for facts in listed] == [("training", True)]
    ended = wait_for_end(home)
    assert isinstance(ended, e.RunFinished)
    assert (ended.reason, ended.step) == ("max_steps", 1500)
    told = cli("attach", "watched")
    assert told.code == 0
    assert told.error_lines[0] == "The run has ended: max steps."
    assert "--resume watched --max-steps 3000" in told.error_lines[-1]
    [facts] = cli("runs", "list", "--json").objects
    assert (facts["state"], facts["reason"]) == ("finished", "max_steps")


def test_a_failure_of_a_run_that_is_to_be_detached_is_told_where_it_was_asked_for(launch: Launch, home: Path) -> None:
    finished = launch("train", "--data", home / "none.txt", "--detach").wait()
    assert finished.code == 1
    assert "none.txt" in finished.error_lines[-2]


def test_a_detached_screen_whose_budget_is_used_up_ends_when_nobody_is_there(
    open_terminal: Open, home: Path, tweets: Path
) -> None:
    terminal = open_terminal("--data", tweets, *QUIET, "--run-name", "watched", "--max-steps", "12")
    terminal.wait_for("The run is over: max steps reached")
    terminal.hang_up()
    ended = wait_for_end(home)
    assert isinstance(ended, e.RunFinished)
    assert terminal.wait_for_exit_without_terminal() == 0


def test_a_run_is_open_in_one_program_at_a_time(screen: Terminal, cli: Cli) -> None:
    refused = cli("train", "--resume", "watched")
    assert refused.code == 1
    assert "open in another program" in refused.error_lines[-2]
    assert "attach watched" in refused.error_lines[-1]


def test_nothing_to_attach_to_is_told(cli: Cli) -> None:
    assert cli("attach").error_lines[0] == "tweetgen-tui: No run is on."
    assert "no run called nosuch" in cli("attach", "nosuch").error_lines[0]


def test_a_key_that_comes_right_after_d_does_not_end_the_run(screen: Terminal, home: Path) -> None:
    screen.press("d", "q")
    assert screen.wait_for_exit()[0] == 0
    assert "goes on in the background" in screen.text
    wait_for_steps(home, 20)

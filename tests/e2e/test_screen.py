"""The program in a terminal: it paints, its keys steer a real run, and it quits with a restored terminal.

`train` shows a progress bar that is cleared at the end.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest

from engine.checkpoints.metadata import read_info
from tests.cli.program import SMALL_MODEL, Cli, assert_two_line_error, write_tweets
from tests.e2e.conftest import QUIET, OpenTerminal
from tests.e2e.journals import events_of
from tests.e2e.terminal import Terminal
from tests.event_files import LOSS, scalars_in
from tests.recorded_runs import run_of, write_run

A_TWEET = r"[●◐○] .*{}  \d\.\d\d"


@pytest.mark.ci
def test_keys_resizing_checkpoints_and_a_branch_work_on_a_real_run(screen: Terminal) -> None:
    screen.press("+", shows=r"temperature +0\.85")
    screen.press("space", shows="‖ paused")
    screen.press("g", shows=A_TWEET.format("0.85"))
    screen.press("t", shows=r"step [\d,]+ · seed \d+")
    screen.press("escape", lacks="Temperature ladder")
    screen.resize(40, 12)
    screen.wait_until(lambda: is_complete(screen, 40, 12), "never complete at 40x12")
    screen.resize(30, 8)
    screen.wait_for("At least 40")
    for columns, rows in [(200, 60), (39, 11), (10, 3), (300, 100), (80, 24), (41, 13)]:
        screen.resize(columns, rows)
    screen.resize(120, 40)
    screen.wait_until(lambda: is_complete(screen, 120, 40), "never complete again at 120x40")
    screen.press("m", shows="m recaptures it")
    assert 1003 not in screen.modes_left_set
    screen.press("s", shows="Save a checkpoint")
    screen.press("here", "enter", shows="Saved as “here”")
    screen.press("l", shows=r"here +\d")
    screen.press("enter", shows=r"which is at this step(.|\n)*nothing is lost")
    screen.press("enter", shows=r"Loaded here: continuing from step \d")
    screen.press("l", shows=r"here +\d")
    screen.press("n", shows="The run watched is saved and ends")
    screen.press("y")
    runs = screen.home / "runs"
    screen.wait_until(lambda: len(list(runs.glob("*/events.jsonl"))) == 2, "no second run")
    screen.wait_for("▶ training")
    screen.wait_for("watched")  # in the plot, beside the new curve
    [journal] = [path for path in runs.glob("*/events.jsonl") if path.parent.name != "watched"]
    with journal.open(encoding="utf-8") as lines:
        started = json.loads(next(lines))
    ended = events_of(screen.home)[-1]
    assert started["resumed_from"] == "here"
    assert ended.step >= started["step"] > 0
    assert read_info(runs / "watched/checkpoints/latest.safetensors")[0].step == ended.step


def is_complete(screen: Terminal, columns: int, rows: int) -> bool:
    """Return whether status, plot, feed and keys are drawn and fill the terminal."""
    lines = screen.text.splitlines()
    feed_top = [line for line in lines if line.startswith("━ tweets ")]
    return (
        len(lines) == rows
        and lines[-1].strip().startswith("space")
        and "step" in screen.text
        and [len(line) for line in feed_top] == [columns]
        and " train" in screen.text
    )


def test_the_screen_paints_before_torch_is_loaded_and_q_quits_at_once(
    open_terminal: OpenTerminal, tweets: Path
) -> None:
    terminal = open_terminal("--data", tweets, *SMALL_MODEL)
    terminal.wait_for(r"loading torch(.|\n)*q quit")
    terminal.press("q")
    terminal.assert_ends(0)
    assert "Traceback" not in terminal.text


@pytest.mark.ci
def test_a_finished_run_stays_on_the_screen_samples_and_continues_until_q(
    open_terminal: OpenTerminal, tweets: Path, home: Path
) -> None:
    budget = ("--max-steps", "12", "--run-name", "short", "--tensorboard", str(home / "logs"))
    terminal = open_terminal("--data", tweets, *SMALL_MODEL, *budget, columns=80, rows=24)
    terminal.wait_for(r"■ finished: 12 steps in 0:0\d +best [\d.]+ .*at step 12 +saved: best, latest")
    terminal.wait_for("step 12 of 12")
    terminal.press("+", "g", shows=r"\b12 [●◐○] ")
    terminal.press("space", shows=r"as much again +until step 24")
    terminal.press("3", shows=r"■ finished: 24 steps in")
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert "best" in terminal.text
    assert "tweetgen-tui --resume short --max-steps 48" in terminal.text
    assert [step for step, _ in scalars_in(home / "logs/short")[LOSS]] == list(range(1, 25))


@pytest.mark.ci
def test_a_file_dropped_while_a_run_starts_replaces_it_by_a_run_on_that_file_and_ctrl_c_in_a_dialog_saves_it(
    open_terminal: OpenTerminal, tweets: Path, home: Path, tmp_path: Path
) -> None:
    others = write_tweets(tmp_path / "other tweets.txt")
    terminal = open_terminal("--data", tweets, *QUIET, columns=80, rows=24)
    terminal.wait_for("tweets appear here")
    terminal.press(f"\x1b[200~'{others}'\x1b[201~", shows="can be used")  # as terminals paste dropped files
    terminal.press("enter", shows=r"▶ training +other tweets +\d+")
    terminal.press("s", shows="Save a checkpoint")
    terminal.press("ctrl+c")
    terminal.assert_ends(130)
    [run] = re.findall(
        r"^(\S+): [\d,]+ steps in 0:(?:.|\n)*^Continue it:  tweetgen-tui --resume \1$", terminal.text, re.MULTILINE
    )
    saved, _ = read_info(home / "runs" / run / "checkpoints/latest.safetensors")
    assert saved.step == events_of(home, run)[-1].step


def test_an_error_before_the_start_is_two_lines_and_the_screen_never_opens(cli: Cli) -> None:
    command = importlib.import_module("tui.cli.commands.screen")
    for stream in (sys.stdin, sys.stderr):
        cli.monkeypatch.setattr(stream, "isatty", lambda: True)
    cli.monkeypatch.setenv("TERM", "dumb")
    assert_two_line_error(cli(), "needs a terminal", "tweetgen-tui train")
    for name in ("require_terminal", "start_job_control"):
        cli.monkeypatch.setattr(command, name, lambda *_: None)
    cli.monkeypatch.setattr(command, "show", lambda *_, **__: pytest.fail("the screen has opened"))
    assert_two_line_error(cli("--resume", "nothing"), "no run called nothing", "runs list")


@pytest.mark.ci
def test_the_progress_bar_is_shown_while_events_go_to_a_file_and_ctrl_c_saves_and_clears_it(
    open_terminal: OpenTerminal, home: Path, tweets: Path, tmp_path: Path
) -> None:
    output = tmp_path / "events.jsonl"
    options = ["--data", str(tweets), *SMALL_MODEL, "--max-seconds", "900", "--run-name", "watched", "--json"]
    command = f"exec {shlex.join([sys.executable, '-m', 'tui', 'train', *options])} > {shlex.quote(str(output))}"
    terminal = open_terminal(program=("/bin/sh", "-c", command))
    terminal.wait_for(r"step [\d,]+  epoch [\d.]+  loss [\d.]+ bits/char .*stops in 1\d min")
    terminal.press("ctrl+c")
    terminal.assert_ends(130)
    assert "stops in" not in terminal.text
    assert "Continue it:  tweetgen-tui --resume watched" in terminal.text
    assert b'"event"' not in terminal.raw
    events = [json.loads(line)["event"] for line in output.read_text(encoding="utf-8").splitlines()]
    assert (events[0], events[-1]) == ("RunStarted", "RunFinished")
    assert read_info(home / "runs" / "watched" / "checkpoints" / "latest.safetensors")[0].step > 0


@pytest.mark.ci
def test_ctrl_c_while_a_replay_is_recorded_clears_its_bar_and_leaves_no_file(
    open_terminal: OpenTerminal, home: Path, tmp_path: Path
) -> None:
    write_run(home, run_of(60))
    terminal = open_terminal("runs", "replay", "first", "--cast", tmp_path / "run.cast", "--speed", "0.1")
    terminal.wait_for("% .* recorded")
    terminal.press("ctrl+c")
    terminal.assert_ends(130)
    assert "recorded" not in terminal.text
    assert list(tmp_path.glob("run.cast*")) == []


@pytest.mark.ci
def test_repeated_ctrl_c_while_torch_loads_restores_the_terminal(open_terminal: OpenTerminal, tweets: Path) -> None:
    terminal = open_terminal("train", "--data", tweets, *SMALL_MODEL)
    terminal.wait_for("loading torch")
    terminal.send_signal_until_exit(signal.SIGINT)
    terminal.assert_ends(130)

"""`tweetgen-tui train` on a terminal: a progress bar that is cleared at the end."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path

import pytest

from engine.checkpoints.metadata import read_info
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import OpenTerminal
from tests.recorded_runs import run_of, write_run

pytestmark = pytest.mark.ci


def test_the_progress_bar_is_shown_while_events_go_to_a_file_and_ctrl_c_saves_and_clears_it(
    open_terminal: OpenTerminal, home: Path, tweets: Path, tmp_path: Path
) -> None:
    output = tmp_path / "events.jsonl"
    options = ["--data", str(tweets), *SMALL_MODEL, "--max-seconds", "900", "--run-name", "watched", "--json"]
    command = f"exec {shlex.join([sys.executable, '-m', 'tui', 'train', *options])} > {shlex.quote(str(output))}"
    terminal = open_terminal(program=("/bin/sh", "-c", command))
    terminal.wait_for(r"step [\d,]+  epoch [\d.]+  loss [\d.]+ bits/char .*stops in 1\d min")
    terminal.press("ctrl+c")
    assert terminal.wait_for_exit()[0] == 130
    assert terminal.is_restored
    assert "stops in" not in terminal.text
    assert "Continue it:  tweetgen-tui --resume watched" in terminal.text
    assert b'"event"' not in terminal.raw
    events = [json.loads(line)["event"] for line in output.read_text(encoding="utf-8").splitlines()]
    assert (events[0], events[-1]) == ("RunStarted", "RunFinished")
    assert read_info(home / "runs" / "watched" / "checkpoints" / "latest.safetensors")[0].step > 0


def test_ctrl_c_while_a_replay_is_recorded_clears_its_bar_and_leaves_no_file(
    open_terminal: OpenTerminal, home: Path, tmp_path: Path
) -> None:
    write_run(home, run_of(60))
    terminal = open_terminal("runs", "replay", "first", "--cast", tmp_path / "run.cast", "--speed", "0.1")
    terminal.wait_for("% .* recorded")
    terminal.press("ctrl+c")
    assert terminal.wait_for_exit()[0] == 130
    assert terminal.is_restored
    assert "recorded" not in terminal.text
    assert list(tmp_path.glob("run.cast*")) == []


def test_repeated_ctrl_c_while_torch_loads_restores_the_terminal(open_terminal: OpenTerminal, tweets: Path) -> None:
    terminal = open_terminal("train", "--data", tweets, *SMALL_MODEL)
    terminal.wait_for("loading torch")
    terminal.send_signal_until_exit(signal.SIGINT)
    assert terminal.wait_for_exit()[0] == 130
    assert terminal.is_restored

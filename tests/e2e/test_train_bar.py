"""`tweetgen-tui train` on a terminal: a progress bar that leaves nothing behind."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path

from engine.checkpoints.metadata import read_info
from tests.cli.program import SMALL_MODEL
from tests.e2e.conftest import Open


def test_the_bar_shows_the_progress_beside_events_in_a_file_and_ctrl_c_saves_and_takes_it_away(
    open_terminal: Open, home: Path, tweets: Path, tmp_path: Path
) -> None:
    told = tmp_path / "events.jsonl"
    options = ["--data", str(tweets), *SMALL_MODEL, "--max-seconds", "900", "--run-name", "watched", "--json"]
    command = f"exec {shlex.join([sys.executable, '-m', 'tui', 'train', *options])} > {shlex.quote(str(told))}"
    terminal = open_terminal(program=("/bin/sh", "-c", command))
    terminal.wait_for(r"step [\d,]+  epoch [\d.]+  loss [\d.]+ .*stops in 1\d min")
    terminal.press("ctrl+c")
    assert terminal.wait_for_exit()[0] == 130
    assert terminal.is_at_rest
    assert "stops in" not in terminal.text
    assert "Go on with it:  tweetgen-tui --resume watched" in terminal.text
    assert b'"event"' not in terminal.raw
    events = [json.loads(line)["event"] for line in told.read_text(encoding="utf-8").splitlines()]
    assert (events[0], events[-1]) == ("RunStarted", "RunFinished")
    assert read_info(home / "runs" / "watched" / "checkpoints" / "latest.safetensors")[0].step > 0


def test_an_impatient_ctrl_c_gives_the_cursor_back_too(open_terminal: Open, tweets: Path) -> None:
    terminal = open_terminal("train", "--data", tweets, *SMALL_MODEL)
    terminal.wait_for("loading torch")
    terminal.send_signal_until_it_ends(signal.SIGINT)
    assert terminal.wait_for_exit()[0] == 130
    assert terminal.is_at_rest

"""Ways in: a new run, a resumed one, and those that are refused before the screen opens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Open
from tests.e2e.terminal import Terminal


def test_it_paints_before_torch_is_loaded_and_trains_on_the_embedded_tweets(open_terminal: Open) -> None:
    terminal = open_terminal("--hidden-size", "8", "--embedding-size", "4", "--threads", "1", NO_COLOR="1")
    terminal.wait_for(r"loading torch(.|\n)*q quit")
    assert "training" not in terminal.text
    terminal.wait_for("▶ training")
    terminal.wait_for("corpus +happy tweets")
    assert not _colours(bytes(terminal.raw)), "NO_COLOR is set"


def _colours(raw: bytes) -> set[tuple[int, ...]]:
    """Return the colours that were set, those of grey left out."""
    found = {tuple(map(int, match)) for match in re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", raw)}
    return {colour for colour in found if max(colour) - min(colour) > 2}


def test_resume_last_goes_on_in_the_same_run_with_its_tweets_on_the_screen(open_terminal: Open, trained: Path) -> None:
    journal = (trained / "runs" / "first" / "events.jsonl").read_text(encoding="utf-8")
    told = [event["text"] for event in map(json.loads, journal.splitlines()) if event["event"] == "TweetSampled"]
    terminal = open_terminal("--resume", "last", "--max-steps", "1000000")
    terminal.wait_for("▶ training")
    assert told[0][:40] in terminal.text
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert [path.name for path in (trained / "runs").iterdir()] == ["first"]


def test_a_run_without_a_journal_opens_and_one_that_is_over_says_so(open_terminal: Open, trained: Path) -> None:
    (trained / "runs" / "first" / "events.jsonl").unlink()
    terminal = open_terminal("--resume", "first")
    terminal.wait_for("The run is over: max steps reached")
    terminal.press("q")
    assert terminal.wait_for_exit()[0] == 0
    assert "--resume first --max-steps 80" in terminal.text


def _assert_refused(terminal: Terminal, *words: str) -> None:
    status, _ = terminal.wait_for_exit()
    assert status == 1
    assert not terminal.has_opened_screen
    lines = terminal.text.strip().splitlines()
    assert len(lines) == 2, terminal.text
    assert lines[0].startswith("tweetgen-tui: ")
    for word in words:
        assert word in "\n".join(lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "/nowhere/x.txt"), ["/nowhere/x.txt", "No such file"]),
        (("--temperature", "9"), ["Set --temperature"]),
        (("--resume", "nothing"), ["no run called nothing", "runs list"]),
    ],
)
def test_a_mistake_is_told_in_two_lines_and_the_screen_never_opens(
    open_terminal: Open, arguments: tuple[str, ...], words: list[str]
) -> None:
    _assert_refused(open_terminal(*arguments, columns=200), *words)


def test_a_folder_in_the_way_is_told_before_the_screen_opens(open_terminal: Open, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    terminal = open_terminal(TWEETGEN_HOME=str(tmp_path / "file"), columns=200)
    _assert_refused(terminal, "can't be written", "TWEETGEN_HOME")


def test_a_dumb_terminal_is_refused_with_the_way_that_works(open_terminal: Open) -> None:
    _assert_refused(open_terminal(TERM="dumb"), "needs a terminal", "tweetgen-tui train")

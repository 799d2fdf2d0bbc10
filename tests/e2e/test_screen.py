"""The program in a terminal: it paints, its keys steer a real run, and it quits with a restored terminal.

`train` shows a progress bar that is cleared at the end. Terminals get few colours, ASCII and no hostile text where that
is all they can have: only escape sequences that the program itself uses.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import shlex
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.checkpoints.format import read_info
from engine.storage.folders import create_run_folder
from engine.storage.journal import Journal
from tests import hostile
from tests.cli.program import SMALL_MODEL, Cli, assert_two_line_error, write_tweets
from tests.e2e.conftest import QUIET, SCRIPTED, SLOWLY, OpenTerminal
from tests.e2e.terminal import Terminal, events_of
from tests.recorded_runs import run_of, write_run
from tui.app.typing_ahead import DROP_SECONDS
from tui.lesson.stops import Progress, lock_lesson, progress_path, read_progress, write_progress

A_TWEET = r"[●◐○] .*{}  \d\.\d\d"


def whole(columns: int, rows: int) -> str:
    """Return a pattern of status, plot, feed and keys that fill the terminal."""
    keys_in_the_last_row = rf"(?=(.*\n){{{rows - 1}}} *(k pin .*)?space.*\Z)"
    figures = r"(?=(.|\n)*step)(?=(.|\n)* train)"
    heading_of_full_width = rf"(.|\n)*\n(?=━ tweets ).{{{columns}}}\n"
    return rf"\A{keys_in_the_last_row}{figures}{heading_of_full_width}"


def answer(screen: Terminal, key: str) -> None:
    """Answer a question that the screen shows, once it no longer drops the keys of before."""
    seen_at = time.monotonic()
    screen.wait_until(lambda: time.monotonic() > seen_at + DROP_SECONDS, "the clock stands still")
    screen.press(key)


@pytest.mark.ci
def test_keys_resizing_checkpoints_and_a_branch_work_on_a_real_run(open_terminal: OpenTerminal, tweets: Path) -> None:
    screen = open_terminal("--data", tweets, *SLOWLY, "--run-name", "watched")
    screen.wait_for(r"▶ training(.|\n)*step +[1-9]")
    screen.press("+", shows=r"temperature +0\.85")
    screen.press("space", shows="‖ paused")
    screen.press("g", shows=A_TWEET.format("0.85"))
    screen.press("t", shows=r"step [\d,]+ · seed \d+")
    screen.press("escape", lacks="Temperature ladder")
    screen.resize(40, 12)
    screen.wait_for(whole(40, 12))
    screen.resize(30, 8)
    screen.wait_for("At least 40")
    for columns, rows in [(200, 60), (39, 11), (10, 3), (300, 100), (80, 24), (41, 13)]:
        screen.resize(columns, rows)
    screen.resize(120, 40)
    screen.wait_for(whole(120, 40))
    screen.press("m", shows="m recaptures it")
    assert 1003 not in screen.modes_left_set
    screen.press("s", shows="Save a checkpoint")
    screen.press("here", "enter", shows="Saved as “here”")
    screen.press("l", shows=r"here +\d")
    screen.press("enter", shows=r"which is at this step(.|\n)*nothing is lost")
    answer(screen, "enter")
    screen.wait_for(r"Loaded here: continuing from step \d")
    screen.press("l", shows=r"here +\d")
    screen.press("n", shows="The run watched is saved and ends")
    answer(screen, "y")
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


def test_the_screen_paints_before_torch_is_loaded_and_q_quits_at_once(
    open_terminal: OpenTerminal, tweets: Path
) -> None:
    terminal = open_terminal("--data", tweets, *SMALL_MODEL)
    terminal.wait_for(r"loading torch(.|\n)*q quit")
    terminal.press("q")
    terminal.assert_ends(0)
    assert "Traceback" not in terminal.text


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


def test_a_new_run_begins_with_which_runs_train_in_the_background(cli: Cli, home: Path) -> None:
    command, welcomes = importlib.import_module("tui.cli.commands.screen"), list[str]()
    for name in ("require_terminal", "start_job_control"):
        cli.monkeypatch.setattr(command, name, lambda *_: None)
    cli.monkeypatch.setattr(command, "local_runs", lambda _: lambda *_: SimpleNamespace())
    cli.monkeypatch.setattr(command, "show", lambda connection, *_, **__: welcomes.append(connection.welcome))
    with contextlib.ExitStack() as active:
        for name in ("ended", "my cat", "mine"):
            folder = create_run_folder(name)
            folder.config_path.touch()
            journal = active.enter_context(contextlib.closing(Journal(folder.journal_path)))
            if name == "ended":
                journal.close()
            cli()
    assert welcomes == [
        "",
        'The run "my cat" trains in the background: tweetgen-tui attach "my cat" shows it.',
        "2 runs train in the background: tweetgen-tui runs list shows which.",
    ]


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


# What terminals get and send ------------------------------------------------------------------------------------------

_WILD = (*SLOWLY, "--sample-every", "2", "--temperature", "5", "--run-name", "zqj + run")
_SGR = re.compile(rb"\x1b\[([0-9;]*)m")
_BEYOND_16_COLOURS = re.compile(rb"(?:^|;)[34]8;[25];")
_COLOURS = {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}


def test_a_16_colour_terminal_in_an_ascii_locale_gets_only_its_colours_and_ascii(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(program=SCRIPTED, TERM="xterm", COLORTERM="", LC_ALL="C")
    terminal.wait_for("> training")
    terminal.wait_for(r"= tweets =+")
    for key in ("?", "s", "l"):
        terminal.press(key, shows="esc close")
        terminal.press("escape", lacks="esc close")
    raw = bytes(terminal.raw)
    assert re.findall(rb".{0,20}[\x80-\xff]+.{0,20}", raw) == []
    assert not [codes for codes in _SGR.findall(raw) if _BEYOND_16_COLOURS.search(codes)]
    numbers = {int(number) for codes in _SGR.findall(raw) for number in codes.split(b";") if number}
    assert len(numbers & _COLOURS) >= 5


@pytest.mark.ci
def test_no_color_emits_greys_only_and_the_option_ascii_leaves_tweets_unchanged(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal("--ascii", program=SCRIPTED, NO_COLOR="1", LANG="C.UTF-8", LC_ALL="C.UTF-8")
    terminal.wait_for("hello ñ there")
    terminal.wait_for("> training")
    assert set(terminal.text) - {"ñ"} <= {chr(code) for code in range(128)}
    triples = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", bytes(terminal.raw))
    assert len(triples) > 10
    assert all(red == green == blue for red, green, blue in triples)


def test_text_after_a_key_that_opens_a_line_is_typed_into_it_and_bytes_that_are_not_utf8_as_replacement_characters(
    open_terminal: OpenTerminal,
) -> None:
    terminal = open_terminal(program=SCRIPTED)
    terminal.wait_for("▶ training")
    terminal.press("pquick", shows="› quick")
    terminal.press("escape", lacks="› quick")
    terminal.press("sabc\x7fZ", shows="abZ")
    terminal.press("escape", lacks="abZ")
    assert "▶ training" in terminal.text
    terminal.press(b"\xff", b"\xc3(", b"\xe1 ", b"\x1b[200~\xe9\x1b[201~", "p", shows="enter sample")
    terminal.press(b"caf\xe9 ", b"\x1b[200~\xe9\xff\x1b[201~", "!", shows="› quickcaf\ufffd \ufffd\ufffd!")
    terminal.press("escape", lacks="enter sample")
    terminal.press("q")
    terminal.assert_ends(0)


def test_a_run_on_a_hostile_corpus_emits_none_of_its_escape_sequences(
    open_terminal: OpenTerminal, tmp_path: Path
) -> None:
    folder = tmp_path / "in\x1b[31m"
    folder.mkdir()
    for name in hostile.FILE_NAMES:
        (folder / os.fsdecode(name)).write_bytes(b"zqj\n")
    corpus = hostile.write_corpus(folder / "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile:.txt")
    terminal = open_terminal("--data", corpus, *_WILD, columns=80, rows=24)
    terminal.wait_for("▶ training")
    terminal.wait_for(r"\d [●◐○] ")
    terminal.press("enter", shows="Tweet of step")
    terminal.press("escape", lacks="Tweet of step")
    terminal.press("p", shows="enter sample")
    # without ESC, which terminals remove from pastes
    terminal.press("\x1b[200~zqj\x07\x9b31m\u202e\x1b[201~", shows="› zqj")
    terminal.press("escape", lacks="enter sample")
    terminal.press("o", shows="-zqj --help.txt")
    terminal.press("escape", lacks="Open other tweets")
    terminal.press("q")
    terminal.assert_ends(0)
    assert "--resume" in terminal.text
    assert sorted(set(hostile.unknown_sequences(bytes(terminal.raw)))) == []
    assert list(hostile.unknown_sequences(hostile.ESCAPES["clipboard"].encode()))
    assert [text for text in hostile.ESCAPES.values() if text.encode() in terminal.raw] == []
    assert b"\x1b]0;PWNED" not in terminal.raw


# The lesson -----------------------------------------------------------------------------------------------------------


def test_a_stop_is_done_on_the_real_model_and_the_lesson_goes_on_there(open_terminal: OpenTerminal, home: Path) -> None:
    terminal = open_terminal("lesson", "--stop", "2", columns=80, rows=24)
    terminal.wait_for(r"V = \d+")
    terminal.press(*["enter"] * 4, shows=r"\[2✓\](.|\n)*[\d,]+ parameters in all")
    terminal.press("q")
    terminal.assert_ends(0)
    terminal.wait_for("The lesson continues at stop 2: tweetgen-tui lesson")
    assert [path.name for path in (home / "lesson" / "runs").iterdir()] == ["lesson"]
    assert not (home / "runs").exists()


@pytest.mark.ci
def test_the_palette_saves_and_stops_the_run_and_opens_the_lesson_in_its_place(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(program=SCRIPTED, columns=80, rows=24)
    terminal.wait_for("hello ñ there")
    terminal.press("ctrl+p", shows="Search")
    terminal.press("the lesson", shows="Save and stop this run, and open the guided lesson")
    terminal.press("enter", shows="Open the lesson")
    terminal.press("y", shows=r"\[1\] 2 3 4 5 6 7 8  Characters(.|\n)*a matrix of 20 x 40")
    terminal.press("escape", shows="q quit")
    terminal.press("q")
    terminal.assert_ends(0)
    terminal.wait_for("The lesson continues at stop 1")


def test_a_lesson_is_refused_without_a_terminal_at_a_stop_that_does_not_exist_and_while_another_is_open(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("lesson", "--stop", "9").code == 2
    assert_two_line_error(cli("lesson"), "needs a terminal")
    command = importlib.import_module("tui.cli.commands.screen")
    monkeypatch.setattr(command, "require_terminal", lambda _hint: None)
    monkeypatch.setattr(command, "start_job_control", lambda: None)
    write_progress(progress_path(), Progress(3))
    descriptor = lock_lesson()
    refused = cli("lesson", "--stop", "4")
    os.close(descriptor)
    assert_two_line_error(refused, "The lesson is open in another terminal", "Go on there, or leave it there with q")
    assert read_progress(progress_path()) == Progress(3)

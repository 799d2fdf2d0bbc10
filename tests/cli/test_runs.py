"""`runs`: what is said of a run in each state; a replay on a screen, and to a file that asciinema plays."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pyte
import pytest
from asciinema.asciicast import open_from_url
from syrupy.assertion import SnapshotAssertion

from engine.protocol import codec
from engine.protocol.events import Event, RunFailed
from engine.storage.files import try_lock
from tests.cli.program import PROGRAM, Cli
from tests.fakes import run_started, steps_finished, steps_thinned
from tests.recorded_runs import TWEET, run_of, write_run
from tests.tui.process.host_and_client import RUN, hosted
from tui.cli.commands import runs
from tui.cli.commands.runs import facts_of, row_of
from tui.run.replay import ReplayedRun


def _replace(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")


def _end_with(path: Path, line: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:-1], line]), encoding="utf-8")


def _configure(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


FAILED = RunFailed(step=40, elapsed_seconds=1.0, title="Loss not finite", detail="It is nan.", hint="Lower it.")
RUNS: dict[str, Callable[[Path], object]] = {
    "stopped": lambda run: _replace(run / "events.jsonl", '"max_steps"', '"stopped by the user"'),
    "terminated": lambda run: _replace(run / "events.jsonl", '"max_steps"', '"terminated"'),
    "failed": lambda run: _end_with(run / "events.jsonl", codec.encode(FAILED) + "\n"),
    "cut off": lambda run: _end_with(run / "events.jsonl", '{"event":"StepsFin'),
    "damaged": lambda run: (run / "checkpoints" / "latest.safetensors").write_bytes(b"x"),
    "of two processes": lambda run: _configure(run / "config.json", world_size=2, backend="gloo"),
    "with an invalid config": lambda run: (run / "config.json").write_text('{"world_size": "two"}'),
}


def test_runs_are_listed_with_what_became_of_them(cli: Cli, trained: Path, snapshot: SnapshotAssertion) -> None:
    (trained / "runs" / "stray").mkdir()  # no run
    (trained / "runs" / "file").touch()
    rows = cli.transcript("runs list").splitlines()
    for name, change in RUNS.items():
        change(Path(shutil.copytree(trained / "runs" / "first", trained / "runs" / name)))
    heading, *more = cli.transcript("runs list").splitlines()[1:]
    for name in ("first", *RUNS):
        shutil.rmtree(trained / "runs" / name)
    none = cli.transcript("runs list").splitlines()
    assert "\n".join([*rows, heading, *sorted(more), *none]) == snapshot


def test_the_list_of_runs_as_json_has_an_object_per_line(cli: Cli, trained: Path) -> None:
    run = cli("runs", "list", "--json").object
    assert (run["run"], run["step"], run["corpus"], run["problem"]) == ("first", 40, "tweets.txt", "")
    assert (run["state"], run["reason"], run["world_size"]) == ("finished", "max_steps", 1)
    assert run["best_bits_per_char"] > 0
    assert Path(run["path"]) == trained / "runs" / "first"
    RUNS["damaged"](trained / "runs" / "first")
    assert "damaged" in cli("runs", "list", "--json").object["problem"]


def test_a_run_that_trains_is_listed_as_it_says_itself_without_a_latest_and_with_one_that_can_not_be_read() -> None:
    with hosted(run_started(run=RUN, corpus="own.csv")) as made:
        latest = made.folder.checkpoint_path("latest")
        latest.parent.mkdir()
        for write in (lambda: None, lambda: latest.write_bytes(b"x")):
            write()
            facts = facts_of(made.folder)
            assert (facts["corpus"], facts["problem"]) == ("own.csv", "")
            assert row_of(facts, has_ranks=False)[-1] == "training"
    assert row_of(facts_of(made.folder), has_ranks=False)[-1] == "can't be resumed"


def test_the_run_is_replayed_on_a_screen_at_the_given_speed(cli: Cli, home: Path) -> None:
    path, show = write_run(home, run_of(2)), mock.Mock()
    for name in ("require_terminal", "start_job_control"):
        cli.monkeypatch.setattr(f"tui.cli.commands.runs.{name}", mock.Mock())
    cli.monkeypatch.setattr("tui.cli.commands.runs.show", show)
    for line, speed in (("first", 10.0), ("last --speed 2.5", 2.5), ("first --speed max", float("inf"))):
        assert cli("runs", "replay", *line.split()).code == 0
        replay, history, *_ = show.call_args.args
        assert isinstance(replay, ReplayedRun)
        assert (replay._path, replay._speed) == (path, speed)
        assert history.is_replay


def read_cast(text: str) -> tuple[dict[str, Any], list[tuple[float, str]]]:
    """Return the header of a cast, and its outputs with their times."""
    header, *events = map(json.loads, text.splitlines())
    assert {kind for _, kind, _ in events} == {"o"}
    return header, [(seconds, output) for seconds, _, output in events]


def screen_after(outputs: str, columns: int, rows: int) -> pyte.Screen:
    """Return what a terminal shows after some output."""
    screen = pyte.Screen(columns, rows)
    pyte.Stream(screen).feed(outputs)
    return screen


def test_asciinema_plays_a_cast_to_the_last_screen_of_the_replay(cli: Cli, home: Path, elsewhere: Path) -> None:
    cli.monkeypatch.chdir(elsewhere)
    write_run(home, run_of(6))
    Path("run.cast").write_text("mine", encoding="utf-8")
    ended = cli("runs", "replay", "first", "--cast", "run.cast", "--size", "80x24", "--speed", "4", "--force")
    assert (ended.code, ended.out) == (0, "")
    assert re.fullmatch(r"wrote run\.cast, [0-9.]+ .B\n", ended.err)
    with open_from_url("run.cast") as cast:
        played = list(cast.events("o"))
        header = cast.v2_header
    assert (header["width"], header["height"], header["title"]) == (80, 24, "tweetgen-tui: first")
    shown = "\n".join(screen_after("".join(output for _, _, output in played), 80, 24).display)
    assert all(text in shown for text in (TWEET.format(6), "end of the replay: 120 steps"))
    assert played[-1][0] == pytest.approx(1.5, abs=0.2)


@pytest.mark.ci
def test_the_cast_of_a_run_has_the_same_bytes_in_every_environment(home: Path) -> None:
    write_run(home, run_of(6))
    modern = {"PYTHONHASHSEED": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    plain = {"PYTHONHASHSEED": "2", "TERM": "dumb", "NO_COLOR": "1", "SSH_CONNECTION": "x", "COLUMNS": "50"}
    command = [*PROGRAM, "runs", "replay", "first", "--cast", "-"]
    environments = (os.environ | modern, os.environ | plain | {"LANG": "C"})
    one, other = (subprocess.check_output(command, env=each, stdin=subprocess.DEVNULL) for each in environments)
    assert one == other != b""


GAP: list[Event] = [run_started(run="first"), *(steps_finished(n, [2.0], elapsed_seconds=500.0 * n) for n in (1, 2))]


def test_a_recording_has_all_of_a_short_run_or_the_default_length_and_long_gaps_are_cut(cli: Cli, home: Path) -> None:
    cli.monkeypatch.setattr(runs, "RECORDING_SECONDS", 2.0)
    for name, events, speed, length in (
        ("short", run_of(1), (), 1.0),
        ("longer", run_of(6), (), 2.0),
        ("with a gap", GAP, ("--speed", "1"), 2 * runs.MAX_IDLE_SECONDS),
    ):
        write_run(home, events, name)
        ended = cli("runs", "replay", name, "--cast", "-", "--size", "40x12", *speed)
        assert (ended.code, ended.err) == (0, "")
        _, outputs = read_cast(ended.out)
        assert outputs[-1][0] == pytest.approx(length, abs=0.3), name


def test_a_run_that_still_trains_is_recorded_as_far_as_it_is_read_with_the_users_settings(cli: Cli, home: Path) -> None:
    thinned = (steps_thinned(n, n + 99, elapsed_seconds=float(n) / 500) for n in range(1, 1001, 100))
    path = write_run(home, (run_started(run="first"), *thinned))
    (home / "config.toml").write_text(
        'theme = "tweetgen-light"\n[screen]\nglyphs = "ascii"\nloss_unit = "nats"\nnonsense = 1\n', encoding="utf-8"
    )
    with path.open("ab") as file:
        assert try_lock(file.fileno())
        file.write(b"not json\n" * 6 + b'{"event":"StepsFin')
        file.flush()
        ended = cli("runs", "replay", "first", "--cast", "-")
    assert ended.code == 0
    [setting, damaged] = ended.error_lines
    assert "nonsense" in setting
    assert damaged == "7 lines of the journal can't be read; they are skipped."
    outputs = "".join(output for _, output in read_cast(ended.out)[1])
    text = "\n".join(screen_after(outputs, 100, 30).display)
    assert "end of the replay" in text
    assert "1,000" in text
    assert "nats" in text
    assert "48;2;251;250;247" in outputs  # the light theme's background
    assert not re.search("[\u2800-\u28ff]", outputs)

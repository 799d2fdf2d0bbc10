"""`tweetgen-tui runs replay`: on a screen, and with `--cast FILE` recorded to a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pyte
import pytest
from asciinema.asciicast import open_from_url

from engine.protocol.events import Event
from engine.storage.file_lock import try_lock
from tests.cli.program import PROGRAM, Cli
from tests.fakes import run_started, steps_finished, steps_thinned
from tests.recorded_runs import run_of, write_run
from tests.recording import frame_of
from tui.app.recorder import Recorder
from tui.cli.commands import replay_recording
from tui.cli.commands.replay_recording import MAX_IDLE_SECONDS
from tui.run.replay import OpenReplay
from tui.settings.store import PreferencesStore


@pytest.mark.parametrize(
    ("arguments", "speed"),
    [(("first",), 10.0), (("last", "--speed", "2.5"), 2.5), (("first", "--speed", "max"), float("inf"))],
)
def test_the_run_is_replayed_on_a_screen_at_the_given_speed(
    cli: Cli, home: Path, arguments: tuple[str, ...], speed: float
) -> None:
    path = write_run(home, run_of(2))
    shown: list[tuple[Any, ...]] = []
    cli.monkeypatch.setattr("tui.cli.commands.runs.require_terminal", lambda _hint: None)
    cli.monkeypatch.setattr("tui.cli.commands.runs.start_job_control", lambda: None)
    cli.monkeypatch.setattr("tui.cli.commands.runs.show", lambda *arguments: shown.append(arguments))
    assert cli("runs", "replay", *arguments).code == 0
    [(bridge, history, _store, _job_control)] = shown
    opening = bridge._open_session
    assert isinstance(opening, OpenReplay)
    assert (opening.config, opening.folder.path, opening.speed) == (bridge.config, path.parent, speed)
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


def test_asciinema_plays_a_cast_to_the_last_screen_of_the_replay(
    cli: Cli, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cli.monkeypatch.chdir(tmp_path_factory.mktemp("recordings"))
    path = write_run(home, run_of(12))
    Path("run.cast").write_text("mine", encoding="utf-8")
    ended = cli("runs", "replay", "first", "--cast", "run.cast", "--size", "80x24", "--speed", "4", "--force")
    assert (ended.code, ended.out) == (0, "")
    assert re.fullmatch(r"wrote run\.cast, [0-9.]+ .B\n", ended.err)
    with open_from_url("run.cast") as cast:
        played = list(cast.events("o"))
        header = cast.v2_header
    assert (header["width"], header["height"], header["title"]) == (80, 24, "tweetgen-tui: first")
    last = Recorder(path, 4.0, MAX_IDLE_SECONDS, (80, 24), PreferencesStore()).record(lambda _: None)[-1]
    assert frame_of(screen_after("".join(output for _, _, output in played), 80, 24)) == last.frame
    assert played[-1][0] <= last.seconds


@pytest.mark.ci
def test_the_cast_of_a_run_has_the_same_bytes_in_every_environment(home: Path) -> None:
    write_run(home, run_of(6))
    modern = {"PYTHONHASHSEED": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    plain = {"PYTHONHASHSEED": "2", "TERM": "dumb", "NO_COLOR": "1", "SSH_CONNECTION": "x", "COLUMNS": "50"}
    command = [*PROGRAM, "runs", "replay", "first", "--cast", "-"]
    casts = [
        subprocess.run(
            command, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
        ).stdout
        for environment in (modern, plain | {"LANG": "C"})
    ]
    assert casts[0] == casts[1] != b""


GAP = [run_started(run="first"), *(steps_finished(n, [2.0], elapsed_seconds=500.0 * n) for n in (1, 2))]


@pytest.mark.parametrize(
    ("events", "speed", "length"),
    [
        pytest.param(list(run_of(2)), (), 2, id="all of a short run"),
        pytest.param(list(run_of(12)), (), 3, id="the default length of a longer one"),
        pytest.param(GAP, ("--speed", "1"), 2 * MAX_IDLE_SECONDS, id="a long gap is shortened"),
    ],
)
def test_the_length_of_a_recording_is(
    cli: Cli, home: Path, events: list[Event], speed: tuple[str, ...], length: float
) -> None:
    cli.monkeypatch.setattr(replay_recording, "DEFAULT_SECONDS", 3.0)
    write_run(home, events)
    ended = cli("runs", "replay", "last", "--cast", "-", "--size", "40x12", *speed)
    assert (ended.code, ended.err) == (0, "")
    _, outputs = read_cast(ended.out)
    assert outputs[-1][0] == pytest.approx(length, abs=0.3)


def test_a_run_that_still_trains_is_recorded_as_far_as_it_can_be_read_with_the_users_theme_glyphs_and_unit(
    cli: Cli, home: Path
) -> None:
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

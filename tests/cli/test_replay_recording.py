"""`tweetgen-tui runs replay --cast FILE --svg FILE`: what it writes, for whom it is, and its errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pyte
import pytest

from engine.protocol import events as e
from engine.storage.file_lock import try_lock
from tests import hostile
from tests.cli.program import PROGRAM, Cli, assert_two_line_error
from tests.fakes import run_started, steps_finished, steps_thinned, tweet_sampled
from tests.recorded_runs import run_of, write_run
from tests.recording import frame_of
from tui.app.recorder import Recorder
from tui.cli.commands.replay_recording import MAX_IDLE_SECONDS, NUM_PICTURES
from tui.settings.store import PreferencesStore

END = "end of the replay"
NAMES = ("--cast", "run.cast", "--svg", "run.svg")


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, outside the data folder."""
    folder = tmp_path_factory.mktemp("recordings")
    monkeypatch.chdir(folder)
    return folder


def read_cast(text: str) -> tuple[dict[str, Any], list[tuple[float, str]]]:
    """Return the header of a cast, and its outputs with their times."""
    header, *events = map(json.loads, text.splitlines())
    assert {kind for _, kind, _ in events} == {"o"}
    return header, [(seconds, output) for seconds, _, output in events]


def screen_of(outputs: str, size: tuple[int, int]) -> pyte.Screen:
    """Return what a terminal shows after a cast."""
    screen = pyte.Screen(*size)
    pyte.Stream(screen).feed(outputs)
    return screen


def text_of(svg: str) -> str:
    return "\n".join("".join(group.itertext()) for group in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"))  # noqa: S314 - our own text


def test_asciinema_plays_a_cast_to_the_last_screen_of_the_replay(cli: Cli, home: Path, folder: Path) -> None:
    path = write_run(home, run_of(12))
    ended = cli("runs", "replay", "first", "--cast", "run.cast", "--size", "80x24", "--speed", "4")
    assert (ended.code, ended.out) == (0, "")
    assert re.fullmatch(r"wrote run\.cast, [0-9.]+ .B\n", ended.err)
    played = subprocess.run(
        [sys.executable, "-m", "asciinema", "cat", "run.cast"],
        env=os.environ | {"ASCIINEMA_CONFIG_HOME": str(folder)},
        capture_output=True,
        check=True,
    )
    last = Recorder(path, 4.0, MAX_IDLE_SECONDS, (80, 24), PreferencesStore()).record(lambda _: None)[-1]
    assert frame_of(screen_of(played.stdout.decode(), (80, 24))) == last.frame
    header, outputs = read_cast((folder / "run.cast").read_text(encoding="utf-8"))
    assert (header["width"], header["height"], header["title"]) == (80, 24, "tweetgen-tui: first")
    assert outputs[-1][0] <= last.seconds


def test_two_spellings_of_one_file_are_refused_before_the_work(cli: Cli, home: Path, folder: Path) -> None:
    write_run(home, run_of(6))
    other_spelling = f"../{folder.name}/run"
    ended = cli("runs", "replay", "first", "--cast", "run", "--svg", other_spelling, "--force")
    assert_two_line_error(ended, "--cast and --svg name the same file.", "Choose two files.")
    assert not (folder / "run").exists()


def test_both_files_of_one_run_are_the_same_bytes_in_every_environment(home: Path, folder: Path) -> None:
    write_run(home, run_of(6))
    written = []
    for number, environment in enumerate(
        (
            {"PYTHONHASHSEED": "1", "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            {
                "PYTHONHASHSEED": "2",
                "TERM": "dumb",
                "NO_COLOR": "1",
                "SSH_CONNECTION": "x",
                "COLUMNS": "50",
                "LANG": "C",
            },
        )
    ):
        target = folder / str(number)
        target.mkdir()
        command = [*PROGRAM, "runs", "replay", "first", *NAMES]
        subprocess.run(command, cwd=target, env=os.environ | environment, stdin=subprocess.DEVNULL, check=True)
        written.append([(target / name).read_bytes() for name in ("run.cast", "run.svg")])
    assert written[0] == written[1]


@pytest.mark.parametrize(("num_seconds", "arguments", "length"), [(9, (), 9), (90, (), 30), (90, ("--speed", "30"), 3)])
def test_a_recording_takes_half_a_minute_unless_the_run_is_shorter_or_a_speed_is_given(
    cli: Cli, home: Path, folder: Path, num_seconds: int, arguments: tuple[str, ...], length: int
) -> None:
    write_run(home, run_of(num_seconds))
    ended = cli("runs", "replay", "last", "--cast", "-", "--size", "40x12", *arguments)
    assert (ended.code, ended.err) == (0, "")
    _, outputs = read_cast(ended.out)
    assert outputs[-1][0] == pytest.approx(length, abs=0.3)


def test_a_long_gap_is_shortened(cli: Cli, home: Path, folder: Path) -> None:
    steps = (steps_finished(number, [2.0], elapsed_seconds=500.0 * number) for number in (1, 2))
    write_run(home, [run_started(run="first"), *steps])
    _, outputs = read_cast(cli("runs", "replay", "first", "--cast", "-", "--speed", "1").out)
    assert outputs[-1][0] == pytest.approx(2 * MAX_IDLE_SECONDS, abs=0.2)


def test_a_picture_has_a_bounded_number_of_screens(cli: Cli, home: Path, folder: Path) -> None:
    write_run(home, run_of(20))
    picture = cli("runs", "replay", "first", "--svg", "-", "--size", "80x24").out
    delays = set(re.findall(r"animation-delay:(-[\d.]+)s", picture))
    assert NUM_PICTURES / 3 < len(delays) <= NUM_PICTURES
    [loop_seconds] = re.findall(r"animation:([\d.]+)s", picture)
    assert float(loop_seconds) == pytest.approx(20.0 + 3.6, abs=0.7)
    assert END in text_of(picture)


def test_the_users_theme_glyphs_and_unit_are_those_of_the_recording(cli: Cli, home: Path, folder: Path) -> None:
    write_run(home, run_of(4))
    (home / "config.toml").write_text(
        'theme = "tweetgen-light"\n[screen]\nglyphs = "ascii"\nloss_unit = "nats"\nnonsense = 1\n', encoding="utf-8"
    )
    ended = cli("runs", "replay", "first", *NAMES)
    assert "nonsense" in ended.err
    picture = (folder / "run.svg").read_text(encoding="utf-8")
    assert 'fill="#fbfaf7"' in picture
    assert re.search("fill:#(1d232b|556070);text-anchor", picture)  # the title
    assert "nats" in text_of(picture)
    assert not re.search("[\u2800-\u28ff]", (folder / "run.cast").read_text(encoding="utf-8"))


def test_a_run_that_still_trains_is_recorded_as_far_as_it_is(cli: Cli, home: Path, folder: Path) -> None:
    path = write_run(home, run_of(4))
    with path.open("ab") as file:
        assert try_lock(file.fileno())
        file.write(b'{"event":"StepsFin')
        file.flush()
        ended = cli("runs", "replay", "first", *NAMES)
    assert ended.code == 0
    assert re.fullmatch(r"wrote run\.cast, .*\nwrote run\.svg, .*\n", ended.err)


def test_a_thinned_journal_is_recorded(cli: Cli, home: Path, folder: Path) -> None:
    thinned = (steps_thinned(n, n + 99, elapsed_seconds=float(n)) for n in range(1, 1001, 100))
    write_run(home, (run_started(run="first"), *thinned))
    assert "1,000" in text_of(cli("runs", "replay", "first", "--svg", "-").out)


def test_damaged_lines_are_reported_and_the_rest_is_recorded(cli: Cli, home: Path, folder: Path) -> None:
    path = write_run(home, run_of(4))
    path.write_bytes(path.read_bytes() + b"not json\n" * 7)
    ended = cli("runs", "replay", "first", "--svg", "run.svg")
    [wrote, warning] = ended.error_lines
    assert wrote.startswith("wrote run.svg, ")
    assert warning == "7 lines of the journal can't be read; they are skipped."
    assert END in text_of((folder / "run.svg").read_text(encoding="utf-8"))


@pytest.mark.parametrize("texts", [list(hostile.TEXTS.values())[start::4] for start in range(4)])
def test_hostile_tweets_stay_text_in_both_files(cli: Cli, home: Path, folder: Path, texts: list[str]) -> None:
    events: list[e.Event] = [run_started(run="first", corpus="MARK")]
    events += [tweet_sampled("MARK", number, elapsed_seconds=number / 4) for number in range(len(texts))]
    path = write_run(home, [*events, steps_finished(len(texts), [2.0], elapsed_seconds=5.0)])
    marked = path.read_text(encoding="utf-8").split('"MARK"')
    written = [json.dumps(text) for text in (hostile.ALL_AT_ONCE, *texts)]
    path.write_text("".join(chain(*zip_longest(marked, written, fillvalue=""))), encoding="utf-8")
    assert cli("runs", "replay", "first", *NAMES, "--size", "120x60").code == 0
    cast = (folder / "run.cast").read_text(encoding="utf-8")
    header, outputs = read_cast(cast)
    assert sorted(set(hostile.unknown_sequences("".join(output for _, output in outputs).encode()))) == []
    assert hostile.obeyed("".join(header["title"])) == []
    assert "zqj" in cast
    picture = (folder / "run.svg").read_text(encoding="utf-8")
    assert "zqj" in text_of(picture)
    assert hostile.obeyed("".join(text_of(picture).split("\n"))) == []
    names = {element.tag.partition("}")[2] for element in ET.fromstring(picture).iter()}  # noqa: S314 - our own text
    assert names == {"svg", "title", "style", "rect", "circle", "text", "g"}


def test_an_existing_file_is_replaced_only_by_force_and_before_any_work(cli: Cli, home: Path, folder: Path) -> None:
    write_run(home, run_of(2))
    (folder / "run.svg").write_text("mine", encoding="utf-8")
    assert_two_line_error(cli("runs", "replay", "first", *NAMES), "run.svg already exists", "--force replaces it")
    assert sorted(path.name for path in folder.iterdir()) == ["run.svg"]
    assert (folder / "run.svg").read_text(encoding="utf-8") == "mine"
    assert cli("runs", "replay", "first", *NAMES, "--force").code == 0
    assert (folder / "run.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (("--size", "80x24"), "--size has no effect without --cast or --svg", "Omit --size"),
        (("--force",), "--force has no effect without a file", "Omit --force"),
        (("--cast", "-", "--force"), "--force has no effect without a file", "Omit --force"),
        (("--cast", "-", "--svg", "-"), "name the same file", "two files"),
        (("--cast", "a", "--svg", "a", "--force"), "name the same file", "two files"),
        (("--cast", "a", "--speed", "max"), "--speed max", "30 seconds"),
        (("--svg", "no/where.svg"), "can't be written", "no folder no"),
        (("--svg", "."), "is not a file", "another name"),
    ],
)
def test_options_that_can_not_work_are_refused(
    cli: Cli, home: Path, folder: Path, arguments: tuple[str, ...], what: str, hint: str
) -> None:
    write_run(home, run_of(2))
    assert_two_line_error(cli("runs", "replay", "first", *arguments), what, hint)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("size", ["80", "x", "39x12", "40x11", "401x30", "100x201", "80x24x1", "-80x24", "８０x24", ""])
def test_an_invalid_size_is_a_usage_error(cli: Cli, home: Path, folder: Path, size: str) -> None:
    write_run(home, run_of(2))
    ended = cli("runs", "replay", "first", "--svg", "-", f"--size={size}")
    assert (ended.code, ended.out) == (2, "")
    assert "40x12 to 400x200" in " ".join(ended.err.replace("│", " ").split())


def test_a_run_without_events_has_nothing_to_record(cli: Cli, home: Path, folder: Path) -> None:
    write_run(home, ())
    assert_two_line_error(cli("runs", "replay", "first", *NAMES), "has no journal", "during training")
    assert list(folder.iterdir()) == []

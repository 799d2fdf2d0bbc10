"""`tweetgen-tui data fetch`: the terms first, then the file, its path on stdout and nothing else there."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine import datasets
from engine.datasets import SENTIMENT140
from engine.download import kept_bytes
from engine.download_part import Part
from engine.transfer import Limits
from tests import lying_server as server
from tests.cli.conftest import Launch
from tests.cli.program import DEADLINE_SECONDS, Cli, Finished, assert_told_at_the_end, assert_told_in_two_lines
from tests.e2e.terminal import Terminal
from tests.fakes import FakeClock
from tests.lying_server import reach_only_this_machine, running
from tui.download_progress import PlainDisplay

CONTENT = b"PK tweets " * 30_000
FETCH = ("data", "fetch", "sentiment140")
NOTICE = "real people's words"


@pytest.fixture(autouse=True)
def _only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    reach_only_this_machine(monkeypatch)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take `CONTENT` for the real file, and give up soon. Return where it will lie."""
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    known = replace(SENTIMENT140, num_bytes=len(CONTENT), md5=md5, url="http://127.0.0.1:1/")
    monkeypatch.setitem(datasets.DATASETS, "sentiment140", known)
    monkeypatch.setattr("engine.download.Limits", lambda: Limits(stall_seconds=0.3, attempts=2, pause_seconds=0.0))
    return known.path


@pytest.fixture
def open_terminal(home: Path) -> Iterator[Callable[..., Terminal]]:
    """Run the program in a terminal of its own."""
    terminals: list[Terminal] = []

    def open_it(*arguments: str) -> Terminal:
        terminals.append(Terminal(home, *arguments))
        return terminals[-1]

    yield open_it
    for terminal in terminals:
        terminal.close()


class Typed(io.StringIO):
    """A keyboard on which this text is typed."""

    def isatty(self) -> bool:
        return True


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the pause between two looks, not a wait for something to have happened


def assert_nothing_is_left(finished: Finished, path: Path) -> None:
    assert finished.out == ""
    assert not path.exists()
    assert not Part(path).path.exists()


def test_the_terms_come_first_and_the_path_is_all_that_stdout_gets(cli: Cli, small: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url, "--yes")
    assert (ended.code, ended.lines) == (0, [str(small)])
    assert small.read_bytes() == CONTENT
    assert ended.err.index(NOTICE) < ended.err.index(f"fetching {lying.url}")
    assert "cite Sentiment140" in ended.err
    assert "help.sentiment140.com" in ended.err
    assert ended.error_lines[-1] == f"Train on it:  tweetgen-tui --data {small}"


def test_json_is_one_object(cli: Cli, small: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        first = cli(*FETCH, "--url", lying.url, "--yes", "--json").object
        second = cli(*FETCH, "--json").object
    assert first == {
        "name": "sentiment140",
        "path": str(small),
        "num_bytes": len(CONTENT),
        "md5": hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(),
        "is_new": True,
    }
    assert second == first | {"is_new": False}


def test_what_is_already_there_and_whole_is_said_at_once(cli: Cli, small: Path) -> None:
    small.parent.mkdir()
    small.write_bytes(CONTENT)
    ended = cli(*FETCH)
    assert (ended.code, ended.lines) == (0, [str(small)])
    assert "already here, and whole" in ended.err
    assert NOTICE not in ended.err


def test_a_path_with_blanks_is_quoted_for_the_shell(
    cli: Cli, small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "my tweets"))
    with running(server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url, "--yes")
    assert ended.lines == [str(tmp_path / "my tweets" / "data" / small.name)]
    assert f"--data '{ended.lines[0]}'" in ended.error_lines[-1]


def test_without_a_terminal_nothing_is_fetched_unless_yes_is_given(cli: Cli, small: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url)
    assert_told_at_the_end(ended, "--yes", "no terminal")
    assert NOTICE in ended.err
    assert lying.requests == []
    assert_nothing_is_left(ended, small)


@pytest.mark.parametrize("answer", ["y\n", "YES\n", " y \n", "y"])
def test_on_a_terminal_a_yes_goes_on(cli: Cli, small: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Typed(answer))
    with running(server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url)
    assert (ended.code, ended.lines) == (0, [str(small)])
    assert "Fetch it (0.3 MB)? [y/N]" in ended.err


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "what?\n"])
def test_on_a_terminal_anything_else_fetches_nothing(
    cli: Cli, small: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", Typed(answer))
    with running(server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url)
    assert ended.code == 1
    assert ended.error_lines[-1].endswith("Nothing was fetched.")
    assert lying.requests == []
    assert_nothing_is_left(ended, small)


def test_another_file_is_refused_by_its_checksum_and_not_kept(cli: Cli, small: Path) -> None:
    with running(server.serve(b"x" * len(CONTENT))) as lying:
        ended = cli(*FETCH, "--url", lying.url, "--yes")
    assert_told_at_the_end(ended, "its MD5 is", "Nothing was kept")
    assert_nothing_is_left(ended, small)


def test_the_real_file_is_known_by_its_length(cli: Cli) -> None:
    with running(server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url, "--yes")
    assert_told_at_the_end(ended, "300000 bytes to come instead of 81363704")
    assert_nothing_is_left(ended, SENTIMENT140.path)


def test_a_missing_file_is_told_in_two_lines_after_the_terms(cli: Cli, small: Path) -> None:
    with running(server.answer(404)) as lying:
        ended = cli(*FETCH, "--url", lying.url, "--yes")
    assert_told_at_the_end(ended, f"There is no file at {lying.url} (HTTP 404 Not Found).", "--url")
    assert_nothing_is_left(ended, small)


def test_a_server_that_is_not_there_is_told_at_once(cli: Cli, small: Path) -> None:
    ended = cli(*FETCH, "--yes")
    assert_told_at_the_end(ended, "127.0.0.1 refuses the connection", "online")
    assert_nothing_is_left(ended, small)


def test_a_full_disk_is_told_and_leaves_nothing_under_the_name(
    cli: Cli, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with running(server.serve(CONTENT, tag="")) as lying:
        ended = cli(*FETCH, "--url", lying.url, "--yes")
    assert_told_at_the_end(ended, "No space left on device", "Free some space")
    assert not small.exists()


def test_each_new_attempt_is_narrated(cli: Cli, small: Path) -> None:
    with running(server.drop_after(CONTENT, 1000), server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url, "--yes")
    assert (ended.code, ended.lines) == (0, [str(small)])
    assert "trying again in 0 s" in ended.err


@pytest.mark.parametrize("url", ["ftp://a/b", "/tmp/x.zip", "", "file:///etc/passwd"])
def test_an_address_that_is_not_of_the_web_is_told_in_two_lines(cli: Cli, small: Path, url: str) -> None:
    assert_told_in_two_lines(cli(*FETCH, "--url", url, "--yes"), "no address of the web", "https://")


def test_an_unknown_name_is_told_with_those_that_are_known(cli: Cli) -> None:
    assert_told_in_two_lines(cli("data", "fetch", "sentiment141"), "sentiment141", "Known: sentiment140.")


def test_a_password_in_the_address_is_not_shown(cli: Cli, small: Path) -> None:
    with running(server.serve(CONTENT)) as lying:
        ended = cli(*FETCH, "--url", lying.url.replace("//", "//me:secret@"), "--yes")
    assert ended.code == 0
    assert f"fetching {lying.url}" in ended.err
    assert "secret" not in ended.err


# Signals --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_keeps_what_has_come_and_the_next_attempt_goes_on_from_it(
    launch: Launch, cli: Cli, number: signal.Signals, code: int
) -> None:
    with running(server.stall_after(CONTENT, 200_000, SENTIMENT140.num_bytes), server.answer(404)) as lying:
        process = launch(*FETCH, "--url", lying.url, "--yes")
        wait_until(lambda: kept_bytes(SENTIMENT140.path) > 100_000)
        process.send(number)
        ended = process.wait()
        assert (ended.code, ended.out) == (code, "")
        assert "Traceback" not in ended.err
        assert not SENTIMENT140.path.exists()
        kept = kept_bytes(SENTIMENT140.path)
        assert 100_000 < kept <= 200_000
        cli(*FETCH, "--url", lying.url, "--yes")
    assert lying.ranges == [None, f"bytes={kept}-"]
    if number != signal.SIGHUP:
        assert ended.error_lines[-1].endswith("of 81.4 MB are kept: the same command goes on from there.")


def test_a_signal_before_anything_has_come_leaves_nothing_behind(launch: Launch, home: Path) -> None:
    with running(server.Handler.wait_for_the_end) as lying:
        process = launch(*FETCH, "--url", lying.url, "--yes")
        wait_until(lambda: lying.requests)
        process.send(signal.SIGINT)
        ended = process.wait()
    assert ended.code == 130
    assert "nothing is left behind" in ended.error_lines[-1]
    assert [path.name for path in (home / "data").iterdir()] == [".sentiment140.zip.lock"]


def test_on_a_terminal_there_are_a_question_and_a_bar_and_ctrl_c_leaves_it_as_it_was(
    open_terminal: Callable[..., Terminal],
) -> None:
    with running(server.stall_after(CONTENT, 200_000, SENTIMENT140.num_bytes)) as lying:
        terminal = open_terminal(*FETCH, "--url", lying.url)
        terminal.wait_for(r"Fetch it \(81\.4 MB\)\? \[y/N\]")
        assert NOTICE in terminal.text
        terminal.press("y", "enter")
        terminal.wait_for(r"0\.2/81\.4 MB")
        terminal.press("ctrl+c")
        assert terminal.wait_for_exit()[0] == 130
    assert terminal.modes_left_set == []
    assert "Stopped. 0.2 of 81.4 MB are kept: the same command goes on from there." in terminal.text
    assert "0.2/81.4 MB" not in terminal.text


# Plain progress -------------------------------------------------------------------------------------------------------


def plain_lines(*told: tuple[float, int]) -> list[str]:
    """Return what is written when so much is here, so many seconds after the start."""
    lines: list[str] = []
    clock = FakeClock(0.0)
    display = PlainDisplay(lines.append, 80_000_000, clock)
    for clock.now, num_bytes in told:
        display.progress(num_bytes)
    return lines


def test_plain_progress_is_a_line_every_few_seconds_with_speed_and_time_to_go() -> None:
    lines = plain_lines((0.0, 10_000_000), (2.0, 12_000_000), (5.0, 20_000_000), (9.0, 30_000_000))
    assert lines == ["20.0 of 80.0 MB, 2.0 MB/s, 30 s to go"]


def test_plain_progress_that_starts_over_or_stands_still_shows_no_speed_it_has_not() -> None:
    lines = plain_lines((1.0, 50_000_000), (2.0, 0), (6.0, 0), (12.0, 6_000_000))
    assert lines == ["0.0 of 80.0 MB, 0 B/s", "6.0 of 80.0 MB, 1.0 MB/s, 1 min to go"]

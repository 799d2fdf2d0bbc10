"""`tweetgen-tui data fetch`: terms, question, download, and the path on stdout."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest

from engine.corpus.download import catalog as datasets
from engine.corpus.download.catalog import SENTIMENT140
from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error
from tests.e2e.terminal import Terminal
from tests.file_server import answer, serve, serving, stall_after, use_no_proxy

CONTENT = b"PK tweets " * 30_000
FETCH = ("data", "fetch", "sentiment140")
NOTICE = "real people's words"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    use_no_proxy(monkeypatch)


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `CONTENT` the expected file; return its target path."""
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    known = replace(SENTIMENT140, num_bytes=len(CONTENT), md5=md5, url="http://127.0.0.1:1/")
    monkeypatch.setitem(datasets.DATASETS, "sentiment140", known)
    return known.path


class Typed(io.StringIO):
    """A terminal's standard input with this text."""

    def isatty(self) -> bool:
        return True


def test_the_terms_come_first_and_stdout_is_the_path_alone(cli: Cli, path: Path) -> None:
    with serving(serve(CONTENT)) as server:
        ended = cli(*FETCH, "--url", server.url.replace("//", "//me:secret@"), "--yes")
    assert (ended.code, ended.lines) == (0, [str(path)])
    assert path.read_bytes() == CONTENT
    assert ended.err.index(NOTICE) < ended.err.index("downloading sentiment140 from 127.0.0.1")
    assert "cite Sentiment140" in ended.err
    assert ended.error_lines[-1] == f"Train on it:  tweetgen-tui --data {path}"
    assert "secret" not in ended.err


def test_json_is_one_object_and_a_second_fetch_downloads_nothing(cli: Cli, path: Path) -> None:
    with serving(serve(CONTENT)) as server:
        first = cli(*FETCH, "--url", server.url, "--yes", "--json").object
    second = cli(*FETCH, "--json").object
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    expected = {"name": "sentiment140", "path": str(path), "num_bytes": len(CONTENT), "md5": md5}
    assert (first, second) == (expected | {"is_new": True}, expected | {"is_new": False})


def test_without_a_terminal_nothing_is_downloaded_unless_yes_is_given(cli: Cli, path: Path) -> None:
    ended = cli(*FETCH)
    assert_error_at_the_end(ended, "--yes", "without a terminal")
    assert NOTICE in ended.err
    assert not path.parent.exists()


@pytest.mark.parametrize("answer", ["", "what?\n"])
def test_any_answer_but_yes_downloads_nothing(
    cli: Cli, path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr("sys.stdin", Typed(answer))
    ended = cli(*FETCH)
    assert (ended.code, ended.out) == (1, "")
    assert ended.error_lines[-1].endswith("Nothing was downloaded.")
    assert not path.parent.exists()


def test_a_failed_download_is_an_error_in_two_lines_after_the_terms(cli: Cli, path: Path) -> None:
    with serving(answer(404)) as server:
        ended = cli(*FETCH, "--url", server.url, "--yes")
    assert_error_at_the_end(ended, "127.0.0.1 answered with HTTP 404 Not Found.", "--url")


def test_an_invalid_address_is_an_error_in_two_lines_before_the_terms(cli: Cli, path: Path) -> None:
    assert_two_line_error(cli(*FETCH, "--url", "ftp://a/b", "--yes"), "is not a web address", "https://")


def test_a_terminal_shows_a_bar_and_ctrl_c_restores_the_terminal(home: Path) -> None:
    with serving(stall_after(CONTENT[:200_000], SENTIMENT140.num_bytes)) as server:
        terminal = Terminal(home, *FETCH, "--url", server.url)
        try:
            terminal.wait_for(r"Download it \(81\.4 MB\)\? \[y/N\]")
            terminal.press("y", "enter")
            terminal.wait_for(r"0\.2 of 81\.4 MB")
            terminal.press("ctrl+c")
            assert terminal.wait_for_exit()[0] == 130
        finally:
            terminal.close()
    assert terminal.modes_left_set == []
    assert "Stopped. 0.2 MB kept" in terminal.text
    assert "of 81.4 MB" not in terminal.text

"""`data fetch`: terms, a question, and what is downloaded."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from engine.corpus.files import download
from engine.corpus.files.download import SENTIMENT140
from tests.cli.program import Cli, assert_error_at_the_end
from tests.e2e.terminal import Terminal
from tests.file_server import answer, serve, serving, stall_after, use_no_proxy

CONTENT = b"PK tweets " * 30_000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
FETCH = ("data", "fetch", "sentiment140")
NOTICE = "real people's words"


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `CONTENT` the expected file; return its target path."""
    use_no_proxy(monkeypatch)
    known = replace(SENTIMENT140, num_bytes=len(CONTENT), md5=MD5, url="http://127.0.0.1:1/")
    monkeypatch.setitem(download.DATASETS, "sentiment140", known)
    return known.path


def test_the_terms_come_first_stdout_is_a_path_or_an_object_and_nothing_is_fetched_twice(cli: Cli, path: Path) -> None:
    with serving(serve(CONTENT)) as server:
        ended = cli(*FETCH, "--url", server.url.replace("//", "//me:secret@"), "--yes")
        assert (ended.code, ended.lines) == (0, [str(path)])
        assert path.read_bytes() == CONTENT
        assert ended.err.index(NOTICE) < ended.err.index("downloading sentiment140 from 127.0.0.1")
        assert "cite Sentiment140" in ended.err
        assert ended.error_lines[-1] == f"Train on it:  tweetgen-tui --data {path}"
        assert "secret" not in ended.err
        path.unlink()
        first = cli(*FETCH, "--url", server.url, "--yes", "--json").object
    second = cli(*FETCH, "--json").object
    expected = {"name": "sentiment140", "path": str(path), "num_bytes": len(CONTENT), "md5": MD5}
    assert (first, second) == (expected | {"is_new": True}, expected | {"is_new": False})


def test_nothing_is_downloaded_without_a_terminal_or_an_answer_of_yes_or_if_it_fails(cli: Cli, path: Path) -> None:
    ended = cli(*FETCH)
    assert_error_at_the_end(ended, "--yes", "without a terminal")
    assert NOTICE in ended.err
    for typed in (b"", b"what?\n"):
        cli.reads(typed, is_terminal=True)
        ended = cli(*FETCH)
        assert (ended.code, ended.out) == (1, "")
        assert ended.error_lines[-1].endswith("Nothing was downloaded.")
    assert not path.parent.exists()
    with serving(answer(404)) as server:
        failed = cli(*FETCH, "--url", server.url, "--yes")
    assert_error_at_the_end(failed, "127.0.0.1 answered with HTTP 404 Not Found.", "--url")


@pytest.mark.ci
def test_a_terminal_shows_a_bar_and_ctrl_c_restores_the_terminal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_no_proxy(monkeypatch)
    with serving(stall_after(CONTENT[:200_000], SENTIMENT140.num_bytes)) as server:
        terminal = Terminal(home, *FETCH, "--url", server.url)
        try:
            terminal.wait_for(r"Download it \(81\.4 MB\)\? \[y/N\]")
            terminal.press("y", "enter")
            terminal.wait_for(r"0\.2 of 81\.4 MB")
            terminal.press("ctrl+c")
            assert terminal.wait_for_exit() == 130
        finally:
            terminal.close()
    assert terminal.modes_left_set == []
    assert "Stopped. 0.2 MB kept" in terminal.text
    assert "of 81.4 MB" not in terminal.text

"""`data`: reports, what is kept of standard input; terms, a question, and what is downloaded."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.corpus.files import download
from engine.corpus.files.download import SENTIMENT140
from tests.cli.conftest import Launch
from tests.cli.program import SMALL_MODEL, Cli, assert_error_at_the_end, assert_two_line_error
from tests.e2e.terminal import Terminal
from tests.engine.corpus.files.open_contents import zip_of
from tests.engine.helpers import write_corpus
from tests.file_server import answer, serve, serving, stall_after, use_no_proxy
from tests.waiting import wait_until

NAMES = ("Tom", "Ann", "Bo", "gran", "mum", "we", "they", "you", "Zoë", "a fox")
THINGS = ("tea", "a long walk", "my dog", "the rain", "two boats", "jam")
TWEETS = [f"{name} likes {thing}" for thing in THINGS for name in NAMES]


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A CSV with a header, 60 tweets and unusable rows."""
    rows = [*TWEETS, "@mia has a cat #cat", "see www.example.org/a", "Tom likes TEA!", "", "x" * 150]
    return write_corpus(tmp_path, ["id,text", *(f'{n},"{row}"' for n, row in enumerate(rows))], "messy.csv")


def shown(cli: Cli, *arguments: str | Path) -> str:
    """Return the report without the time it took."""
    ended = cli("data", "inspect", *arguments)
    assert (ended.code, ended.err) == (0, "")
    assert not [line for line in ended.lines if line != line.rstrip()]
    return re.sub(r"read in .*", "read in ...", ended.out)


def test_the_report_has_all_facts_about_a_file(cli: Cli, messy: Path, snapshot: SnapshotAssertion) -> None:
    assert shown(cli, messy) == snapshot


def test_each_source_and_the_sum_are_shown(cli: Cli, tweets: Path, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    archive = tmp_path / "more.zip"
    archive.write_bytes(zip_of({"x/one.txt": b"tea for two\njam\n\n", "y/two.csv": b"text\nbread for all\n"}))
    assert shown(cli, tweets, archive) == snapshot
    archive.write_bytes(zip_of({f"{n}.txt": f"tea for {n}\n\n".encode() for n in range(40)}))
    out = shown(cli, archive, "--keep-duplicates")
    assert out.count(".txt  text") == 24
    for words in ("and 16 more; --json shows each", "all 40 together", "40 of 80 rows kept (50 %)", "40  empty"):
        assert words in out, words


def test_no_line_is_wider_than_the_terminal(cli: Cli, tmp_path: Path) -> None:
    families = "👩\u200d👩\u200d👧 ไทย 🇫🇷 " * 8
    texts = ("寿司 " * 40, "שלום مرحبا " * 9, families, "a" * 137, "".join(map(chr, range(0x410, 0x460))))
    path = write_corpus(tmp_path, (f"{n} {texts[n % 5]}" for n in range(60)), "wide.txt")
    cli.monkeypatch.setenv("COLUMNS", "40")
    assert max(map(cell_len, shown(cli, path, "--keep-duplicates").splitlines())) <= 40


def test_too_few_tweets_are_reported_before_the_error(cli: Cli, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    path = write_corpus(tmp_path, ["good morning", "", "http://a.example/b"], "few.txt")
    ended = cli("data", "inspect", path)
    assert ended.code == 1
    assert re.sub(r"read in .*", "read in ...", f"{ended.out}\n{ended.err}") == snapshot
    assert_two_line_error(cli("data", "inspect", path, "--json"), "too few")


def test_json_has_the_facts_of_the_report_from_the_files_or_the_cache(
    cli: Cli, messy: Path, snapshot: SnapshotAssertion
) -> None:
    read = [cli("data", "inspect", messy, "--json", *more).object for more in ((), (), ("--fresh",))]
    assert [facts.pop("was_cached") for facts in read] == [False, True, False]
    assert all(facts.pop(name) >= 0 for facts in read for name in ("seconds", "peak_bytes"))  # 0 after a higher peak
    assert read[0] == read[1] == read[2]
    assert "\n".join(f"{name}: {value}" for name, value in read[0].items()) == snapshot


def test_inspecting_standard_input_stores_nothing(cli: Cli, home: Path, messy: Path) -> None:
    cli.reads(messy.read_bytes())
    ended = cli("data", "inspect", "-", "--json")
    assert (ended.code, ended.object["name"], ended.object["kept"]) == (0, "standard input", 62)
    assert [path for path in home.rglob("*") if path.is_file()] == [messy], "the cache is in this folder, too"


@pytest.mark.parametrize(
    ("command", "number"),
    [
        (("data", "inspect"), signal.SIGINT),
        pytest.param(("evaluate", "--data"), signal.SIGTERM, marks=pytest.mark.ci),
    ],
)
def test_what_was_piped_in_is_deleted_at_a_signal(
    launch: Launch, elsewhere: Path, number: signal.Signals, command: tuple[str, str]
) -> None:
    os.mkfifo(pipe := elsewhere / "pipe")
    writer = os.open(pipe, os.O_RDWR)
    (temporary := elsewhere / "temporary").mkdir()
    process = launch(*command, pipe, TMPDIR=str(temporary))
    wait_until(lambda: any(temporary.glob("*/.*")), "a copy of the pipe")
    process.send(number)
    assert process.wait().code == 128 + number
    os.close(writer)
    assert not any(temporary.iterdir())


def test_a_run_on_standard_input_resumes_without_it(cli: Cli) -> None:
    cli.reads("\n".join([*TWEETS, "", TWEETS[0]]).encode())
    few = (*SMALL_MODEL, "--sample-every", "0", "--eval-every", "0", "--json")
    first = cli("train", "--data", "-", "--max-steps", "2", "--run-name", "piped", *few)
    cli.reads(b"")
    more = cli("train", "--resume", "piped", "--max-steps", "4", "--json")
    assert (first.code, more.code) == (0, 0), more.err
    began, went_on = first.objects[0], more.objects[0]
    assert began["corpus"] == went_on["corpus"] == "standard input"
    assert began["num_train_tweets"] == went_on["num_train_tweets"] == 48
    for started in (began, went_on):
        assert (started["num_rows"], started["dropped"]) == (len(TWEETS) + 2, [["empty", 1], ["duplicate", 1]])
    assert "not those" not in more.err
    assert more.objects[-1]["step"] == 4


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
        assert ended.error_lines[-1] == f"Train on it:  tweetgen-tui --data {shlex.quote(str(path))}"
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
